"""A plan can be looked at before it is made, and is then the same; beliefs can be cleared."""

import copy
import random

import pytest
from tests.clock import FakeClock

from cliproxy.account.model import Account, ModelRule
from cliproxy.base.errors import RateLimited, UpstreamRefused, UpstreamUnreachable
from cliproxy.config.schema import STRATEGIES, Config
from cliproxy.routing.affinity import Session
from cliproxy.routing.cooldown import Limits, Rule
from cliproxy.routing.pool import Pool
from cliproxy.routing.quota import Quota
from cliproxy.routing.resolve import Registry


def refused(status, retry_after=None):
    return UpstreamRefused("x", status=status, retry_after=retry_after)


def registry_of(names="a b c", models=("m",), **more):
    rules = tuple(ModelRule(name, "m") for name in models)
    return Registry(
        [
            Account(
                name,
                "openai-compatible-h",
                name,
                models=rules,
                weight=more.get("weights", {}).get(name, 1),
                priority=more.get("priorities", {}).get(name, 0),
            )
            for name in names.split()
        ],
        Config(),
    )


class World:
    def __init__(self, strategy="fill-first", names="a b c", *, credentials=0, **more):
        self.clock = FakeClock()
        self.pool = Pool(
            strategy,
            limits=Limits(credentials=credentials),
            affinity_ttl=3600.0,
            max_in_flight=more.pop("max_in_flight", 0),
            clock=self.clock,
        )
        self.candidates = registry_of(names, **more).resolve("m")

    def fail(self, name, error):
        self.pool.report(next(c for c in self.candidates if c.account.id == name), error)

    def fates(self, session=None):
        shown = self.pool.preview(self.candidates, session)
        return " ".join(f"{f.candidate.account.id}:{f.code}" for f in shown.fates)


# ---- reasons ----------------------------------------------------------------------------------
def test_each_place_has_its_reason():
    world = World("weighted-round-robin", "a b c d e", weights={"e": 0}, max_in_flight=1)
    world.pool.begin(world.candidates[0])
    world.fail("b", refused(500))
    world.fail("c", refused(429, 50))
    assert world.fates() == "d:ready a:full b:stumbled c:cooling e:weightless"


def test_the_conversations_own_account_says_so():
    world = World()
    session = Session("k")
    world.pool.report(world.candidates[1], session=session)
    assert world.fates(session) == "b:bound a:ready c:ready"
    world.fail("b", refused(429, 50))
    assert world.fates(session) == "a:ready c:ready b:cooling"


def test_a_conversation_from_elsewhere_is_placed_by_its_name():
    world = World("round-robin")
    assert world.fates(Session("k", going=True)).count(":placed") == 1


def test_who_is_tried_and_who_waits_for_the_outcome():
    world = World()
    world.fail("a", refused(429, 20))
    world.clock.time += 21
    assert world.fates() == "a:probe b:ready c:ready"
    world.pool.plan(world.candidates)
    assert world.fates() == "b:ready c:ready a:unproven"


def test_beyond_what_a_round_may_ask_accounts_are_spared():
    assert World(credentials=2).fates() == "a:ready b:ready c:spared"


def test_a_fate_says_what_is_believed_until_when_and_who_said_so():
    world = World(names="a b")
    world.pool.report(world.candidates[0], refused(429, 50), source="header")
    world.pool.begin(world.candidates[1])
    ready, cooling = world.pool.preview(world.candidates).fates
    assert (cooling.reason, cooling.source, cooling.until) == (
        "rate_limit",
        "header",
        world.clock.now() + 50,
    )
    assert (ready.reason, ready.until, ready.running) == ("", None, 1)


def test_when_all_would_refuse_the_preview_is_empty():
    world = World(names="a")
    world.fail("a", refused(401))
    shown = world.pool.preview(world.candidates)
    assert shown.plan == ()
    assert [f.code for f in shown.fates] == ["cooling"]


# ---- the preview is the plan ------------------------------------------------------------------
def state(pool):
    return repr(
        copy.deepcopy(
            (
                pool._cooldowns._beliefs,
                pool._cooldowns._quiet,
                pool._affinity._bound,
                pool._planner._rings,
                vars(pool._planner._policy).get("_next"),
                vars(pool._planner._policy).get("_credit"),
                pool._planner.load._running,
            )
        )
    )


def random_world(chance):
    names = " ".join("abcdefgh"[: chance.randint(1, 8)])
    registry = registry_of(
        names,
        models=("m1", "m2", "m3")[: chance.choice((1, 1, 1, 2, 3))],
        weights={n: chance.randint(0, 4) for n in names.split()},
        priorities={n: chance.choice((0, 0, 0, 5)) for n in names.split()},
    )
    clock = FakeClock()
    pool = Pool(
        chance.choice(sorted(STRATEGIES)),
        limits=Limits(
            credentials=chance.choice((0, 0, 1, 3)),
            most=chance.choice((90.0, 43200.0)),
            early=chance.choice((0.0, 60.0)),
            rule=Rule(cooling=chance.random() > 0.1),
        ),
        affinity_ttl=chance.choice((0.0, 600.0)),
        max_in_flight=chance.choice((0, 0, 1, 2)),
        clock=clock,
    )
    return pool, registry.resolve("m"), clock


def test_what_is_shown_is_what_happens_ten_thousand_times():
    chance, seen, compared = random.Random(20), set(), 0
    while compared < 10_000:
        pool, candidates, clock = random_world(chance)
        turns = []
        for _ in range(25):
            session = chance.choice(
                [None, Session("k"), Session("l", going=True), Session("k", opening=True)]
            )
            asked = chance.sample(candidates, chance.randint(1, len(candidates)))
            before = state(pool)
            shown = pool.preview(asked, session)
            assert state(pool) == before, "looking changes nothing"
            assert sorted(map(id, asked)) == sorted(id(f.candidate) for f in shown.fates)
            seen |= {f.code for f in shown.fates}
            try:
                plan = pool.plan(asked, session)
            except RateLimited:
                plan = []
                assert {f.code for f in shown.fates} <= {"cooling", "weightless"}
            assert [id(c) for c in plan] == [id(c) for c in shown.plan]
            compared += 1
            for candidate in plan:
                if chance.random() < 0.3:
                    turns.append(pool.begin(candidate))
                pool.observe(
                    candidate,
                    [Quota("5h", 18000.0, chance.random(), clock.now() + 9000 * chance.random())],
                )
                status = chance.choice((200, 200, 200, 401, 404, 429, 429, 500, 500, 0))
                if status == 0:
                    pool.release(candidate)
                    break
                if status == 200:
                    pool.report(candidate, session=session)
                    break
                hint = chance.choice((None, 5.0, 500.0, 50_000.0))
                pool.report(candidate, refused(status, hint), session=session)
            if turns and chance.random() < 0.4:
                turns.pop(chance.randrange(len(turns))).end()
            clock.time += chance.choice((0.0, 1.0, 61.0, 700.0))
    assert seen == {
        "ready", "bound", "placed", "probe", "unproven", "stumbled", "full", "cooling", "spared",
        "weightless",
    }  # fmt: skip


# ---- many accounts ----------------------------------------------------------------------------
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize(
    "error", [refused(401), refused(429), refused(503), UpstreamUnreachable("x")]
)
def test_of_fifty_accounts_one_alive_is_enough(strategy, error):
    chance = random.Random(3)
    names = [f"n{number}" for number in range(50)]
    for alive in chance.sample(names, 3):
        world = World(strategy, " ".join(names))
        asked = 0
        for _ in range(60):
            plan = [c.account.id for c in world.pool.plan(world.candidates)]
            assert len(plan) == len(set(plan)) <= 50
            attempts = plan[: plan.index(alive) + 1]
            asked += len(attempts)
            for name in attempts[:-1]:
                world.fail(name, error)
            world.pool.report(next(c for c in world.candidates if c.account.id == alive))
        assert asked <= 49 + 60, "nobody who is dead is asked twice"


# ---- clearing ---------------------------------------------------------------------------------
def test_what_is_believed_of_one_account_or_of_all_can_be_cleared():
    world = World()
    for name in "abc":
        world.fail(name, refused(401))
    assert world.pool.clear("b") == 1
    assert world.fates() == "b:ready a:cooling c:cooling"
    assert world.pool.clear("b") == 0
    assert world.pool.clear() == 2
    assert world.fates() == "a:ready b:ready c:ready"


def test_clearing_reaches_the_pool_that_came_before_and_keeps_conversations():
    world = World()
    world.pool.report(world.candidates[1], session=Session("k"))
    after = Pool("fill-first", affinity_ttl=3600.0, clock=world.clock)
    after.inherit(world.pool)
    world.fail("a", refused(401))
    assert after.clear() == 1
    assert world.fates(Session("k")) == "b:bound a:ready c:ready"


# ---- settings ---------------------------------------------------------------------------------
def test_a_plan_for_one_account_makes_nothing_of_it():
    world = World("round-robin", "a")
    (candidate,) = world.candidates
    assert world.pool.plan([candidate]) == [candidate]
    assert world.pool.plan([]) == []

"""In which order accounts of one priority are asked."""

from collections import Counter

import pytest
from tests.clock import FakeClock

from cliproxy.account.model import Account, ModelRule
from cliproxy.config.schema import STRATEGIES, Config
from cliproxy.routing.policy import policy
from cliproxy.routing.pool import Pool
from cliproxy.routing.quota import Quota
from cliproxy.routing.resolve import Registry

HOUR, DAY = 3600.0, 86400.0


def candidates_of(names="a b c", weights=None, priorities=None):
    accounts = [
        Account(
            n,
            "openai-compatible-h",
            n,
            models=(ModelRule("m"),),
            weight=(weights or {}).get(n, 1),
            priority=(priorities or {}).get(n, 0),
        )
        for n in names.split()
    ]
    return Registry(accounts, Config()).resolve("m")


class World:
    def __init__(self, strategy, names="a b c", *, max_in_flight=0, **more):
        self.clock = FakeClock()
        self.pool = Pool(strategy, clock=self.clock, max_in_flight=max_in_flight)
        self.candidates = candidates_of(names, **more)

    def plan(self):
        return "".join(c.account.id for c in self.pool.plan(self.candidates))

    def firsts(self, count):
        return "".join(self.plan()[0] for _ in range(count))

    def of(self, name):
        return next(c for c in self.candidates if c.account.id == name)

    def begin(self, names):
        return [self.pool.begin(self.of(name)) for name in names]

    def left(self, name, rest, hours, window=5 * HOUR, **more):
        """Tell the pool that of a window this share and so many hours are left."""
        at = self.clock.now() + hours * HOUR
        self.pool.observe(self.of(name), [Quota(f"{window:.0f}", window, 1 - rest, at, **more)])


# ---- all of them ------------------------------------------------------------------------------
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_every_policy_names_each_account_once_and_asking_changes_nothing(strategy):
    rules = policy(strategy)
    candidates = candidates_of()
    for turn in range(7):
        order = rules.order("m", candidates)
        assert rules.order("m", candidates) == order
        assert Counter(c.account.id for c in order) == Counter("abc")
        rules.took("m", candidates, order[turn % 3])


@pytest.mark.parametrize("strategy", ["round-robin", "least-in-flight", "quota-aware"])
def test_among_equals_the_next_one_begins(strategy):
    assert World(strategy).firsts(7) == "abcabca"


def test_fill_first_stays_with_the_first():
    assert World("fill-first").firsts(4) == "aaaa"


def test_weights_are_shares_evenly_spread_and_0_is_never():
    world = World("weighted-round-robin", "a b c", weights={"a": 3, "c": 0})
    assert world.firsts(8) == "aabaaaba"
    assert world.plan() in ("ab", "ba")


def test_a_lower_priority_has_not_used_its_turn_by_being_second_choice():
    world = World("round-robin", "a b c d", priorities={"a": 5, "b": 5})
    assert [world.plan() for _ in range(4)] == ["abcd", "bacd", "abcd", "bacd"]


# ---- least in flight --------------------------------------------------------------------------
def test_whoever_has_the_fewest_requests_running_is_first():
    world = World("least-in-flight")
    turns = world.begin("aab")
    assert world.plan() == "cba"
    for turn in turns[:2]:
        turn.end()
    assert world.plan() == "acb"


def test_a_burst_is_spread_over_all():
    world = World("least-in-flight")
    seen = Counter()
    for _ in range(30):
        first = world.pool.plan(world.candidates)[0]
        world.pool.begin(first)
        seen[first.account.id] += 1
    assert seen == {"a": 10, "b": 10, "c": 10}


# ---- quota aware ------------------------------------------------------------------------------
def test_whoever_would_lose_most_if_it_stayed_idle_is_first():
    world = World("quota-aware")
    world.left("a", 0.9, 4.5)
    world.left("b", 0.9, 0.5)
    world.left("c", 0.2, 4.0)
    assert world.plan() == "bac"


@pytest.mark.parametrize("turned", [False, True])
def test_the_scarcest_window_counts(turned):
    world = World("quota-aware", "a b")
    windows = [(0.9, 0.5, 5 * HOUR), (0.05, 6 * 24, 7 * DAY)]
    for rest, hours, window in reversed(windows) if turned else windows:
        world.left("a", rest, hours, window=window)
    world.left("b", 0.4, 2.5)
    assert world.plan() == "ba"


def test_what_was_said_is_still_known_to_the_pool_that_comes_after():
    world = World("quota-aware", "a b")
    world.left("a", 0.1, 4.0)
    after = Pool("quota-aware", clock=world.clock)
    after.inherit(world.pool)
    assert after.plan(world.candidates)[0].account.id == "b"


def test_who_says_nothing_is_neither_preferred_nor_avoided():
    world = World("quota-aware")
    world.left("a", 0.9, 1.0)
    world.left("c", 0.1, 4.0)
    assert world.plan() == "abc"


def test_what_has_begun_anew_is_no_longer_known():
    world = World("quota-aware", "a b")
    world.left("a", 0.0, 1.0)
    assert world.firsts(3) == "bbb"
    world.clock.time += HOUR
    assert sorted(world.firsts(2)) == ["a", "b"]


@pytest.mark.parametrize("more", [{"rejected": True}, {"window": 60.0}], ids=["rejected", "minute"])
def test_an_empty_or_rejected_window_is_behind_all(more):
    world = World("quota-aware", "a b")
    world.left("a", 0.5 if "rejected" in more else 0.0, 0.01, **more)
    assert world.firsts(3) == "bbb"


def test_a_minutes_window_does_not_matter_unless_it_is_empty():
    world = World("quota-aware", "a b")
    world.left("a", 0.3, 0.01, window=60.0)
    assert world.firsts(4) == "abab"


def test_requests_under_way_count_before_their_answers_tell_what_is_left():
    world = World("quota-aware", "a b")
    world.left("a", 0.9, 1.5)
    world.left("b", 0.9, 4.5)
    firsts = []
    for _ in range(8):
        firsts.append(world.plan()[0])
        world.begin(firsts[-1])
    assert Counter(firsts) == {"a": 6, "b": 2}


def test_a_limit_of_other_models_says_nothing_about_this_one():
    world = World("quota-aware", "a b")
    world.left("a", 0.0, 4.0, scope="model", family="opus")
    assert world.firsts(4) == "abab"

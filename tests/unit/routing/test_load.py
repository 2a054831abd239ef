"""How many requests an account runs, and who waits."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clock import FakeClock
from tests.unit.routing.test_policy import World, candidates_of

from cliproxy.base.errors import RateLimited
from cliproxy.routing.affinity import Session
from cliproxy.routing.cooldown import Limits
from cliproxy.routing.load import Load, Turn
from cliproxy.routing.pool import Pool


def test_a_turn_ends_once():
    load = Load()
    one, two = load.begin("a"), load.begin("a")
    one.end()
    one.end()
    assert load.running("a") == 1
    two.end()
    assert load.running("a") == 0
    assert not load._running
    assert not load._queues


# ---- an account at its limit ------------------------------------------------------------------
def test_who_has_no_room_is_passed_over():
    world = World("fill-first", max_in_flight=2)
    turns = world.begin("aa")
    assert world.plan() == "bca"
    turns[0].end()
    assert world.plan() == "abc"


def test_also_across_priorities():
    world = World("fill-first", "a b c", max_in_flight=1, priorities={"a": 9})
    world.begin("a")
    assert world.plan() == "bca"


def test_when_none_has_room_the_least_busy_is_first():
    world = World("fill-first", max_in_flight=1)
    world.begin("aabbbc")
    assert world.plan() == "cab"


def test_who_is_asked_instead_has_used_its_turn():
    world = World("round-robin", max_in_flight=1)
    world.begin("a")
    assert world.firsts(4) == "bcbc"


def test_a_conversation_goes_elsewhere_for_one_turn_and_comes_back():
    pool = Pool("fill-first", affinity_ttl=60.0, max_in_flight=1, clock=FakeClock())
    candidates, session = candidates_of("a b"), Session("k")
    pool.report(candidates[0], session=session)
    turn = pool.begin(candidates[0])
    other = pool.plan(candidates, session)[0]
    assert other.account.id == "b"
    pool.report(other, session=session)
    turn.end()
    assert pool.plan(candidates, session)[0].account.id == "a"


def test_what_runs_is_still_counted_by_the_pool_that_comes_after():
    world = World("fill-first", max_in_flight=1)
    (turn,) = world.begin("a")
    after = Pool("fill-first", max_in_flight=1)
    after.inherit(world.pool)
    assert after.running("a") == 1
    turn.end()
    assert after.running("a") == 0


# ---- waiting ----------------------------------------------------------------------------------
def settled(*tasks):
    async def wait():
        for _ in range(5):
            await asyncio.sleep(0)
        return [task.done() for task in tasks]

    return wait()


async def test_without_a_limit_nobody_waits():
    pool = Pool("rr")
    for _ in range(50):
        await pool.enter(candidates_of("a")[0])
    assert pool.running("a") == 50


async def test_those_who_wait_have_their_turn_in_order():
    load = Load()
    first = await load.enter("a", 1, 30.0)
    tasks = [asyncio.ensure_future(load.enter("a", 1, 30.0)) for _ in range(3)]
    assert await settled(*tasks) == [False, False, False]
    assert load.running("a") == 4, "who waits counts"
    first.end()
    assert await settled(*tasks) == [True, False, False]
    tasks[0].result().end()
    tasks[0].result().end()
    assert await settled(*tasks) == [True, True, False]
    tasks[1].result().end()
    (await tasks[2]).end()
    assert load.running("a") == 0
    assert not load._queues


async def test_who_stops_waiting_leaves_the_queue():
    load = Load()
    first = await load.enter("a", 1, 30.0)
    gone, next_one = (asyncio.ensure_future(load.enter("a", 1, 30.0)) for _ in range(2))
    await settled()
    gone.cancel()
    await settled()
    assert load.running("a") == 2
    first.end()
    assert await settled(next_one) == [True]
    (await next_one).end()
    assert load.running("a") == 0


async def test_a_place_given_to_somebody_who_just_left_goes_to_the_next():
    load = Load()
    first = await load.enter("a", 1, 30.0)
    gone, next_one = (asyncio.ensure_future(load.enter("a", 1, 30.0)) for _ in range(2))
    await settled()
    first.end()
    gone.cancel()
    assert await settled(gone, next_one) == [True, True]
    (await next_one).end()
    assert load.running("a") == 0


async def test_who_waits_too_long_is_sent_to_the_next_account():
    pool = Pool("rr", max_in_flight=1, limits=Limits(interval=0.0))
    candidate = candidates_of("a")[0]
    turn = await pool.enter(candidate)
    with pytest.raises(RateLimited, match="1 requests running") as caught:
        await pool.enter(candidate)
    assert caught.value.next_account
    assert pool.report(candidate, caught.value)
    turn.end()
    assert pool.running("a") == 0
    assert not pool._cooldowns


@given(st.lists(st.tuples(st.sampled_from(["enter", "end", "leave"]), st.integers(0, 20))))
def test_never_more_than_may_and_nobody_is_forgotten(steps):
    async def run():
        load, tasks = Load(), []
        for what, which in steps:
            if what == "enter":
                tasks.append(asyncio.ensure_future(load.enter("a", 2, 30.0)))
            elif tasks:
                task = tasks.pop(which % len(tasks))
                if what == "leave" or not task.done():
                    task.cancel()
                if task.done() and not task.cancelled():
                    task.result().end()
            await settled()
            running = sum(t.done() for t in tasks)
            assert running == min(2, len(tasks))
            assert load.running("a") == len(tasks)
        for task in tasks:
            task.result().end() if task.done() else task.cancel()
        await settled()
        for task in tasks[2:]:
            # Whoever was given a place in the same moment.
            if not task.cancelled() and task.done():
                task.result().end()
        assert not load._queues

    asyncio.run(run())


@pytest.mark.parametrize("places", [1, 3])
async def test_one_busy_client_does_not_make_the_others_wait(places):
    """T25: one client at twenty times the load of five others."""
    load = Load()
    served: dict[str, list[int]] = {}
    clock = 0
    running: list[tuple[str, Turn]] = []
    pending: list[asyncio.Task[None]] = []

    async def ask(client: str, came: int) -> None:
        turn = await load.enter("a", places, 60.0, client)
        served.setdefault(client, []).append(clock - came)
        running.append((client, turn))

    for clock in range(60):
        wanted = ["busy"] * 20 if clock < 20 else []
        wanted += [f"light{clock // 2 % 5}"] if clock < 50 and clock % 2 == 0 else []
        pending += [asyncio.ensure_future(ask(client, clock)) for client in wanted]
        for _ in range(10):
            await asyncio.sleep(0)
        for _, turn in running[:places]:
            turn.end()
        del running[:places]
        for _ in range(10):
            await asyncio.sleep(0)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    waits = [sum(times) / len(times) + 1 for client, times in served.items() if client != "busy"]
    jain = sum(waits) ** 2 / (len(waits) * sum(w * w for w in waits))
    assert len(waits) == 5
    assert jain >= 0.95
    assert max(max(t) for c, t in served.items() if c != "busy") <= 3
    assert served["busy"]


async def test_clients_that_wait_take_turns():
    load = Load()
    first = await load.enter("a", 1, 60.0, "x")
    order: list[str] = []

    async def ask(name: str) -> None:
        turn = await load.enter("a", 1, 60.0, name[0])
        order.append(name)
        turn.end()

    tasks = [asyncio.ensure_future(ask(n)) for n in ("x1", "x2", "x3", "y1", "z1", "y2")]
    await asyncio.sleep(0)
    first.end()
    await asyncio.gather(*tasks)
    assert order == ["x1", "y1", "z1", "x2", "y2", "x3"]

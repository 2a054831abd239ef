"""Accounts whose host takes so many requests a minute get no more than that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.clock import FakeClock

from cliproxy.account.model import Account
from cliproxy.base.errors import RateLimited
from cliproxy.ir.caps import Caps
from cliproxy.routing.pool import Pool
from cliproxy.routing.rate import Rates
from cliproxy.routing.resolve import Candidate


def candidate(name: str, provider: str = "qwen") -> Candidate:
    return Candidate(Account(name, provider, name), "m", "m", Caps(model="m"))


async def entered(pool: Pool, one: Candidate) -> float | None:
    """Make a request; return the seconds to wait when it is one too many."""
    try:
        (await pool.enter(one)).end()
    except RateLimited as err:
        return err.retry_after if err.next_account else -1.0
    return None


async def test_the_sixty_first_request_of_a_minute_is_told_when_to_come_back():
    clock = FakeClock()
    pool = Pool("round-robin", clock=clock)
    assert [await entered(pool, candidate("a")) for _ in range(30)] == [None] * 30
    clock.time += 20
    assert [await entered(pool, candidate("a")) for _ in range(30)] == [None] * 30
    assert await entered(pool, candidate("a")) == 40.0
    assert await entered(pool, candidate("b")) is None, "it has requests of its own"
    clock.time += 40
    assert [await entered(pool, candidate("a")) for _ in range(30)] == [None] * 30
    assert await entered(pool, candidate("a")) == 20.0


async def test_a_new_configuration_forgets_none():
    clock = FakeClock()
    pool = Pool("round-robin", clock=clock)
    for _ in range(60):
        await entered(pool, candidate("a"))
    later = Pool("fill-first", clock=clock)
    later.inherit(pool)
    assert await entered(later, candidate("a")) == 60.0


async def test_other_providers_say_themselves_how_much_they_take():
    pool = Pool("round-robin", clock=FakeClock())
    for _ in range(200):
        assert await entered(pool, candidate("a", "kimi")) is None


@given(st.lists(st.floats(0.0, 30.0), max_size=60))
def test_no_minute_holds_more_than_it_may(waits):
    rates, now, made, told = Rates(), 0.0, [], []
    for wait in waits:
        now += wait
        try:
            rates.count("a", 5, now)
        except RateLimited as err:
            told.append(err.retry_after)
        else:
            made.append(now)
    assert all(0 < seconds <= 60 for seconds in told)
    for at in made:
        assert sum(at - 60.0 < other <= at for other in made) <= 5

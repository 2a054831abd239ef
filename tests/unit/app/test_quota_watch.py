"""What providers say is left decides who is asked, and ends rests that are over."""

from __future__ import annotations

import asyncio

import pytest
from tests.clock import FakeClock

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.app.quota_watch import EVERY, QuotaWatch, take
from cliproxy.base.errors import RateLimited, UpstreamRefused
from cliproxy.ir.caps import Caps
from cliproxy.login.flow import Problem, Report, Window
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Candidate

LOGIN = Credential("claude-me.json", {"type": "claude"})
ME = Account(LOGIN.name, "claude", "me", kind="oauth", credential=LOGIN)
OTHER = Account(
    "claude-you.json", "claude", "you", kind="oauth",
    credential=Credential("claude-you.json", {"type": "claude"}),
)  # fmt: skip
NOW = 1_800_001_000.0


def candidate(account=ME, model="claude-opus-4-1"):
    return Candidate(account, model, model, Caps(model=model, provider="claude", family="claude"))


@pytest.fixture
def clock():
    return FakeClock()


def report(used, *, models=(), period=604800.0):
    return Report(
        windows=(Window("week", "Week", used, None, None, NOW + period / 2, period, models),)
    )


def at_limit(pool):
    pool.report(
        candidate(), UpstreamRefused("Limit.", status=429, retry_after=7200.0), source="header"
    )


def test_the_account_with_more_left_for_its_time_is_asked_first(clock):
    pool = Pool("quota-aware", clock=clock)
    take(pool, [ME, OTHER], LOGIN, report(90.0))
    take(pool, [ME, OTHER], OTHER.credential, report(10.0))
    for _ in range(3):
        assert pool.plan([candidate(), candidate(OTHER)])[0].account is OTHER
    take(pool, [ME, OTHER], LOGIN, report(0.0))
    assert pool.plan([candidate(), candidate(OTHER)])[0].account is ME


def test_a_rest_ends_when_there_is_something_left(clock):
    pool = Pool("round-robin", clock=clock)
    at_limit(pool)
    assert pool.rests(ME.id)
    take(pool, [ME], LOGIN, report(99.5))
    with pytest.raises(RateLimited):
        pool.plan([candidate()])
    take(pool, [ME], LOGIN, report(40.0))
    assert [c.account for c in pool.plan([candidate()])] == [ME]


def test_a_report_that_says_nothing_of_use_ends_no_rest(clock):
    pool = Pool("round-robin", clock=clock)
    at_limit(pool)
    take(pool, [ME], LOGIN, Report(windows=(Window("x", "X"),)))
    take(pool, [ME], LOGIN, Report())
    assert pool.rests(ME.id)


def test_windows_of_a_model_are_about_that_model(clock):
    pool = Pool("quota-aware", clock=clock)
    take(pool, [ME], LOGIN, report(95.0, models=("claude-opus-4-1",)))
    assert pool.pace(candidate()) < 1
    assert pool.pace(candidate(model="claude-sonnet-4-5")) == 1.0


class FakeKeeper:
    def __init__(self, answer):
        self.asked = []
        self._answer = answer

    async def quota(self, credential):
        self.asked.append(credential.name)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("strategy", "limited", "wanted"),
    [
        ("round-robin", False, []),
        ("round-robin", True, [LOGIN.name]),
        ("quota-aware", False, [LOGIN.name]),
    ],
)
async def test_only_what_matters_is_asked(clock, strategy, limited, wanted):
    pool, keeper = Pool(strategy, clock=clock), FakeKeeper(report(1.0))
    if limited:
        at_limit(pool)
    watch = QuotaWatch(clock)
    for _ in range(3):
        watch.check(keeper, pool, [ME])
        await settle()
    assert keeper.asked == wanted


@pytest.mark.parametrize(
    ("answer", "again"), [(report(1.0), EVERY), (Problem("network", "No."), 1800.0), (None, 1800.0)]
)
async def test_the_same_account_is_asked_about_seldom(clock, answer, again):
    pool, keeper = Pool("quota-aware", clock=clock), FakeKeeper(answer)
    watch = QuotaWatch(clock)
    for _ in range(2):
        watch.check(keeper, pool, [ME, OTHER])
        await settle()
    assert keeper.asked == [LOGIN.name, OTHER.id]
    clock.time += again - 1
    watch.check(keeper, pool, [ME, OTHER])
    await settle()
    assert len(keeper.asked) == 2
    clock.time += 2
    watch.check(keeper, pool, [ME, OTHER])
    await settle()
    assert len(keeper.asked) == 3

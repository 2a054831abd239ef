"""What the policies promise holds for a whole week, and the page says what was measured."""

import pytest

from tests.simulation.accounts import DAY, HOUR, MINUTE, Upstream, Window, subscription
from tests.simulation.play import jain, play
from tests.simulation.table import PAGE, POLICIES, measured, table, written
from tests.simulation.week import week

slow = pytest.mark.slow


@slow
def test_the_page_shows_what_a_fresh_run_measures():
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, table()) == page, "run python -m tests.simulation"


def test_the_same_week_comes_to_the_same():
    talks = week(conversations=60)
    assert play("rough", "quota-aware", talks) == play("rough", "quota-aware", talks)
    assert week(seed=1, conversations=60) != week(seed=2, conversations=60)


# ---- what it is worth -------------------------------------------------------------------------
@slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scenario", ["roomy", "tight"])
def test_where_limits_are_announced_truthfully_hardly_any_work_is_lost(scenario, policy):
    best, score = measured(scenario)["oracle"], measured(scenario)[policy]
    assert score.work >= 0.98 * best.work


@slow
@pytest.mark.parametrize("policy", [p for p in POLICIES if p != "fill-first"])
def test_also_dead_flapping_and_lying_accounts_cost_little(policy):
    best, score = measured("rough")["oracle"], measured("rough")[policy]
    assert score.work >= 0.98 * best.work


@slow
@pytest.mark.parametrize("policy", POLICIES)
def test_with_room_nobody_is_refused(policy):
    assert measured("roomy")[policy].lost == 0


@slow
@pytest.mark.parametrize(("scenario", "share"), [("roomy", 0.93), ("tight", 0.9), ("rough", 0.9)])
@pytest.mark.parametrize("policy", POLICIES)
def test_conversations_find_their_cache(scenario, share, policy):
    score = measured(scenario)[policy]
    assert score.cache >= share
    assert score.cache > measured(scenario)["round-robin, no affinity"].cache + 0.5


@slow
@pytest.mark.parametrize("policy", [p for p in POLICIES if p != "fill-first"])
@pytest.mark.parametrize("scenario", ["roomy", "tight", "rough"])
def test_accounts_are_used_evenly(scenario, policy):
    assert measured(scenario)[policy].fairness >= 0.95


@slow
def test_filling_the_first_is_uneven_on_purpose():
    assert measured("roomy")["fill-first"].fairness < 0.9


@slow
def test_who_knows_what_is_left_meets_fewer_refusals():
    for scenario in ("roomy", "tight", "rough"):
        assert measured(scenario)["quota-aware"].wasted < measured(scenario)["round-robin"].wasted


# ---- the simulated accounts themselves --------------------------------------------------------
def test_a_window_is_full_and_begins_anew():
    upstream = Upstream("u", [Window("5h", 5 * HOUR, 2.0)])
    assert [upstream.ask(t, 1.0)[0] for t in (0.0, 1.0)] == [None, None]
    error, (quota,) = upstream.ask(HOUR, 1.0)
    assert (error.status, error.retry_after, quota.rejected) == (429, 4 * HOUR, True)
    assert upstream.ask(5 * HOUR, 1.0)[0] is None


@pytest.mark.parametrize(("lie", "at"), [(-HOUR, 4 * HOUR), (600.0, 5 * HOUR + 600)])
def test_a_window_may_begin_anew_at_another_time_than_it_says(lie, at):
    upstream = Upstream("u", [Window("5h", 5 * HOUR, 1.0, lie=lie)])
    assert upstream.ask(1000.0, 1.0)[0] is None
    error, _ = upstream.ask(2000.0, 1.0)
    assert error.retry_after == 5 * HOUR - 2000
    assert not upstream.could(at - 1, 1.0)
    assert upstream.could(at, 1.0)


def test_the_dead_the_flapping_and_the_stumbling_fail_as_such():
    assert subscription("d", dead=True).ask(0, 1)[0].status == 401
    flapping = subscription("f", down=(1500.0, 300.0))
    assert [flapping.ask(t, 0.1)[0] is None for t in (10, 310, 1510)] == [False, True, False]
    stumbling = subscription("s", 100.0, errors=0.2)
    failed = sum(stumbling.ask(n * MINUTE, 0.1)[0] is not None for n in range(1000))
    assert 150 < failed < 250


def test_the_week_has_days_nights_and_a_weekend():
    talks = week()
    hours = [c.starts % DAY / HOUR for c in talks]
    assert sum(10 <= h < 18 for h in hours) > 5 * sum(h < 6 for h in hours)
    days = [int(c.starts // DAY) for c in talks]
    assert days.count(5) + days.count(6) < days.count(0) + days.count(1)
    assert [c.starts for c in talks] == sorted(c.starts for c in talks)


def test_the_measure_of_fairness():
    assert jain([3.0, 3.0, 3.0]) == 1.0
    assert jain([1.0, 0.0, 0.0, 0.0]) == 0.25

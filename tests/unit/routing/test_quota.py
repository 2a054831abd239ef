"""What upstreams say is left of their limits."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clock import FakeClock

from cliproxy.account.model import Account, ModelRule
from cliproxy.base.errors import RateLimited, UpstreamRefused
from cliproxy.config.schema import Config
from cliproxy.routing.pool import Pool
from cliproxy.routing.quota import MOST_WINDOWS, Quota, Quotas, read, read_event
from cliproxy.routing.resolve import Registry

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
U = "anthropic-ratelimit-unified-"


def unified(claim, status=None, used=None, reset=None):
    values = {"status": status, "utilization": used, "reset": reset}
    return {f"{U}{claim}-{k}": str(v) for k, v in values.items() if v is not None}


# ---- reading ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("headers", "quotas"),
    [
        ({}, []),
        ({"content-type": "application/json", "x-request-id": "5"}, []),
        (
            {f"{U}status": "allowed", f"{U}reset": "1800003600"}
            | unified("5h", "allowed", "0.25", 1800003600)
            | unified("7d", "allowed_warning", "0.91", 1800086400),
            [
                Quota("5h", 5 * HOUR, 0.25, NOW + 3600),
                Quota("7d", 7 * DAY, 0.91, NOW + 86400),
            ],
        ),
        (
            unified("5h", "rejected", None, 1800003600),
            [Quota("5h", 5 * HOUR, 1.0, NOW + 3600, rejected=True)],
        ),
        (
            unified("7d_oi", "rejected", 1.02, 1800003600),
            [Quota("7d_oi", 7 * DAY, 1.0, NOW + 3600, "model", rejected=True)],
        ),
        (
            unified("7d_opus", "allowed", 0.5, 1800003600),
            [Quota("7d_opus", 7 * DAY, 0.5, NOW + 3600, "model", "opus")],
        ),
        (unified("overage", "rejected", None, 1800003600), []),
        (unified("5h", "allowed"), []),
        (
            {
                "Anthropic-RateLimit-Requests-Limit": "50",
                "Anthropic-RateLimit-Requests-Remaining": "10",
                "Anthropic-RateLimit-Requests-Reset": "2027-01-15T08:01:00Z",
            },
            [Quota("requests", 60.0, 0.8, NOW + 60, "model")],
        ),
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "60",
                "x-ratelimit-reset-requests": "6m1.5s",
                "x-ratelimit-limit-tokens": "1000",
                "x-ratelimit-remaining-tokens": "250",
                "x-ratelimit-reset-tokens": "120ms",
            },
            [
                Quota("requests", 60.0, 0.0, NOW + 361.5, "model"),
                Quota("tokens", 60.0, 0.75, NOW + 0.12, "model"),
            ],
        ),
        ({"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"}, []),
        (
            {
                "x-codex-primary-used-percent": "40.5",
                "x-codex-primary-window-minutes": "300",
                "x-codex-primary-reset-at": "1800003600",
                "x-codex-secondary-used-percent": "100",
                "x-codex-secondary-window-minutes": "10080",
                "x-codex-secondary-reset-after-seconds": "7200",
            },
            [
                Quota("primary", 5 * HOUR, 0.405, NOW + 3600),
                Quota("secondary", 7 * DAY, 1.0, NOW + 7200, rejected=True),
            ],
        ),
        (
            {"x-codex-primary-used-percent": "1", "x-codex-primary-resets-at": "1800003600000"},
            [Quota("primary", 0.0, 0.01, NOW + 3600)],
        ),
        ({"x-codex-primary-used-percent": "often", "x-codex-credits-balance": "5"}, []),
        (
            {
                "x-codex-primary-used-percent": "5",
                "x-codex-primary-window-minutes": "1e18",
                "x-codex-primary-reset-after-seconds": "5",
            },
            [Quota("primary", 366 * DAY, 0.05, NOW + 5)],
        ),
        (
            {"x-codex-primary-used-percent": "5", "x-codex-primary-reset-at": "soon"},
            [Quota("primary", 0.0, 0.05, 0.0)],
        ),
    ],
)  # fmt: skip
def test_each_vendors_headers_are_read(headers, quotas):
    found = read(headers, NOW)
    assert [(q.name, q.scope, q.family, q.rejected) for q in found] == [
        (q.name, q.scope, q.family, q.rejected) for q in quotas
    ]
    for one, other in zip(found, quotas, strict=True):
        assert (one.window, one.used, one.resets) == pytest.approx(
            (other.window, other.used, other.resets)
        )


names = st.sampled_from(
    [*unified("5h", 1, 1, 1), *unified("7d_oi", 1, 1, 1), *unified("99999d", 1, 1, 1),
     "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
     "x-codex-primary-used-percent", "x-codex-primary-window-minutes", "x-codex-primary-reset-at"]
)  # fmt: skip
values = st.text(max_size=12) | st.sampled_from(
    [
        "rejected",
        "nan",
        "inf",
        "-1",
        "1e400",
        "0",
        "5",
        "1800000000",
        "1e18",
        "1s1",
        "6m",
        "2027-01-15",
    ]
)


@given(st.dictionaries(names, values))
def test_whatever_the_headers_say_it_is_a_share_and_a_time(headers):
    for quota in read(headers, NOW):
        assert 0.0 <= quota.used <= 1.0
        assert 0.0 <= quota.window <= 9999 * DAY
        assert 0.0 <= quota.resets < 1e19


# ---- what it is good for ----------------------------------------------------------------------
class World:
    """Two subscriptions, asked for models of three families."""

    def __init__(self, **more):
        models = "claude-opus-4 claude-opus-5 claude-sonnet-5 other"
        rules = tuple(ModelRule(name) for name in models.split())
        accounts = [Account(name, "claude", name, models=rules) for name in "ab"]
        self.registry = Registry(accounts, Config())
        self.clock = FakeClock()
        self.pool = Pool("fill-first", clock=self.clock, **more)

    def refuse(self, headers, model="claude-opus-4", status=429, retry_after=None):
        candidate = self.registry.resolve(model)[0]
        self.pool.observe(candidate, read(headers, self.clock.now()))
        error = UpstreamRefused("x", status=status, retry_after=retry_after)
        self.pool.report(candidate, error, source="header")

    def left(self, model="claude-opus-4"):
        belief = self.pool._cooldowns.about(self.registry.resolve(model)[0])
        return None if belief is None else belief.until - self.clock.time

    def at(self, seconds):
        return self.clock.now() + seconds


def test_a_rejected_window_of_the_subscription_rests_the_whole_account():
    world = World()
    world.refuse(
        unified("5h", "rejected", 1, world.at(600)) | unified("7d", "allowed", 0.5, world.at(9000))
    )
    assert world.left() == world.left("other") == pytest.approx(600)


def test_of_several_rejected_windows_the_latest_counts():
    world = World()
    world.refuse(
        unified("5h", "rejected", 1, world.at(600)) | unified("7d", "rejected", 1, world.at(9000))
    )
    assert world.left("other") == pytest.approx(9000)


@pytest.mark.parametrize("claim", ["7d_opus", "7d_oi"])
def test_a_rejected_week_of_some_models_rests_only_their_family(claim):
    world = World()
    world.refuse(
        unified(claim, "rejected", 1, world.at(9000)) | unified("5h", "allowed", 0.2, world.at(60)),
        retry_after=9000,
    )
    assert world.left("claude-opus-4") == world.left("claude-opus-5") == pytest.approx(9000)
    assert world.left("claude-sonnet-5") is None
    assert world.left("other") is None


def test_both_kinds_at_once_each_rest_what_is_theirs():
    world = World()
    world.refuse(
        unified("7d_opus", "rejected", 1, world.at(9000))
        | unified("5h", "rejected", 1, world.at(600)),
        retry_after=9000,
    )
    assert world.left("claude-opus-5") == pytest.approx(9000)
    assert world.left("claude-sonnet-5") == pytest.approx(600)


def test_a_limit_that_no_window_explains_is_that_of_the_model():
    world = World()
    world.refuse(unified("5h", "allowed", 0.2, world.at(600)), retry_after=20)
    assert world.left() == 20
    assert world.left("other") is None


@pytest.mark.parametrize("status", [500, 404])
def test_a_rejected_window_explains_no_other_failure(status):
    world = World()
    world.refuse(unified("5h", "rejected", 1, world.at(600)), status=status)
    assert world.left("other") is None


def test_an_answer_is_not_a_refusal_although_a_window_is_used_up():
    world = World()
    candidate = world.registry.resolve("other")[0]
    world.pool.observe(candidate, read(unified("5h", "rejected", 1, world.at(600)), world.at(0)))
    world.pool.report(candidate)
    assert world.pool.plan(world.registry.resolve("other"))[0].account.id == "a"


def test_a_window_that_is_over_explains_nothing_any_more():
    world = World()
    world.refuse(unified("5h", "rejected", 1, world.at(600)))
    world.clock.time += 700
    world.refuse({}, retry_after=20)
    assert world.left() == 20
    assert world.left("other") <= 0


def test_an_answer_of_any_model_ends_the_rest_of_the_family():
    world = World()
    world.refuse(unified("7d_opus", "rejected", 1, world.at(9000)))
    world.pool.report(world.registry.resolve("claude-opus-5")[0])
    assert world.left("claude-opus-4") is None


def test_clearing_forgets_what_was_said_too():
    world = World()
    world.refuse(unified("5h", "rejected", 1, world.at(600)))
    candidate = world.registry.resolve("other")[0]
    assert world.pool.quotas(candidate)
    assert world.pool.clear("a") == 1
    assert not world.pool.quotas(candidate)
    world.refuse({})
    assert world.left() == 1


def test_only_so_many_windows_are_remembered_of_an_account():
    quotas, candidate = Quotas(), World().registry.resolve("other")[0]
    for number in range(200):
        quotas.observe(candidate, [Quota(f"{number}d", DAY, 0.5, NOW)])
    quotas.observe(candidate, [Quota("0d", DAY, 0.75, NOW)])
    assert len(quotas.of(candidate)) == MOST_WINDOWS
    assert quotas.of(candidate)[0].used == 0.75


def test_when_all_are_used_up_the_error_says_until_when():
    world = World()
    for candidate in world.registry.resolve("other"):
        world.pool.observe(
            candidate, read(unified("5h", "rejected", 1, world.at(600)), world.at(0))
        )
        world.pool.report(candidate, UpstreamRefused("x", status=429))
    with pytest.raises(RateLimited, match="2 at its limit") as caught:
        world.pool.plan(world.registry.resolve("other"))
    assert caught.value.retry_after == pytest.approx(600)


WINDOW = {"used_percent": 40.5, "window_minutes": 300, "reset_at": NOW + 60}


@pytest.mark.parametrize(
    ("event", "quotas"),
    [
        (
            {"type": "codex.rate_limits", "plan_type": "plus",
             "rate_limits": {"allowed": True, "primary": WINDOW, "secondary": None},
             "credits": {"has_credits": False, "unlimited": False, "balance": "0"}},
            [Quota("primary", 5 * HOUR, 0.405, NOW + 60)],
        ),
        (
            {"type": "codex.rate_limits",
             "rate_limits": {"secondary": {**WINDOW, "used_percent": 100}}},
            [Quota("secondary", 5 * HOUR, 1.0, NOW + 60, rejected=True)],
        ),
        (
            {"type": "codex.rate_limits", "credits": {"unlimited": True},
             "rate_limits": {"primary": {**WINDOW, "used_percent": 100}}},
            [Quota("primary", 5 * HOUR, 1.0, NOW + 60)],
        ),
        ({"type": "response.created", "rate_limits": {"primary": WINDOW}}, []),
        ({"type": "codex.rate_limits"}, []),
        ({"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": "many"}}}, []),
        ({"type": "codex.rate_limits", "rate_limits": [WINDOW]}, []),
    ],
)  # fmt: skip
def test_what_codex_tells_in_an_event_is_read_like_its_headers(event, quotas):
    assert list(read_event(json.dumps(event).encode(), NOW)) == quotas

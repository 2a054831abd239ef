"""Accounts that would refuse are left alone, for as long as they said and no longer."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clock import FakeClock

from cliproxy.account.model import Account, ModelRule
from cliproxy.base.errors import (
    BadRequest,
    RateLimited,
    TooLarge,
    Unsupported,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from cliproxy.config.load import load_text
from cliproxy.config.schema import Config
from cliproxy.dialects._errors import read_openai_error
from cliproxy.routing.accounts import accounts_from_config, limits_from_config
from cliproxy.routing.cooldown import Cooldowns, Limits, Rule, error_rules, reason_for
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Registry

BOT_CHECK = "a bot-check page"
STATUSES = (401, 402, 403, 404, 408, 425, 429, 500, 502, 503, 504, 529)


def registry(names="a b", models="m n", priorities=None, weights=None):
    rules = tuple(ModelRule(name) for name in models.split())
    accounts = [
        Account(
            id=name,
            provider="openai-compatible-h",
            label=name,
            models=rules,
            priority=(priorities or {}).get(name, 0),
            weight=(weights or {}).get(name, 1),
        )
        for name in names.split()
    ]
    return Registry(accounts, Config())


def refused(status, retry_after=None, code=None, message="No."):
    return UpstreamRefused(message, status=status, retry_after=retry_after, code=code)


class World:
    """A pool with a clock, asked the way requests ask it."""

    def __init__(self, names="a b", strategy="fill-first", priorities=None, **limits):
        self.clock = FakeClock()
        self.registry = registry(names, priorities=priorities, weights=limits.pop("weights", None))
        self.limits = Limits(**limits)
        self.pool = Pool(strategy, limits=self.limits, clock=self.clock, chance=lambda: 0.0)

    def plan(self, model="m"):
        return "".join(c.account.id for c in self.pool.plan(self.registry.resolve(model)))

    def candidate(self, account, model="m"):
        (found,) = self.registry.resolve(model, account=account)
        return found

    def fail(self, account, error, model="m", **more):
        return self.pool.report(self.candidate(account, model), error, **more)

    def succeed(self, account, model="m", **more):
        self.pool.report(self.candidate(account, model), **more)

    def belief(self, account, model="m"):
        return self.pool._cooldowns.about(self.candidate(account, model))

    def left(self, account, model="m"):
        """How long an account is still left alone; None = it is not."""
        belief = self.belief(account, model)
        return None if belief is None else belief.until - self.clock.time


# ---- how long ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "reason", "seconds", "whole"),
    [
        (refused(429, 20), "rate_limit", 20, False),
        (refused(429), "rate_limit", 1, False),
        (refused(429, 0), "rate_limit", 1, False),
        (refused(429, 5000, "usage_limit_reached"), "rate_limit", 5000, True),
        (refused(429, code="insufficient_quota"), "billing", 1800, True),
        (refused(401), "authentication", 1800, True),
        (refused(402), "billing", 1800, True),
        (refused(403), "permission", 1800, False),
        (refused(403, code="billing_not_active"), "billing", 1800, True),
        (refused(404, code="model_not_found"), "not_found", 43200, False),
        (refused(404, message="The model m does not exist"), "not_found", 43200, False),
        (refused(408), "transient", 60, False),
        (refused(500), "transient", 60, False),
        (refused(503, 7), "transient", 7, False),
        (refused(529), "transient", 60, False),
        (refused(401, code="invalid_grant"), "authentication", 1800, True),
        (refused(400, code="invalid_grant"), "authentication", 1800, True),
        (refused(400, message="Your credit balance is too low."), "billing", 1800, True),
        (refused(400, code="model_not_supported"), "not_found", 43200, False),
        (refused(422, message="Unsupported model: x"), "not_found", 43200, False),
        (
            refused(400, message="The model 'g-9.1' is not supported here."),
            "not_found",
            43200,
            False,
        ),
        (refused(400, message="Sorry. Model x-1.5 is not available"), "not_found", 43200, False),
        (refused(403, message=f"It sent {BOT_CHECK}."), "challenge", 10, False),
        (refused(503, message=f"It sent {BOT_CHECK}."), "challenge", 10, False),
        (UpstreamUnreachable("x"), "transient", 60, False),
        (UpstreamTimeout("x"), "transient", 60, False),
        (UpstreamBroken("x"), "transient", 60, False),
    ],
)
def test_each_failure_has_its_reason_its_time_and_its_reach(error, reason, seconds, whole):
    world = World()
    assert world.fail("a", error)
    belief = world.belief("a")
    assert (belief.reason, world.left("a")) == (reason, pytest.approx(seconds))
    assert (world.left("a", "n") is not None) == whole
    assert world.left("b") is None


@pytest.mark.parametrize(
    "error",
    [
        *(refused(status) for status in (400, 405, 409, 413, 415, 422)),
        refused(404, message="Item with id 'rs_1' not found."),
        refused(404, message="Previous response with id 'resp_1' not found."),
        refused(400, message="Images are not supported by this model."),
        refused(400, message="'tools' is not supported with this model."),
        refused(403, code="context_length_exceeded"),
        refused(500, code="string_above_max_length"),
        refused(404, code="content_policy_violation"),
        refused(429, message="Usage credits are required for fast mode."),
        BadRequest("x"),
        TooLarge("x"),
        Unsupported("x"),
    ],
    ids=lambda e: f"{type(e).__name__}-{e.status}-{e.code}-{e.message[:12]}",
)
def test_a_request_at_fault_says_nothing_about_the_account(error):
    world = World()
    world.fail("a", error)
    assert world.left("a") is None
    assert world.plan() == "ab"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_at_fault_is_not_tried_elsewhere(status):
    assert not World().fail("a", UpstreamRefused("x", status=status, next_account=False))


@pytest.mark.parametrize(
    "error",
    [
        refused(500, code="context_length_exceeded"),
        refused(403, code="content_policy_violation"),
        refused(429, message="Fast request rejected."),
    ],
    ids=lambda e: str(e.status),
)
def test_nor_when_its_status_blames_the_account(error):
    assert not World().fail("a", error)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRefused("x", status=400, code="model_not_supported", next_account=False),
        UpstreamRefused("x", status=400, code="invalid_grant", next_account=False),
        UpstreamRefused("Your credit balance is too low", status=400, next_account=False),
    ],
    ids=lambda e: e.code,
)
def test_an_account_at_fault_is_not_the_last_one_although_its_status_blames_the_request(error):
    assert World().fail("a", error)


def test_what_an_account_does_not_serve_is_remembered_also_where_cooling_is_disabled():
    world = World(rules={"a": Rule(cooling=False)})
    world.fail("a", refused(400, code="model_not_supported"))
    assert world.plan() == "ba"


def test_bot_checks_double_from_ten_seconds_and_only_come_last():
    world, seen = World(), []
    for _ in range(8):
        world.fail("a", refused(403, message=BOT_CHECK))
        seen.append(world.left("a"))
        assert world.plan() == "ba"
        world.clock.time += seen[-1]
    assert seen == [10, 10, 10, 10, 16, 32, 64, 128]


def test_limits_without_a_hint_double_up_to_half_an_hour_and_begin_anew_after_success():
    world, seen = World(), []
    for _ in range(13):
        world.fail("a", refused(429))
        seen.append(world.left("a"))
        world.clock.time += seen[-1]
    assert seen == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800]
    world.succeed("a")
    world.fail("a", refused(429))
    assert world.left("a") == 1


def test_failures_of_one_moment_count_once():
    world = World()
    for _ in range(5):
        world.fail("a", refused(429))
        world.clock.time += 0.1
    assert world.belief("a").failures == 1
    assert world.left("a") == pytest.approx(0.5)


def test_a_longer_wait_is_not_shortened_and_a_stronger_one_is_not_softened():
    world = World()
    world.fail("a", refused(429, 100))
    world.fail("a", refused(429, 20))
    world.fail("a", refused(500))
    assert (world.belief("a").reason, world.left("a")) == ("rate_limit", 100)
    world.fail("b", refused(500))
    world.fail("b", refused(429, 20))
    assert (world.belief("b").reason, world.left("b")) == ("rate_limit", 20)


def test_nothing_lasts_longer_than_max_cooldown():
    world = World(most=90.0)
    world.fail("a", refused(429, 86400))
    world.fail("b", refused(401))
    assert (world.left("a"), world.left("b")) == (90, 90)


@pytest.mark.parametrize(
    ("error", "told", "source"),
    [
        (refused(429, 5), "header", "header"),
        (refused(429, 5), "body", "body"),
        (refused(429), "header", "guess"),
        (refused(401), "body", "guess"),
    ],
)
def test_a_belief_knows_who_said_so(error, told, source):
    world = World()
    world.fail("a", error, source=told)
    assert world.belief("a").source == source


def test_an_answer_to_an_older_request_does_not_disprove_a_newer_refusal():
    world = World()
    began = world.clock.time
    world.clock.time += 1
    world.fail("a", refused(429, 60))
    world.succeed("a", began=began)
    assert world.plan() == "b"
    world.succeed("a", began=world.clock.time)
    assert world.plan() == "ab"


# ---- who is asked -----------------------------------------------------------------------------
def test_an_account_at_its_limit_is_left_out_until_its_time_for_that_model_only():
    world = World()
    world.fail("a", refused(429, 20))
    assert (world.plan(), world.plan("n")) == ("b", "ab")
    world.clock.time += 19.9
    assert world.plan() == "b"
    world.clock.time += 0.2
    assert world.plan() == "ab"


@pytest.mark.parametrize("status", [401, 402])
def test_a_refused_key_or_an_unpaid_bill_is_the_whole_accounts(status):
    world = World()
    world.fail("a", refused(status))
    assert (world.plan(), world.plan("n")) == ("b", "b")


def test_when_its_time_is_over_one_request_tries_and_the_others_wait_for_its_outcome():
    world = World()
    world.fail("a", refused(429, 20))
    world.clock.time += 21
    assert [world.plan() for _ in range(3)] == ["ab", "ba", "ba"]
    world.fail("a", refused(429, 20))
    assert world.plan() == "b"
    world.clock.time += 21
    assert world.plan() == "ab"
    world.succeed("a")
    assert [world.plan() for _ in range(2)] == ["ab", "ab"]


def test_a_try_that_was_given_up_lets_the_next_one_try():
    world = World()
    world.fail("a", refused(429, 20))
    world.clock.time += 21
    assert (world.plan(), world.plan()) == ("ab", "ba")
    world.pool.release(world.candidate("a"))
    assert world.plan() == "ab"
    world.clock.time += 61
    assert world.plan() == "ab", "nobody reported, and it is long ago"


def test_a_higher_priority_comes_back_after_its_time():
    world = World(priorities={"b": 10})
    world.fail("b", refused(429, 20))
    assert world.plan() == "a"
    world.clock.time += 21
    assert world.plan() == "ba"


@pytest.mark.parametrize("strategy", ["round-robin", "weighted-round-robin", "fill-first"])
def test_the_others_share_the_work_meanwhile(strategy):
    world = World("a b c", strategy)
    world.fail("b", refused(429, 20))
    firsts = [world.plan()[0] for _ in range(6)]
    assert "b" not in firsts
    assert sorted(set(firsts)) == (["a"] if strategy == "fill-first" else ["a", "c"])


@pytest.mark.parametrize("error", [refused(500), refused(403), refused(404), UpstreamBroken("x")])
def test_who_stumbled_is_only_put_behind_all_others(error):
    world = World("a b c")
    world.fail("a", error)
    assert world.plan() == "bca"
    world.fail("b", refused(429, 20))
    assert world.plan() == "ca"
    world.fail("c", refused(429, 20))
    assert world.plan() == "a", "the last one is asked again rather than nobody"


def test_weight_0_is_never_asked_although_it_only_stumbled():
    world = World("a b", "weighted-round-robin", weights={"a": 0})
    world.fail("a", refused(500))
    assert world.plan() == "b"


def test_when_all_are_cooling_the_error_says_how_many_and_until_when():
    world = World("a b c")
    world.fail("a", refused(429, 50))
    world.fail("b", refused(401))
    world.fail("c", refused(429, 20))
    world.clock.time += 5
    with pytest.raises(RateLimited) as caught:
        world.plan()
    error = caught.value
    assert (error.status, error.kind, error.retry_after) == (429, "rate_limit", 15)
    assert "All 3 accounts" in error.message
    assert "2 at its limit" in error.message
    assert "1 with a key that was refused" in error.message
    assert re.search(r"2027-01-15 08:17:00 UTC, 15 s from now", error.message)


def test_a_single_account_is_named_in_the_singular():
    world = World("a")
    world.fail("a", refused(429, 20))
    with pytest.raises(RateLimited, match="The only account for 'm' is cooling down"):
        world.plan()


def test_max_retry_credentials_bounds_how_many_accounts_one_round_asks():
    world = World("a b c", credentials=2)
    assert world.plan() == "ab"
    world.fail("a", refused(429, 20))
    assert world.plan() == "bc"


# ---- when to come back, as it is written ------------------------------------------------------
SOON = "Thu, 01 Jan 2026 00:00:30 GMT"
DATE = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
BEGINNING = 1_767_225_600


@pytest.mark.parametrize(
    ("headers", "error", "seconds"),
    [
        ({"Retry-After": "30"}, {}, 30),
        ({"Retry-After": SOON}, {}, 30),
        ({}, {"type": "usage_limit_reached", "resets_at": BEGINNING + 30}, 30),
        ({}, {"type": "usage_limit_reached", "resets_in_seconds": 30}, 30),
        ({}, {}, 1),
        ({"Retry-After": "0"}, {}, 1),
        ({"Retry-After": "-5"}, {}, 1),
        ({"Retry-After": "soon"}, {}, 1),
        ({"Retry-After": str(10 * 365 * 86400)}, {}, 3600),
        ({"Retry-After": "Fri, 01 Jan 2036 00:00:00 GMT"}, {}, 3600),
        ({"Retry-After": "9" * 400}, {}, 1),
        ({}, {"resets_at": BEGINNING + 10 * 365 * 86400}, 3600),
        ({}, {"resets_in_seconds": 1e300}, 3600),
        ({"Retry-After": "Mon, 01 Jan 1990 00:00:00 GMT"}, {}, 1),
    ],
    ids=lambda v: str(v)[:40],
)
def test_however_the_wait_is_written_it_is_kept_and_bounded(headers, error, seconds):
    world = World(most=3600.0)
    body = json.dumps({"error": {"message": "No.", **error}}).encode()
    world.fail("a", read_openai_error(429, {**DATE, **headers}, body, "openai-chat"))
    assert world.left("a") == pytest.approx(seconds)
    assert world.plan() == "b"
    world.clock.time += seconds + 1
    assert world.plan() == "ab"


# ---- waits that end before their time ---------------------------------------------------------
def play(world, resets, seconds, every=1.0, names="ab"):
    """Ask every second; a is at its limit until it `resets`. Returns who answered, who refused."""
    answered, refusals, began = [], [], world.clock.time
    while world.clock.time < began + seconds:
        now = world.clock.time - began
        try:
            plan = world.plan()
        except RateLimited:
            plan = ""
            answered.append((now, ""))
        for name in plan:
            if name == "a" and now < resets:
                refusals.append(now)
                world.fail("a", refused(429, 18_000 - now))
                continue
            world.succeed(name, began=world.clock.time)
            answered.append((now, name))
            break
        world.clock.time += every
    return answered, refusals


@pytest.mark.parametrize("resets", [30, 61, 90, 119])
def test_a_limit_that_is_reset_early_is_noticed_within_a_minute_by_one_try_at_most(resets):
    world = World()
    answered, refusals = play(world, resets, 400)
    back = next(now for now, name in answered if name == "a")
    assert back - resets <= 60
    assert len(refusals) <= 2, "the first refusal, and one try"
    assert len(answered) == 400, "no client felt it"
    assert all(name == "a" for now, name in answered if now >= back)


@pytest.mark.parametrize("resets", [600, 3600, 14_000])
def test_a_later_reset_is_noticed_within_a_quarter_of_the_time_that_has_passed(resets):
    answered, refusals = play(World(), resets, 18_500)
    back = next(now for now, name in answered if name == "a")
    assert back - resets <= max(60, 0.25 * back)
    assert len(refusals) <= 25
    assert len(answered) == 18_500


@pytest.mark.parametrize("resets", [30, 600, 3600])
def test_where_nobody_else_can_answer_it_is_noticed_within_a_minute_whenever_it_is(resets):
    world = World("a")
    answered, _ = play(world, resets, resets + 100)
    back = next(now for now, name in answered if name == "a")
    assert back - resets <= 60


def test_at_most_one_try_a_minute_is_made_of_all():
    world = World("a b c d")
    for name in "abc":
        world.fail(name, refused(429, 18_000))
    tried = []
    for _ in range(600):
        world.clock.time += 1
        first = world.plan()[0]
        if first != "d":
            tried.append(first)
            world.fail(first, refused(429, 18_000))
    assert len(tried) <= 10
    assert set(tried) == set("abc")


def test_when_one_is_back_the_others_are_tried_at_once():
    world = World("a b c d")
    for name in "abc":
        world.fail(name, refused(429, 18_000))
    world.clock.time += 61
    assert world.plan() == "ad"
    assert world.plan() == "d"
    world.succeed("a")
    assert world.plan() == "bad"


@pytest.mark.parametrize("error", [refused(401), refused(402), refused(429, 50)])
def test_keys_bills_and_short_waits_are_not_tried_before_their_time(error):
    world = World()
    world.fail("a", error)
    world.clock.time += min(world.left("a"), 1000) - 1
    assert world.plan() == "b"


def test_who_tried_early_knows_better_how_long_it_still_takes():
    world = World()
    world.fail("a", refused(429, 18_000))
    world.clock.time += 61
    assert world.plan() == "ab"
    world.fail("a", refused(429, 100))
    assert world.left("a") == 100


def test_trying_early_can_be_switched_off():
    world = World(early=0.0)
    world.fail("a", refused(429, 18_000))
    world.clock.time += 17_000
    assert world.plan() == "b"


def test_a_try_never_uses_up_the_accounts_that_a_round_may_ask():
    world = World("a b c", credentials=1)
    world.fail("a", refused(429, 20))
    world.fail("b", refused(429, 18_000))
    world.clock.time += 21
    assert world.plan() == "ac"
    world.clock.time += 41
    assert world.plan()[0] in "ab"
    assert len(world.plan()) >= 1


# ---- the log ----------------------------------------------------------------------------------
def test_the_log_says_once_who_begins_to_rest_why_and_until_when(caplog):
    caplog.set_level("INFO", "cliproxy.routing")
    world = World("a b")
    for _ in range(3):
        world.fail("a", refused(429, 600, message="sk-secret"), source="header")
        world.fail("b", refused(500))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        (
            "WARNING",
            "a (a) rests for m until 2027-01-15 08:26:40 UTC: rate_limit (its header said so)",
        ),
        ("INFO", "b (b) comes last for m until 2027-01-15 08:17:40 UTC: transient (guessed)"),
    ]


def test_the_log_names_the_reach(caplog):
    world = World()
    world.fail("a", refused(401))
    assert "rests for all models" in caplog.text


# ---- further rounds ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("retries", "turn", "interval", "error", "pause"),
    [
        (0, 0, 30.0, refused(429, 5), None),
        (1, 0, 30.0, refused(429, 5), 5),
        (1, 1, 30.0, refused(429, 5), None),
        (3, 2, 30.0, refused(429, 5), 5),
        (1, 0, 30.0, refused(429, 31), None),
        (1, 0, 0.0, refused(429, 5), None),
        (3, 0, 30.0, refused(500), 0.5),
        (3, 1, 30.0, refused(500), 1),
        (9, 7, 30.0, refused(500), 30),
        (3, 0, 0.0, refused(500), 0),
        (3, 0, 30.0, refused(401), None),
        (3, 0, 30.0, refused(404), None),
        (3, 0, 30.0, UpstreamRefused("x", status=400, next_account=False), None),
        (3, 0, 30.0, UpstreamRefused("x", status=503, next_account=False), None),
    ],
)
def test_another_round_comes_only_when_it_may_help_soon(retries, turn, interval, error, pause):
    world = World("a", interval=interval, rule=Rule(retries=retries))
    world.fail("a", error)
    assert world.pool.pause(world.registry.resolve("m"), turn, error) == pause


def test_the_pause_is_spread_by_at_most_a_quarter_and_stays_within_the_interval():
    for seconds, spread in ((4, 1), (20, 2), (29.5, 0.5)):
        clock = FakeClock()
        limits = Limits(interval=30.0, rule=Rule(retries=1))
        pool = Pool("rr", limits=limits, clock=clock, chance=lambda: 1.0)
        candidates = registry("a").resolve("m")
        pool.report(candidates[0], refused(429, seconds))
        assert pool.pause(candidates, 0, refused(429)) == pytest.approx(seconds + spread)


def test_only_accounts_that_still_may_be_asked_are_waited_for():
    world = World("a b", rules={"b": Rule(retries=1)})
    world.fail("a", refused(429, 2))
    world.fail("b", refused(429, 9))
    assert world.pool.pause(world.registry.resolve("m"), 0, refused(429)) == 9


# ---- settings ---------------------------------------------------------------------------------
def settings(text):
    config = load_text(text, path=Path("c.yaml")).config
    return accounts_from_config(config), limits_from_config(config)


def test_settings_come_from_the_configuration_and_entries_overrule_it():
    accounts, limits = settings("""
request-retry: 2
max-retry-interval: 12s
max-retry-credentials: 3
max-cooldown: 1h
transient-error-cooldown-seconds: 5
claude-api-key:
  - {api-key: a}
  - {api-key: b, disable-cooling: true}
  - {api-key: c, request-retry: 0}
openai-compatibility:
  - name: h
    base-url: http://h
    request-retry: 7
    api-key-entries: [{api-key: d}, {api-key: e}]
    models: [m]
""")
    assert (limits.most, limits.transient, limits.interval, limits.credentials) == (3600, 5, 12, 3)
    rules = [limits.of(account.id) for account in accounts]
    assert [(r.cooling, r.retries) for r in rules] == [
        (True, 2), (False, 2), (True, 0), (True, 7), (True, 7),
    ]  # fmt: skip


@pytest.mark.parametrize(("written", "seconds"), [(0, 60), (7, 7), (-1, None)])
def test_pauses_after_stumbles_can_be_set_and_switched_off(written, seconds):
    _, limits = settings(f"transient-error-cooldown-seconds: {written}")
    world = World(transient=limits.transient)
    world.fail("a", refused(500))
    assert world.left("a") == seconds


def test_an_account_whose_cooling_is_disabled_is_asked_every_time():
    world = World(rules={"a": Rule(cooling=False)})
    for status in STATUSES:
        world.fail("a", refused(status, 60))
        assert world.plan() == "ab"


@pytest.mark.parametrize(
    ("action", "on", "cools"),
    [
        ("stop", False, False),
        ("stop-and-cooldown", False, True),
        ("continue", True, False),
        ("continue-and-cooldown", True, True),
    ],
)
@pytest.mark.parametrize("status", [400, 429])
def test_the_owners_rules_about_errors_overrule_ours(action, on, cools, status):
    rules = error_rules(
        [{"status": status, "match": ["moon"], "match-regexr": "^sun", "action": action}]
    )
    for message in ("The moon is up", "sun"):
        world = World(rules={"a": Rule(cooling=False, errors=rules)})
        assert world.fail("a", refused(status, message=message)) == on
        assert world.left("a") == (60 if cools else None)
    other = World(rules={"a": Rule(errors=rules)})
    other.fail("a", refused(429, 5, message="stars"))
    assert other.left("a") == 5


def test_what_is_no_rule_is_left_out_and_a_broken_pattern_is_taken_as_text():
    rules = error_rules(["x", None, {"status": "y"}, {"status": 500, "match-regexr": ["a(b"]}])
    assert len(rules) == 1
    assert rules[0].covers(refused(500, message="see a(b here"))
    assert not rules[0].covers(refused(500, message="ab"))


# ---- whatever happens -------------------------------------------------------------------------
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([200, 400, *STATUSES]),
            st.none() | st.floats(0, 1e6),
            st.floats(0, 4000),
        ),
        max_size=30,
    )
)
def test_whatever_happens_a_plan_is_an_order_of_accounts_or_a_truthful_refusal(steps):
    world = World("a b c", "round-robin", most=5000.0, early=0.0)
    for account, status, hint, passing in steps:
        if status == 200:
            world.succeed(account)
        else:
            world.fail(account, refused(status, hint))
        lefts = [world.left(name) for name in "abc"]
        assert all(left is None or left <= 5000.001 for left in lefts)
        hard = {
            name
            for name in "abc"
            if (b := world.belief(name)) and b.hard and b.until > world.clock.time
        }
        if hard == set("abc"):
            with pytest.raises(RateLimited) as caught:
                world.plan()
            assert caught.value.retry_after == min(lefts) > 0
        else:
            assert sorted(world.plan()) == sorted(set("abc") - hard)
        world.clock.time += passing


def test_nothing_is_remembered_of_accounts_that_answer():
    world = World()
    for account in "ab":
        world.fail(account, refused(500))
        world.succeed(account)
    assert not world.pool._cooldowns
    assert isinstance(world.pool._cooldowns, Cooldowns)


def test_an_error_of_ours_has_no_reason():
    assert reason_for(RateLimited("x")) is None

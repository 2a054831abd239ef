"""When to come back, in all the spellings upstreams have for it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy import dialects
from cliproxy.dialects._retry_after import retry_after

ALL = ("openai-chat", "openai-completions", "openai-responses", "anthropic", "gemini")
NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
DATE = "Tue, 01 Jan 2030 12:00:00 GMT"
UNIX = int(NOW.timestamp())
UNIFIED = "anthropic-ratelimit-unified"

HEADERS = [
    ({"retry-after": "20"}, 20),
    ({"retry-after": " 20 "}, 20),
    ({"retry-after": "1.5"}, 1.5),
    ({"Retry-After": "20"}, 20),
    ({"retry-after": "-5"}, 0),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ({"retry-after": "Tue, 01 Jan 2030 12:00:30 GMT"}, 30),
    ({"retry-after": "Tuesday, 01-Jan-30 12:00:30 GMT"}, 30),
    ({"retry-after": "2030-01-01T12:00:30Z"}, 30),
    ({"retry-after": "Tue, 01 Jan 2030 11:00:00 GMT"}, 0),
    ({"retry-after": str(UNIX + 30)}, 30),
    ({"retry-after": str((UNIX + 30) * 1000)}, 30),
    ({"retry-after": "60s"}, 60),
    ({"retry-after": "1m30s"}, 90),
    ({f"{UNIFIED}-reset": str(UNIX + 600)}, 600),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "inf"}, None),
    ({f"{UNIFIED}-status": "rejected", f"{UNIFIED}-reset": str(UNIX + 600)}, 600),
    ({f"{UNIFIED}-5h-status": "rejected", f"{UNIFIED}-5h-reset": str(UNIX + 700)}, 700),
    (
        {
            f"{UNIFIED}-5h-status": "rejected",
            f"{UNIFIED}-5h-reset": str(UNIX + 700),
            f"{UNIFIED}-7d-status": "rejected",
            f"{UNIFIED}-7d-reset": str(UNIX + 90000),
            "retry-after": "700",
        },
        90000,
    ),
    (
        {
            f"{UNIFIED}-5h-status": "rejected",
            f"{UNIFIED}-5h-reset": str(UNIX + 700),
            f"{UNIFIED}-7d-status": "allowed_warning",
            f"{UNIFIED}-7d-reset": str(UNIX + 90000),
            f"{UNIFIED}-overage-status": "rejected",
            f"{UNIFIED}-overage-reset": str(UNIX + 80000),
        },
        700,
    ),
    ({f"{UNIFIED}-status": "allowed", f"{UNIFIED}-reset": str(UNIX + 600)}, None),
    (
        {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2030-01-01T12:00:45Z",
            "anthropic-ratelimit-tokens-remaining": "100",
            "anthropic-ratelimit-tokens-reset": "2030-01-01T13:00:00Z",
        },
        45,
    ),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
    ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(UNIX * 1000 + 5000)}, 5),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "17"}, 17),
    (
        {
            "retry-after": "3",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "9s",
        },
        3,
    ),
    ({}, None),
]


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(("headers", "seconds"), HEADERS)
def test_headers_say_when_to_come_back(dialect, headers, seconds):
    told = dialects.get(dialect).read_error(429, {"date": DATE, **headers}, b"{}").retry_after
    assert told == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("status", [400, 500])
def test_what_is_left_of_a_limit_matters_only_when_it_was_hit(status):
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}
    assert dialects.get("openai-chat").read_error(status, headers, b"{}").retry_after is None


BODIES = [
    ({"type": "usage_limit_reached", "resets_in_seconds": 4242}, 4242),
    ({"type": "usage_limit_reached", "resets_at": UNIX + 99, "resets_in_seconds": 4242}, 99),
    ({"type": "usage_limit_reached", "resets_at": None, "resets_in_seconds": 7}, 7),
    ({"type": "usage_limit_reached", "resets_at": UNIX - 9, "resets_in_seconds": 7}, 7),
    ({"retry_after": 3}, 3),
    ({"retry_after_seconds": "3"}, 3),
    ({"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "12.3s"}]}, 12.3),
    ({"details": [{"reason": "R", "metadata": {"quotaResetDelay": "1h2m3s"}}]}, 3723),
    ({"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "soon"}]}, None),
    ({"details": "none", "resets_at": True}, None),
    ({"metadata": {"headers": {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0",
                               "X-RateLimit-Reset": str((UNIX + 42) * 1000)}}}, 42),
    ({"metadata": {"headers": {"X-RateLimit-Reset": (UNIX + 42) * 1000}}}, 42),
    ({"metadata": {"headers": {"X-RateLimit-Remaining": "3",
                               "X-RateLimit-Reset": str((UNIX + 42) * 1000)}}}, None),
    ({"metadata": {"headers": {"Retry-After": "8"}}}, 8),
    ({"metadata": {"headers": {"X-RateLimit-Reset": None}}}, None),
    ({"metadata": {"headers": "none"}}, None),
]  # fmt: skip


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(("error", "seconds"), BODIES)
def test_bodies_say_when_to_come_back(dialect, error, seconds):
    body = json.dumps({"error": {"message": "Too much.", **error}}).encode()
    assert dialects.get(dialect).read_error(429, {"date": DATE}, body).retry_after == seconds


WORDS = [
    ("Please try again in 20s.", 20),
    ("Rate limit reached. Please try again in 6m0.5s. Visit", 360.5),
    ("Please try again in 120ms.", 0.12),
    ("Try again in 1h30m", 5400),
    ("You hit your limit. Try again in 4 days 3 hours 12 minutes.", 4 * 86400 + 3 * 3600 + 720),
    ("Please try again in 2 minutes and 5 seconds", 125),
    ("Please retry after 26 seconds.", 26),
    ("Please retry in 12.5s.", 12.5),
    ("Wait for 5 minutes", 300),
    ("Your quota will reset after 2h0m0s.", 7200),
    ("Please try again in a while.", None),
    ("Please try again in 5 moons.", None),
    ("Please try again in 5", None),
    ("It waited for the moon", None),
]


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(("message", "seconds"), WORDS)
def test_words_say_when_to_come_back(dialect, message, seconds):
    body = json.dumps({"error": {"message": message}}).encode()
    assert dialects.get(dialect).read_error(429, {}, body).retry_after == seconds


def test_a_header_is_worth_more_than_the_body():
    error = {"retry_after": 5, "message": "try again in 7s"}
    assert retry_after({"retry-after": "3"}, error, "try again in 7s") == 3
    assert retry_after({}, error, "try again in 7s") == 5


def test_without_a_date_of_its_own_an_answer_is_measured_by_our_clock():
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert 3500 < retry_after({"retry-after": later}, {}) <= 3600


@given(
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "retry-after-ms", "date", f"{UNIFIED}-status", f"{UNIFIED}-reset"]
        ),
        st.text(max_size=40) | st.sampled_from([DATE, "rejected", "1e400", "9" * 40]),
    ),
    st.dictionaries(
        st.sampled_from(["resets_at", "retry_after", "details", "resets_in_seconds", "metadata"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.fixed_dictionaries(
            {
                "headers": st.dictionaries(
                    st.sampled_from(["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Remaining"]),
                    st.none() | st.integers() | st.floats() | st.text(max_size=20),
                    max_size=3,
                )
            }
        ),
    ),
    st.text(max_size=60),
)
def test_nonsense_never_raises_and_never_says_less_than_nothing(headers, error, message):
    told = retry_after(headers, error, message, status=429)
    assert told is None or told >= 0

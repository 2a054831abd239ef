"""Which logins are renewed ahead of need: by their provider, by their file, never in a circle."""

from __future__ import annotations

import pytest

from cliproxy.account.credential import Credential, written
from cliproxy.keeper.renewal import due

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0


def credential(kind: str, left: float | None, *, age: float | None = 20 * DAY, **more: object):
    fields = {"type": kind, "access_token": "a", "refresh_token": "r", **more}
    if left is not None:
        fields["expired"] = written(NOW + left)
    if age is not None:
        fields["last_refresh"] = written(NOW - age)
    return Credential("a.json", fields)


@pytest.mark.parametrize(
    ("kind", "lead"),
    [
        ("claude", 4 * HOUR),
        ("codex", 5 * DAY),
        ("qwen", 3 * HOUR),
        ("iflow", DAY),
        ("antigravity", 300.0),
        ("kimi", 300.0),
        ("xai", 300.0),
    ],
)
def test_each_provider_is_asked_so_long_before_a_token_ends(kind, lead):
    assert not due(credential(kind, lead + 5), NOW)
    assert due(credential(kind, lead - 5), NOW)


def test_gemini_clis_token_is_renewed_when_it_is_needed():
    assert not due(credential("gemini", 5.0), NOW)


def test_a_key_that_a_cookie_brought_is_replaced_two_days_before_its_end():
    cookie = {"cookie": "BXAuth=x;", "email": "n", "refresh_token": ""}
    assert not due(credential("iflow", 2 * DAY + 5, **cookie), NOW)
    assert due(credential("iflow", 2 * DAY - 5, **cookie), NOW)


@pytest.mark.parametrize(("age", "is_due"), [(None, True), (4 * HOUR, True), (3 * HOUR, False)])
def test_without_an_end_the_last_refresh_decides(age, is_due):
    assert due(credential("claude", None, age=age), NOW) is is_due


def test_a_token_that_lasts_less_than_that_is_not_renewed_as_soon_as_it_is_there():
    # A day of life, where five days ahead is usual.
    assert not due(credential("codex", DAY, age=0.0), NOW)
    assert not due(credential("codex", DAY / 2 + 5, age=DAY / 2 - 5), NOW)
    assert due(credential("codex", DAY / 2 - 5, age=DAY / 2 + 5), NOW)


@pytest.mark.parametrize(
    "field",
    ["refresh_interval_seconds", "refresh_interval", "refreshIntervalSeconds", "refreshInterval"],
)
@pytest.mark.parametrize("value", [3600, 3600.0, "3600"])
def test_a_file_may_say_how_often_it_is_refreshed(field, value):
    assert due(credential("claude", 30 * DAY, age=HOUR + 5, **{field: value}), NOW)
    assert not due(credential("claude", 3 * HOUR, age=HOUR - 5, **{field: value}), NOW)
    assert due(credential("kimi", HOUR - 5, age=None, **{field: value}), NOW)
    assert not due(credential("claude", HOUR + 5, age=None, **{field: value}), NOW)
    assert due(credential("gemini", 5.0, **{field: value}), NOW)


@pytest.mark.parametrize("value", ["", "soon", 0, -5, True, None, [], "9" * 400, 10**400])
def test_what_is_no_interval_changes_nothing(value):
    assert not due(credential("claude", 5 * HOUR, refresh_interval=value), NOW)
    assert due(credential("claude", 3 * HOUR, refresh_interval=value), NOW)

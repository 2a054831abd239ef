"""How long is waited for whom."""

from __future__ import annotations

import pytest

from cliproxy.account.model import Account
from cliproxy.base.http import Timeouts
from cliproxy.ir.caps import Caps
from cliproxy.pipeline.patience import Patience
from cliproxy.routing.resolve import Candidate

GENERAL = Timeouts(connect=1, first=2, idle=3, total=4)


def candidate(provider, model, names=()):
    account = Account(id=f"{provider}:1", provider=provider, label="x", names=names)
    return Candidate(account, model, f"alias-of-{model}", Caps())


@pytest.mark.parametrize(
    ("special", "first"),
    [
        ({}, 2),
        ({"claude": {"first": 9}}, 9),
        ({"codex": {"first": 9}}, 2),
        ({"claude/opus*": {"first": 9}}, 9),
        ({"claude/haiku*": {"first": 9}}, 2),
        ({"*/OPUS-5": {"first": 9}}, 9),
        ({"*/alias-of-opus*": {"first": 9}}, 9),
        ({"mine": {"first": 9}}, 9),
        # Of several that fit the later one counts, for what it says.
        ({"claude": {"first": 9}, "*/opus-5": {"first": 7}}, 7),
        ({"claude": {"first": 9}, "*/opus-5": {"idle": 7}}, 9),
    ],
)
def test_what_fits_counts(special, first):
    asked = candidate("claude", "opus-5", ("mine",))
    found = Patience(GENERAL, special).of(asked)
    assert found.first == first
    assert found.connect == 1


def test_the_configuration_says_it(start_sim, start_proxy):
    from tests.server.raw import post, request
    from tests.sim import Answer

    slow = start_sim()
    slow.script(Answer("late", hang="headers"), Answer("late", hang="headers"))
    proxy = start_proxy(f"""
claude-api-key: [{{api-key: k, base-url: "{slow.url}", models: [{{name: m}}]}}]
timeouts: {{first-event: 300, special: {{claude/m: {{first-event: 0.05}}}}}}
""")
    answer = post(proxy, *request("anthropic", "m"))
    assert answer.status_code == 504

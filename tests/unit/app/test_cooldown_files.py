"""Announced waits outlive a restart; guesses and what has run out do not."""

from __future__ import annotations

import json

import pytest
from tests.clock import FakeClock

from cliproxy.account.model import Account
from cliproxy.app.cooldown_files import CooldownFiles
from cliproxy.base.errors import RateLimited, UpstreamRefused
from cliproxy.ir.caps import Caps
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Candidate

ONE = Account("team/claude-me@x.json", "claude", "me")


@pytest.fixture
def clock():
    return FakeClock()


def candidate(account=ONE, model="claude-opus-4-1"):
    return Candidate(account, model, model, Caps(model=model, provider="claude", family="claude"))


def limited(seconds):
    return UpstreamRefused("At its limit.", status=429, retry_after=seconds)


def test_a_wait_outlives_a_restart(tmp_path, clock):
    pool = Pool("round-robin", clock=clock)
    pool.report(candidate(), limited(7200.0), source="header")
    CooldownFiles(tmp_path, clock).save(pool, [ONE])
    file = tmp_path / "team" / "claude-me_x.cds"
    assert file.stat().st_mode & 0o777 == 0o600
    told = json.loads(file.read_text())
    assert (told["version"], told["auth_id"], told["provider"]) == (1, ONE.id, "claude")
    (record,) = told["records"]
    assert (record["status"], record["model"]) == ("cooling", "claude-opus-4-1")
    clock.time += 3600
    after = Pool("round-robin", clock=clock)
    assert CooldownFiles(tmp_path, clock).load(after, [ONE]) == 1
    with pytest.raises(RateLimited) as caught:
        after.plan([candidate()])
    assert 3590 < caught.value.retry_after <= 3600


def test_guesses_and_what_is_over_are_not_kept(tmp_path, clock):
    pool = Pool("round-robin", clock=clock)
    files = CooldownFiles(tmp_path, clock)
    pool.report(candidate(), UpstreamRefused("Key refused.", status=401))
    files.save(pool, [ONE])
    assert list(tmp_path.rglob("*.cds")) == []
    pool.report(candidate(model="m2"), limited(60.0), source="header")
    files.save(pool, [ONE])
    clock.time += 61
    files.save(pool, [ONE])
    assert list(tmp_path.rglob("*.cds")) == []


def test_files_of_the_reference_are_read(tmp_path, clock):
    (tmp_path / "team").mkdir()
    record = {
        "provider": "claude",
        "auth_id": ONE.id,
        "status": "cooling",
        "next_retry_after": "2027-01-15T08:59:59.123456789+01:00",
        "reason": "quota",
        "quota": {"exceeded": True, "reason": "quota", "backoff_level": 2},
        "updated_at": "2027-01-15T08:00:00Z",
    }
    (tmp_path / "team" / "claude-me_x.cds").write_text(
        json.dumps({"version": 1, "auth_id": ONE.id, "records": [record]})
    )
    clock.time = 0.0  # 2027-01-15T08:00:00Z
    pool = Pool("round-robin", clock=clock)
    assert CooldownFiles(tmp_path, clock).load(pool, [ONE]) == 0, "it ended at this moment"
    record["next_retry_after"] = "2027-01-15T10:00:00.123456789+01:00"
    (tmp_path / "team" / "claude-me_x.cds").write_text(json.dumps({"records": [record]}))
    assert CooldownFiles(tmp_path, clock).load(pool, [ONE]) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"records": 5}', '{"records": [5]}'])
def test_broken_files_are_told_of_and_removed(tmp_path, clock, caplog, content):
    path = tmp_path / "team" / "claude-me_x.cds"
    path.parent.mkdir()
    path.write_text(content)
    assert CooldownFiles(tmp_path, clock).load(Pool("round-robin", clock=clock), [ONE]) == 0
    assert not path.exists()
    assert "claude-me_x.cds" in caplog.text


def keeping(folder, clock, accounts, waits):
    """Save so many seconds of wait for each account, and return what a restart believes."""
    pool = Pool("round-robin", clock=clock)
    for account, seconds in zip(accounts, waits, strict=True):
        pool.report(candidate(account), limited(seconds), source="header")
    CooldownFiles(folder, clock).save(pool, accounts)
    return restarted(folder, clock, accounts)


def restarted(folder, clock, accounts):
    after = Pool("round-robin", clock=clock)
    CooldownFiles(folder, clock).load(after, accounts)
    return {kept.account: kept.until - clock.now() for kept in after.beliefs()}


@pytest.mark.parametrize("names", [
    ("a b.json", "a_b.json"),
    ("a_b.json", "a b.json"),
    ("a@b.json", "a+b.json", "a b.json"),
    ("gemini.json::p 1", "gemini.json::p_1", "team/x y.json", "team/x_y.json"),
])  # fmt: skip
def test_accounts_that_differ_in_odd_characters_have_files_of_their_own(tmp_path, clock, names):
    accounts = [Account(name, "claude", "me") for name in names]
    waits = [600.0 * (n + 1) for n in range(len(names))]
    assert keeping(tmp_path, clock, accounts, waits) == dict(zip(names, waits, strict=True))
    assert len(list(tmp_path.rglob("*.cds"))) == len(names)
    assert restarted(tmp_path, clock, accounts[::-1]) == dict(zip(names, waits, strict=True))


def test_an_account_makes_room_for_one_whose_very_name_it_has(tmp_path, clock):
    old, new = Account("a b.json", "claude", "old"), Account("a_b.json", "claude", "new")
    pool, files = Pool("round-robin", clock=clock), CooldownFiles(tmp_path, clock)
    pool.report(candidate(old), limited(600.0), source="header")
    files.save(pool, (old,))
    assert [path.name for path in tmp_path.iterdir()] == ["a_b.cds"]
    files.save(pool, (old, new))
    assert restarted(tmp_path, clock, (old, new)) == {old.id: 600.0}
    pool.report(candidate(new), limited(60.0), source="header")
    files.save(pool, (old, new))
    assert restarted(tmp_path, clock, (old, new)) == {old.id: 600.0, new.id: 60.0}
    files.save(pool, (old,))
    assert restarted(tmp_path, clock, (old,)) == {old.id: 600.0}


def test_a_file_that_two_accounts_might_have_is_the_one_s_that_it_names(tmp_path, clock):
    keeping(tmp_path, clock, [Account("a b.json", "claude", "me")], [600.0])
    both = [Account("a b.json", "claude", "me"), Account("a_b.json", "claude", "you")]
    assert restarted(tmp_path, clock, both) == {"a b.json": 600.0}


def test_files_of_nobody_are_removed(tmp_path, clock):
    (tmp_path / "gone.cds").write_text('{"records": []}')
    CooldownFiles(tmp_path, clock).load(Pool("round-robin", clock=clock), [ONE])
    assert list(tmp_path.rglob("*.cds")) == []

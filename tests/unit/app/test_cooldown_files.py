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


def test_files_of_nobody_are_removed(tmp_path, clock):
    (tmp_path / "gone.cds").write_text('{"records": []}')
    CooldownFiles(tmp_path, clock).load(Pool("round-robin", clock=clock), [ONE])
    assert list(tmp_path.rglob("*.cds")) == []

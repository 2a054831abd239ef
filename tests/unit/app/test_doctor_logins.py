"""What is wrong with logins is found before a request finds it."""

from __future__ import annotations

import json

import pytest

from cliproxy.account.credential import written
from cliproxy.app.doctor_logins import logins
from cliproxy.keeper.directory import DirectoryStore
from cliproxy.keeper.keeper import Keeper
from cliproxy.transport.client import Transport

NOW = 1_800_000_000.0
LATER, BEFORE = written(NOW + 3600), written(NOW - 3600)
GOOD = {"type": "claude", "access_token": "t", "refresh_token": "r", "expired": LATER}


async def looked(folder):
    transport = Transport()
    found = await logins(Keeper(DirectoryStore(folder), transport), folder, NOW)
    await transport.close()
    return found


@pytest.mark.parametrize(
    ("fields", "level", "word"),
    [
        (GOOD, "ok", "what it needs"),
        (GOOD | {"expired": BEFORE}, "ok", "what it needs"),
        (GOOD | {"disabled": True}, "note", "disabled"),
        (GOOD | {"type": "brand-new"}, "warning", "not known"),
        ({"type": "claude"}, "error", "no token"),
        ({"type": "claude", "access_token": "t", "expired": BEFORE}, "error", "cannot be renewed"),
        ({"type": "claude", "access_token": "sk-ant-oat01-x"}, "ok", "what it needs"),
        (
            {"type": "claude", "linked_cli": "claude-code", "linked_file": "/nowhere/x.json"},
            "error",
            "linked to",
        ),
        (
            {"type": "antigravity", "access_token": "t", "refresh_token": "r", "project_id": "p"},
            "error",
            "client secret",
        ),
        (
            {"type": "gemini", "token": {"refresh_token": "r", "client_secret": "s"}},
            "ok",
            "what it needs",
        ),
    ],
)
async def test_each_trouble_has_its_word(tmp_path, fields, level, word):
    tmp_path.chmod(0o700)
    path = tmp_path / "one.json"
    path.write_text(json.dumps(fields))
    path.chmod(0o600)
    (found,) = await looked(tmp_path)
    assert (found.level, word in found.what) == (level, True), found
    assert found.cure or level in ("ok", "note")


async def test_a_folder_that_others_can_look_into_is_told(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "one.json").write_text(json.dumps(GOOD))
    (tmp_path / "one.json").chmod(0o644)
    levels = [f.level for f in await looked(tmp_path)]
    assert levels == ["warning", "warning", "ok"]


async def test_a_linked_login_that_has_ended_names_the_cure(tmp_path):
    tmp_path.chmod(0o700)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "auth.txt").write_text(
        json.dumps({"claudeAiOauth": {"accessToken": "t", "expiresAt": int((NOW - 60) * 1000)}})
    )
    link = {"type": "claude", "linked_cli": "claude-code", "linked_file": str(theirs / "auth.txt")}
    (tmp_path / "one.json").write_text(json.dumps(link))
    (tmp_path / "one.json").chmod(0o600)
    (found,) = await looked(tmp_path)
    assert (found.level, found.cure) == ("warning", "Run that program once.")

"""Files that somebody else wrote: odd names, odd kinds, odd contents. None stops the others."""

from __future__ import annotations

import json
import os
import stat
import threading

import pytest

from cliproxy.account.model import Account
from cliproxy.app import cooldown_files
from cliproxy.app.runtime import Runtime
from cliproxy.base.files import read_file
from cliproxy.config.schema import Config
from cliproxy.keeper.directory import BadName, DirectoryStore
from tests.clock import FakeClock

GOOD = {"type": "claude", "access_token": "a", "refresh_token": "r"}


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "auth"
    found.mkdir(mode=0o700)
    (found / "good.json").write_text(json.dumps(GOOD))
    return found


def names(folder):
    return [stored.name for stored in DirectoryStore(folder).snapshot()]


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x.json", "a/../../x.json", "/x.json", ".x.json", "a/.b/x.json",
        "x\0.json", "x\n.json", "x\x1b[2J.json", "x\u202e.json", "x\udce9.json", "..\\x.json",
        "usage.db", "x.cds", "logs/main.log", ".cliproxy/write.lock", "x.json/..",
    ],
)  # fmt: skip
async def test_no_name_leads_anywhere_else(folder, name):
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(BadName):
        await DirectoryStore(folder).put(name, {}, None)
    after = sorted(p for p in folder.parent.rglob("*") if ".cliproxy" not in p.parts)
    assert after == before


async def test_a_name_that_is_too_long_is_refused(folder):
    with pytest.raises(OSError):
        await DirectoryStore(folder).put("x" * 4096 + ".json", {}, None)
    assert names(folder) == ["good.json"]


async def test_nothing_is_written_through_a_link_to_a_folder(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (folder / "team").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadName):
        await DirectoryStore(folder).put("team/x.json", dict(GOOD), None)
    assert not list((tmp_path / "elsewhere").iterdir())


async def test_a_link_is_replaced_and_what_it_leads_to_stays(folder, tmp_path):
    target = tmp_path / "mine.json"
    target.write_text(json.dumps(GOOD))
    (folder / "linked.json").symlink_to(target)
    store = DirectoryStore(folder)
    stored = await store.get("linked.json")
    await store.put("linked.json", {**GOOD, "access_token": "b"}, stored.version)
    assert json.loads(target.read_text()) == GOOD
    written = folder / "linked.json"
    assert not written.is_symlink()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert json.loads(written.read_text())["access_token"] == "b"


async def test_deleting_a_link_leaves_what_it_leads_to(folder, tmp_path):
    target = tmp_path / "mine.json"
    target.write_text(json.dumps(GOOD))
    (folder / "linked.json").symlink_to(target)
    assert await DirectoryStore(folder).delete("linked.json")
    assert target.exists()


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "huge", "loop"])
def test_what_is_no_file_does_not_stop_who_looks(folder, kind):
    path = folder / "odd.json"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)
    found: list[list[str]] = []
    looking = threading.Thread(target=lambda: found.append(names(folder)), daemon=True)
    looking.start()
    looking.join(20)
    assert found == [["good.json"]]


@pytest.mark.parametrize("name", [b"a\nb.json", b"\x1b[31mred.json", b"caf\xe9.json"])
def test_a_file_whose_name_cannot_be_shown_is_not_used(folder, name, caplog):
    (folder / os.fsdecode(name)).write_text(json.dumps(GOOD))
    assert names(folder) == ["good.json"]
    assert "cannot be shown" in caplog.text


@pytest.mark.parametrize(
    "fields",
    [
        {"expired": 10**400}, {"expired": "²"}, {"expired": "9" * 400}, {"expired": 1e300},
        {"expired": -(10**30)}, {"expired": "0001-01-01T00:00:00Z"}, {"expires_in": 10**400, "timestamp": 1},
        {"last_refresh": 10**400}, {"linked_cli": "kimi-cli", "linked_file": "a\0b"},
        {"linked_cli": "claude-code", "linked_file": "\ud800"},
        {"linked_cli": "claude-code", "linked_file": "/dev/zero"},
        {"headers": {"a": [1]}, "weight": 10**400, "priority": "x", "prefix": 5},
        {"id_token": "a.\ud800.c"}, {"id_token": f"a.{'W' * 9999}.c"}, {"token": [[]], "email": 7},
        {"excluded_models": [[], {}], "model_aliases": [{"name": []}], "project_id": ["p"]},
    ],
    ids=lambda fields: ",".join(fields)[:40],
)  # fmt: skip
async def test_no_content_of_a_file_keeps_the_proxy_from_starting(folder, fields):
    (folder / "odd.json").write_text(json.dumps(GOOD | fields))
    runtime = Runtime(Config(auth_dir=str(folder), api_keys=("k",)), clock=FakeClock())
    try:
        runtime.keeper.check()
        assert "good.json" in [account.id for account in runtime.accounts]
    finally:
        await runtime.close()


def test_the_cooldowns_of_a_host_stay_in_their_folder(tmp_path):
    for name in ("openai-compatibility:../../x:1", "../x", "/etc/x", "a/./../b", "openai/..//x"):
        account = Account(name, "openai-compatible-x", "x")
        (path,) = cooldown_files._paths(tmp_path / "auth", [account]).values()
        assert path.parent == tmp_path / "auth", name


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger"):
        read_file(path, 4)

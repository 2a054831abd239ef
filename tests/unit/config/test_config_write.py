"""Writing files whole, and the first configuration."""

import os
import stat
from pathlib import Path

import pytest

from cliproxy.config.load import load_text
from cliproxy.config.write import atomic_write, starter


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_file_is_only_for_its_owner(tmp_path):
    path = tmp_path / "folder" / "config.yaml"
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a much longer old content")
    atomic_write(path, b"new", mode=0o640)
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_when_writing_fails_the_old_file_stays_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(Path if step == "replace" else os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name_points_to_it(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"old")
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.read_bytes()))
    atomic_write(path, b"new")
    # First the file itself, then the folder that names it.
    assert seen == [b"old", b"new"]


def test_a_symbolic_link_stays_one(tmp_path):
    target, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    target.write_bytes(b"old")
    link.symlink_to(target)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_the_first_configuration_has_the_given_key_and_no_problem():
    text = starter("sk-client", "mk-management")
    loaded = load_text(text, path=Path("config.yaml"))
    assert loaded.problems == []
    assert loaded.config.api_keys == ("sk-client",)
    assert loaded.config.host == "127.0.0.1"
    assert loaded.config.local_model.enable is True
    assert "mk-management" in text


def test_the_sample_accounts_of_the_first_configuration_load_when_they_are_uncommented():
    lines = starter("sk-client", "mk-management").splitlines()
    start = lines.index("# openai-compatibility:")
    end = lines.index('#   - api-key: "AIza..."')
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[start : end + 1])
    loaded = load_text(text, path=Path("config.yaml"))
    assert loaded.problems == []
    assert loaded.config.openai_compatibility[0].models[0].alias == "kimi"
    assert len(loaded.config.claude_api_key) == len(loaded.config.gemini_api_key) == 1

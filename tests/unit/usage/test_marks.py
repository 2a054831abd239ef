"""What stands for client keys: known again for ever, and no help in finding the key."""

import hashlib
import os
import stat
import threading

import pytest

from cliproxy.base.redact import mask
from cliproxy.usage.record import BESIDE, Marks, is_mark

KEY = "hunter2"


def unkeyed(key):
    return f"{mask(key)}#{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}"


def test_a_mark_stays_the_same_and_is_another_elsewhere(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    mark = Marks(here)(KEY)
    assert Marks(here)(KEY) == mark
    assert Marks(here)(KEY + "2") != mark
    assert Marks(there)(KEY) != mark


def test_whoever_has_the_database_alone_cannot_try_keys(tmp_path):
    assert Marks(tmp_path)(KEY) != unkeyed(KEY)
    assert Marks()(KEY) != Marks()(KEY)


def test_marks_of_other_versions_and_installations_are_read(tmp_path):
    assert is_mark(unkeyed(KEY))
    assert is_mark(unkeyed("sk-0123456789abcdef"))
    assert is_mark(Marks(tmp_path)("sk-0123456789abcdef"))


def test_the_secret_is_its_owners_alone_and_made_when_it_is_needed(tmp_path):
    folder = tmp_path / "auth"
    before = os.umask(0)
    try:
        marks = Marks(folder)
        assert not folder.exists()
        marks(KEY)
    finally:
        os.umask(before)
    assert [path.name for path in folder.iterdir()] == [BESIDE]
    assert stat.S_IMODE((folder / BESIDE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("left", [b"", b"half"])
def test_a_secret_that_was_not_written_whole_is_made_anew(tmp_path, left):
    (tmp_path / BESIDE).write_bytes(left)
    mark = Marks(tmp_path)(KEY)
    assert len((tmp_path / BESIDE).read_bytes()) == 32
    assert Marks(tmp_path)(KEY) == mark


def test_many_who_begin_at_once_have_one_secret(tmp_path):
    barrier = threading.Barrier(8)
    found = []

    def begin():
        marks = Marks(tmp_path)
        barrier.wait(10)
        found.append(marks(KEY))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert set(found) == {Marks(tmp_path)(KEY)}
    assert [path.name for path in tmp_path.iterdir()] == [BESIDE]


@pytest.mark.parametrize("error", [PermissionError, OSError])
def test_a_file_system_without_links_keeps_it_too(tmp_path, monkeypatch, error):
    def refuse(*args):
        raise error("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert Marks(tmp_path)(KEY) == Marks(tmp_path)(KEY)
    assert [path.name for path in tmp_path.iterdir()] == [BESIDE]


def test_where_nothing_can_be_written_it_holds_for_this_run(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    marks = Marks(tmp_path / "file" / "folder")
    assert marks(KEY) == marks(KEY)
    assert "cannot be kept" in caplog.text
    assert KEY not in caplog.text

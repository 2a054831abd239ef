"""Log files turn over, stay within their bounds, and are readable by their owner alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.clock import FakeClock

from cliproxy.observe import files
from cliproxy.observe.files import Keep, LogFile, directory


def write(folder, name, size, age):
    path = folder / name
    path.write_bytes(b"x" * size)
    os.utime(path, (1000 - age, 1000 - age))
    return path


def test_a_full_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TURN_OVER", 30)
    log = LogFile(tmp_path / "logs", keep=Keep(tmp_path / "logs", 0))
    for number in range(4):
        log.write(f"line {number} of twenty\n")
    log.close()
    found = sorted((tmp_path / "logs").iterdir())
    assert [path.read_text() for path in found if path.name == "main.log"] == ["line 3 of twenty\n"]
    aside = [path.read_text() for path in found if path.name != "main.log"]
    assert sorted(aside) == [f"line {n} of twenty\n" for n in range(3)]
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}


def test_a_log_is_continued_after_a_restart(tmp_path):
    for text in ("one", "two"):
        log = LogFile(tmp_path, keep=Keep(tmp_path, 0))
        log.write(f"{text}\n")
        log.close()
    assert (tmp_path / "main.log").read_text() == "one\ntwo\n"


def test_the_oldest_go_first_and_the_main_log_never(tmp_path):
    write(tmp_path, "main.log", 50, age=900)
    oldest = write(tmp_path, "error-a.log", 40, age=500)
    old = write(tmp_path, "main-x.log.gz", 40, age=400)
    new = write(tmp_path, "v1-b.log", 40, age=1)
    other = write(tmp_path, "notes.txt", 400, age=999)
    Keep(tmp_path, 100).look(now=True)
    assert not oldest.exists()
    assert not old.exists()
    assert new.exists()
    assert other.exists()
    assert (tmp_path / "main.log").exists()


def test_it_looks_once_a_minute(tmp_path):
    clock = FakeClock()
    keep = Keep(tmp_path, 10, clock)
    write(tmp_path, "a.log", 40, age=5)
    keep.look()
    again = write(tmp_path, "b.log", 40, age=5)
    keep.look()
    assert again.exists()
    clock.time += 61
    keep.look()
    assert not again.exists()


@pytest.mark.parametrize("name", ["WRITABLE_PATH"])
def test_the_environment_names_the_place(tmp_path, name):
    assert directory("~/auth", {name: str(tmp_path)}) == tmp_path / "logs"


def test_a_working_directory_that_can_be_written_to_is_the_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert directory("~/auth", {}) == tmp_path / "logs"


def test_otherwise_it_is_below_the_auth_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert directory(str(tmp_path / "auth"), {}) == Path(tmp_path / "auth" / "logs")


def test_a_log_that_somebody_else_has_put_aside_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TURN_OVER", 30)
    log = LogFile(tmp_path, keep=Keep(tmp_path, 0))
    log.write("line 0 of twenty\n")
    (tmp_path / "main.log").unlink()
    for number in range(1, 4):
        log.write(f"line {number} of twenty\n")
    log.close()
    assert (tmp_path / "main.log").read_text() == "line 3 of twenty\n"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_log_that_cannot_be_turned_over_goes_on_in_the_old_file(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TURN_OVER", 30)
    log = LogFile(tmp_path, keep=Keep(tmp_path, 0))

    def refuse(self, target):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        for number in range(3):
            log.write(f"line {number} of twenty\n")
        assert (tmp_path / "main.log").read_text().count("\n") == 3
    for number in range(3, 6):
        log.write(f"line {number} of twenty\n")
    log.close()
    assert len(list(tmp_path.iterdir())) > 1

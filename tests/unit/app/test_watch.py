"""Editing the configuration of a running proxy."""

from __future__ import annotations

import os

import pytest

from cliproxy.app.watch import ConfigWatch
from cliproxy.config.load import load_text


@pytest.fixture
def watched(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("port: 1001\n")
    applied = []
    return path, ConfigWatch(path, lambda loaded: applied.append(loaded.config.port)), applied


def test_an_edit_is_applied_once(watched):
    path, watch, applied = watched
    assert not watch.check()
    path.write_text("port: 1002  # longer\n")
    assert watch.check()
    assert not watch.check()
    assert applied == [1002]


def test_touching_the_file_applies_nothing(watched):
    path, watch, applied = watched
    os.utime(path, ns=(1, 1))
    assert not watch.check()
    assert applied == []


def test_a_file_that_was_replaced_is_seen(watched, tmp_path):
    path, watch, applied = watched
    path.unlink()
    assert not watch.check()
    (tmp_path / "new").write_text("port: 1003\n")
    (tmp_path / "new").replace(path)
    assert watch.check()
    assert applied == [1003]


def test_a_broken_edit_leaves_the_last_good_one_and_says_why(watched, caplog):
    path, watch, applied = watched
    path.write_text("port: [\n")
    assert not watch.check()
    assert "stays" in caplog.text
    path.write_text("port: nowhere\n")
    assert not watch.check()
    path.write_text("port: 1004 \n")
    assert watch.check()
    assert applied == [1004]


def test_whatever_goes_wrong_the_file_is_looked_at_again(tmp_path, caplog):
    path = tmp_path / "config.yaml"
    path.write_text("port: 1001\n")
    applied = []

    def apply(loaded):
        if loaded.config.port == 1002:
            raise RuntimeError("a fault of ours")
        applied.append(loaded.config.port)

    watch = ConfigWatch(path, apply)
    path.write_text("port: 1002 # broken\n")
    assert not watch.check()
    assert "a fault of ours" in caplog.text
    path.write_text("port: 1003 # good again\n")
    assert watch.check()
    assert applied == [1003]


def test_what_took_the_place_of_what_was_written_here_is_seen(watched):
    path, watch, applied = watched
    path.write_text("port: 1006\n")
    watch.took(load_text("port: 1005\n", path=path), b"port: 1005\n")
    assert watch.check()
    assert applied == [1005, 1006]


def test_what_was_written_here_is_not_applied_twice(watched):
    path, watch, applied = watched
    path.write_text("port: 1005\n")
    watch.took(load_text("port: 1005\n", path=path), b"port: 1005\n")
    assert not watch.check()
    assert applied == [1005]

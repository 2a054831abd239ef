"""One line for everything: when, in which request, how grave, where in the source, what."""

from __future__ import annotations

import logging
import re
import time

import pytest

from cliproxy.observe import logs


@pytest.fixture
def written(tmp_path):
    """Log to a folder as a process of ours does; return what stands there."""
    root = logging.getLogger()
    kept, level, ours = list(root.handlers), root.level, logging.getLogger("cliproxy").level
    logs.configure(debug=False, folder=tmp_path)

    def read():
        return (tmp_path / "main.log").read_text().splitlines()

    yield read
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = kept
    root.setLevel(level)
    logging.getLogger("cliproxy").setLevel(ours)


@pytest.mark.parametrize(
    ("level", "word"), [("info", "info "), ("warning", "warn "), ("error", "error")]
)
def test_a_line_has_its_parts_in_order(written, level, word):
    before = int(time.time())
    getattr(logging.getLogger("cliproxy.x"), level)("what %s", "happened")
    (line,) = written()
    found = re.fullmatch(
        r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] \[--------\] \[(.{5})\] \[test_logs\.py:\d+\] "
        r"what happened",
        line,
    )
    assert found, line
    assert found[2] == word
    at = time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S"))
    assert before <= at <= time.time()


def test_the_request_is_named(written):
    token = logs.REQUEST.set("a1b2c3d4")
    try:
        logging.getLogger("cliproxy.x").info("x")
    finally:
        logs.REQUEST.reset(token)
    assert "] [a1b2c3d4] [info ] [" in written()[0]


def test_nobody_can_write_a_line_of_their_own(written):
    logging.getLogger("cliproxy.x").info("a\n[2026-01-02 03:04:05] forged \x1b[31m")
    (line,) = written()
    assert "\\n" in line
    assert "\x1b" not in line


def test_details_are_for_debugging_alone(written, tmp_path):
    logging.getLogger("cliproxy.x").debug("detail")
    assert written() == []
    logs.configure(debug=True, folder=tmp_path)
    logging.getLogger("cliproxy.x").debug("detail")
    assert "[debug]" in written()[0]

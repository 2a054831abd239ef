"""One line for everything: when, in which request, how grave, where in the source, what."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
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


class Written(list):
    """A sink that remembers every write."""

    write = list.append


def logger_to(sink):
    logger = logging.Logger("gathered")  # noqa: LOG001  # nobody else hears of it
    handler = logs.Gathered(sink)
    logger.addHandler(handler)
    return logger, handler


def test_lines_of_a_moment_are_one_write():
    sink = Written()
    logger, _ = logger_to(sink)

    async def work():
        for number in range(3):
            logger.info("line %s", number)
        assert sink == []
        while not sink:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(work(), 30))
    assert sink == ["line 0\nline 1\nline 2\n"]


def test_a_warning_does_not_wait_nor_what_was_said_before_it():
    sink = Written()
    logger, _ = logger_to(sink)

    async def work():
        logger.info("before")
        logger.warning("now")
        assert sink == ["before\nnow\n"]

    asyncio.run(work())


def test_where_no_loop_runs_every_line_is_written_at_once():
    sink = Written()
    logger, _ = logger_to(sink)
    logger.info("one")
    logger.info("two")
    assert sink == ["one\n", "two\n"]


def test_what_a_loop_left_behind_is_written_with_the_next_line():
    sink = Written()
    handler = logs.Gathered(sink)

    async def work():
        handler.add("left behind", 100.0)

    asyncio.run(work())
    handler.add("next", 101.0)
    assert sink == ["left behind\nnext\n"]


def test_closing_writes_what_waits():
    sink = Written()
    logger, handler = logger_to(sink)

    async def work():
        logger.info("last words")

    asyncio.run(work())
    handler.close()
    assert sink == ["last words\n"]


def test_very_many_lines_do_not_wait():
    sink = Written()
    logger, _ = logger_to(sink)

    async def work():
        for _ in range(1000):
            logger.info("x")
        assert sum(text.count("\n") for text in sink) >= 700

    asyncio.run(work())


def test_a_disk_that_is_full_is_told_and_stops_nothing(capsys):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    logger, _ = logger_to(Full())
    logger.error("lost")
    assert "No space left on device" in capsys.readouterr().err


def test_the_short_way_writes_the_same_line(written):
    logger = logging.getLogger("cliproxy.x")
    logs.say(logger, logging.INFO, "what happened", place="app.py:0", now=time.time())
    logger.handle(
        logging.LogRecord(logger.name, logging.INFO, "app.py", 0, "what happened", None, None)
    )
    one, other = (line.partition("] ")[2] for line in written())
    assert one == other == "[--------] [info ] [app.py:0] what happened"


def test_the_short_way_is_heard_by_whoever_else_listens(caplog):
    caplog.set_level(logging.INFO, "cliproxy.x")
    logs.say(
        logging.getLogger("cliproxy.x"), logging.INFO, "heard", place="a.py:7", now=time.time()
    )
    (found,) = caplog.records
    assert (found.getMessage(), found.filename, found.lineno) == ("heard", "a.py", 7)


def test_without_a_terminal_nothing_is_written_and_nothing_fails(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    logger, _ = logger_to(logs._Terminal())
    logger.error("nobody reads this")

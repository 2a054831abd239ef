"""Work that outlives whoever waits for it."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from cliproxy.base.tasks import whole
from cliproxy.observe.files import Keep
from cliproxy.observe.request_log import RequestLog


async def test_a_cancellation_waits_for_what_must_be_whole():
    begun, may_end = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def work() -> None:
        begun.set()
        await may_end.wait()
        done.append("work")

    async def caller() -> None:
        try:
            await whole(work())
        finally:
            done.append("caller")

    task = asyncio.ensure_future(caller())
    await begun.wait()
    task.cancel()
    asyncio.get_running_loop().call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["work", "caller"]


async def test_what_fails_says_so():
    async def work() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        await whole(work())


async def test_the_file_of_a_request_is_whole_when_its_client_left_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    loop = asyncio.get_running_loop()
    begun, may_end = asyncio.Event(), threading.Event()
    write = RequestLog._write

    def slow(*given: Any, **named: Any) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert may_end.wait(20)
        write(*given, **named)

    monkeypatch.setattr(RequestLog, "_write", slow)
    keep = Keep(tmp_path, 0)
    log = RequestLog(tmp_path, every=True, keep_errors=1, keep=keep)
    entry = log.begin("0a1b2c3d", method="GET", path="/v1/responses", query="", headers={})
    task = asyncio.ensure_future(log.finish(entry))
    await begun.wait()
    task.cancel()
    loop.call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]

"""Waits end when their time is over, and otherwise as if nobody had looked."""

from __future__ import annotations

import asyncio

import pytest

from cliproxy.transport.deadline import Deadlines

pytestmark = pytest.mark.anyio


@pytest.fixture
def deadlines():
    return Deadlines()


async def test_what_takes_too_long_is_given_up(deadlines):
    with pytest.raises(TimeoutError):
        with deadlines.within(0.01):
            await asyncio.Event().wait()


async def test_what_ends_in_time_is_left_alone(deadlines):
    with deadlines.within(0.01):
        await asyncio.sleep(0)
    await asyncio.wait_for(later(), 30)


async def later():
    """Wait for longer than the waits of these tests."""
    await asyncio.sleep(0.05)


async def test_without_a_limit_nothing_is_given_up(deadlines):
    with deadlines.within(None):
        await later()


async def test_a_limit_of_nothing_is_over_at_once(deadlines):
    with pytest.raises(TimeoutError):
        with deadlines.within(0):
            await asyncio.Event().wait()


async def test_a_shorter_wait_is_not_held_up_by_a_longer_one(deadlines):
    order = []

    async def wait(name, seconds):
        with pytest.raises(TimeoutError):
            with deadlines.within(seconds):
                await asyncio.Event().wait()
        order.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(wait("long", 0.1))
        group.create_task(wait("short", 0.01))
        group.create_task(wait("longest", 0.15))
    assert order == ["short", "long", "longest"]


async def test_one_wait_after_the_other(deadlines):
    for _ in range(3):
        with pytest.raises(TimeoutError):
            with deadlines.within(0.01):
                await asyncio.Event().wait()


async def test_who_is_cancelled_by_somebody_else_stays_cancelled(deadlines):
    begun = asyncio.Event()

    async def work():
        with deadlines.within(60):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_in_the_same_moment_stays_cancelled(deadlines):
    async def work():
        wait = deadlines.within(60)
        with wait:
            asyncio.get_running_loop().call_soon(wait.end)
            asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_error_passes(deadlines):
    with pytest.raises(KeyError):
        with deadlines.within(60):
            raise KeyError


async def test_the_task_goes_on_after_its_time_was_over(deadlines):
    with pytest.raises(TimeoutError):
        with deadlines.within(0.01):
            await asyncio.Event().wait()
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)


def test_another_loop_has_its_own_timer(deadlines):
    async def work():
        with deadlines.within(60):
            await asyncio.sleep(0)

    async def too_long():
        with deadlines.within(0.01):
            await asyncio.Event().wait()

    asyncio.run(work())
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(too_long(), 30))


@pytest.mark.parametrize(("outer", "inner"), [(0.01, 60), (60, 0.01)])
async def test_of_nested_waits_the_shorter_one_counts(deadlines, outer, inner):
    async def work():
        with deadlines.within(outer), deadlines.within(inner):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()

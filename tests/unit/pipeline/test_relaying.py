"""What an account says of an interaction goes on event by event."""

import asyncio

import pytest

from cliproxy.pipeline.relaying import _events as relayed


class Said:
    def __init__(self, chunks):
        self.left = list(chunks)
        self.closed = False

    async def chunks(self):
        while self.left:
            yield self.left.pop(0)

    def close(self):
        self.closed = True


def passed(said, secrets=()):
    """Return what was passed on, and how many chunks were unread by then."""

    async def read():
        return [(data, len(said.left)) async for data in relayed(said, set(secrets))]

    return asyncio.run(read())


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
class TestEveryLineEnd:
    def test_an_event_is_passed_on_as_soon_as_it_is_whole(self, end):
        event = b"event: step.delta" + end + b"data: {}" + end + end
        said = Said([event] * 3)
        assert passed(said) == [(event, 2), (event, 1), (event, 0)]
        assert said.closed

    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    def test_wherever_the_reads_cut_it(self, end, size):
        event = b"data: {}" + end + end
        whole = event * 4 + b"data: [DONE]"
        said = Said(whole[n : n + size] for n in range(0, len(whole), size))
        told = [data for data, _ in passed(said)]
        assert b"".join(told) == whole
        assert [data.count(b"data:") for data in told] == [1] * 5
        assert all(data.endswith(end + end) for data in told[:-1])

    def test_many_small_events_are_not_one_that_is_too_large(self, end, monkeypatch):
        monkeypatch.setattr("cliproxy.pipeline.relaying._LONGEST", 100)
        event = b"data: {}" + end + end
        assert b"".join(data for data, _ in passed(Said([event] * 50))) == event * 50

    def test_one_event_that_is_too_large_is_an_error(self, end, monkeypatch):
        monkeypatch.setattr("cliproxy.pipeline.relaying._LONGEST", 100)
        ((told, _),) = passed(Said([b"data: " + b"x" * 60, b"y" * 60, end + end]))
        assert b"too large" in told

    def test_an_error_does_not_show_the_key(self, end):
        event = b'data: {"error":"the key sesame-1234 may not"}' + end + end
        ((told, _),) = passed(Said([event[:20], event[20:]]), ["sesame-1234"])
        assert b"sesame" not in told
        assert told.endswith(end + end)

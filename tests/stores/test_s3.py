"""What is special about a bucket."""

from __future__ import annotations

import asyncio
import logging

import pytest

from cliproxy.stores import s3 as module
from cliproxy.stores.base import Away, Unstorable
from cliproxy.stores.s3 import _PROBE, S3Store
from tests.stores.test_contract import NAME, data


@pytest.fixture(params=["s3", "rclone"])
def bucket(request):
    return request.getfixturevalue(request.param)


async def test_whether_a_server_compares_is_found_out_also_beside_what_was_left_behind(
    bucket, opened, caplog
) -> None:
    first = await opened(bucket.store())
    await first._client.put_async(_PROBE, b"{}", mode="overwrite")
    caplog.clear()
    store = await opened(bucket.store())
    assert store._compares is bucket.compares
    told = [r.levelno for r in caplog.records if "one writer only" in r.message]
    assert told == ([] if bucket.compares else [logging.WARNING])


async def test_a_bucket_that_is_removed_meanwhile_is_made_again(s3, opened) -> None:
    store = await opened(s3.store())
    await store.put(NAME, data(), if_version=None)
    await store.delete(NAME)
    await asyncio.to_thread(s3.remove)
    assert await store.list() == {}
    await store.put(NAME, data(), if_version=None)
    assert (await store.list()).keys() == {NAME}


async def test_what_is_too_large_is_not_read(s3, opened, monkeypatch) -> None:
    store = await opened(s3.store())
    await store.put(NAME, data(), if_version=None)
    monkeypatch.setattr(module, "MOST", 10)
    with pytest.raises(Unstorable, match="is larger than"):
        await store.get(NAME)


async def test_whether_a_server_compares_is_tried_out_once(s3, opened, monkeypatch) -> None:
    store = await opened(s3.store())
    await store.close()
    monkeypatch.setattr(store, "_probe", None)
    await store.open()


class Client:
    """Refuses each write in its own way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def put_async(self, *args: object, **options: object) -> None:
        raise self.error

    async def delete_async(self, name: str) -> None:
        return None


@pytest.mark.parametrize(
    ("error", "compares"),
    [
        (OSError("error sending request"), None),
        (OSError("status code: 503 Service Unavailable"), None),
        (OSError("<Code>SlowDown</Code> status code: 503"), None),
        (OSError("<Code>NotImplemented</Code> status code: 501"), False),
        (OSError("status code: 400 Bad Request"), False),
    ],
)
async def test_a_server_that_is_away_is_not_one_that_does_not_compare(error, compares) -> None:
    store = S3Store("http://h:1", "b", "k", "s")
    store._client = Client(error)
    if compares is None:
        with pytest.raises(Away):
            await store._probe()
    else:
        assert await store._probe() is compares

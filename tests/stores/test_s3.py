"""What is special about a bucket."""

from __future__ import annotations

import logging

import pytest

from cliproxy.stores.base import Away
from cliproxy.stores.s3 import _PROBE, S3Store


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

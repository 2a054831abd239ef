import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.base.errors import BadRequest, TooLarge, UnsupportedEncoding
from cliproxy.server.bodies import ClientGone, decode, read_body

try:
    from compression import zstd
except ImportError:
    from backports import zstd

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


def raw_deflate(data):
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("name", ENCODERS)
@given(data=st.binary(max_size=5000))
def test_every_encoding_is_undone(name, data):
    assert decode(ENCODERS[name](data), name, MIB) == data


def test_raw_deflate_is_accepted_too():
    assert decode(raw_deflate(b"{}" * 100), "deflate", MIB) == b"{}" * 100


def test_stacked_encodings_are_undone_right_to_left():
    body = zlib.compress(gzip.compress(b"{}"))
    assert decode(body, "gzip, deflate", MIB) == b"{}"
    assert decode(b"{}", "identity", MIB) == b"{}"


@pytest.mark.parametrize("name", ENCODERS)
def test_a_bomb_stops_at_the_limit(name):
    bomb = ENCODERS[name](b"\0" * (64 * MIB))
    assert len(bomb) < MIB
    with pytest.raises(TooLarge):
        decode(bomb, name, MIB)


@pytest.mark.parametrize("name", ENCODERS)
def test_damaged_and_truncated_data_are_the_clients_fault(name):
    good = ENCODERS[name](b'{"a": 1}' * 50)
    with pytest.raises(BadRequest):
        decode(good[:-6], name, MIB)
    with pytest.raises(BadRequest):
        decode(b"\xff\xfe not compressed", name, MIB)


@pytest.mark.parametrize("name", [*ENCODERS, "compress"])
def test_plain_json_under_a_wrong_label_is_taken_as_it_is(name):
    assert decode(b' {"a": 1}', name, MIB) == b' {"a": 1}'


def test_unknown_encodings_are_named():
    with pytest.raises(UnsupportedEncoding, match="lzma"):
        decode(b"xxx", "lzma", MIB)


def receiver(*messages):
    pending = list(messages)

    async def receive():
        return pending.pop(0)

    return receive


def part(body, more):
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_parts_is_joined():
    receive = receiver(part(b"a", True), part(b"", True), part(b"b", False))
    assert await read_body(receive, 10) == b"ab"


async def test_a_body_over_the_limit_is_refused_while_it_arrives():
    with pytest.raises(TooLarge):
        await read_body(receiver(part(b"a" * 6, True), part(b"a" * 6, True)), 10)
    with pytest.raises(TooLarge):
        await read_body(receiver(part(b"a" * 11, False)), 10)
    assert await read_body(receiver(part(b"a" * 10, False)), 10) == b"a" * 10


async def test_a_client_that_leaves_early_is_noticed():
    with pytest.raises(ClientGone):
        await read_body(receiver({"type": "http.disconnect"}), 10)
    with pytest.raises(ClientGone):
        await read_body(receiver(part(b"a", True), {"type": "http.disconnect"}), 10)

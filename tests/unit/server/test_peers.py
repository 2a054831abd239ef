"""Forwarding headers count from trusted proxies alone."""

from __future__ import annotations

import pytest

from cliproxy.base.errors import ConfigError
from cliproxy.server.peers import Peers


def seen(trusted, peer, *forwarded):
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Peers(trusted).seen({"client": (peer, 5), "headers": headers})["client"][0]


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "wanted"),
    [
        ([], "10.0.0.1", ["1.2.3.4"], "10.0.0.1"),
        (["10.0.0.0/8"], "192.0.2.1", ["1.2.3.4"], "192.0.2.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        (["10.0.0.1"], "10.0.0.1", ["127.0.0.1, 1.2.3.4"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4", "10.0.0.2"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["10.0.0.0/8"], "10.0.0.1", ["nonsense"], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4, nonsense, 10.0.0.2"], "10.0.0.2"),
        (["10.0.0.0/8"], "10.0.0.1", [], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4:5555"], "1.2.3.4"),
        (["::1", "127.0.0.1"], "::1", ['"[2001:db8::1]:80"'], "2001:db8::1"),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
    ],
)
def test_who_is_asking(trusted, peer, forwarded, wanted):
    assert seen(trusted, peer, *forwarded) == wanted


def test_what_is_no_address_is_refused():
    with pytest.raises(ConfigError, match="trusted-proxies"):
        Peers(["proxy.example"])

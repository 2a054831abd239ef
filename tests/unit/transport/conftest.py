"""What tests of the transport share."""

import socket

import pytest


@pytest.fixture
def no_names(monkeypatch):
    """This process resolves no name; other ones do, and addresses are none."""
    resolve = socket.getaddrinfo

    def refuse(host, *given, **named):
        if isinstance(host, str) and host[:1].isalpha():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

"""What stands beside a provider's models: logins, quotas, profiles, lists.

    class Auth(Beside):
        def routes(self):
            return {("POST", "/oauth/token"): self.token}

A handler gets the recorded request and returns what is answered: a JSON object, status and JSON and
headers, or a `Raw`; or it raises `Refused`. What is queued with `instead` comes first; with
`lose_next` a request is handled and its answer lost.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from typing_extensions import override

from tests.sim.deliver import Delivery, dump
from tests.sim.record import Recorded
from tests.sim.script import Raw
from tests.sim.server import Sim
from tests.sim.wire import Connection

Json = Any
Handler = Callable[[Recorded], "Json | Raw"]


class Refused(Exception):
    """An error of an OAuth endpoint."""

    def __init__(self, status: int, error: Json, **more: Json) -> None:
        super().__init__(error)
        self.raw = Raw(dump({"error": error, **more}), status)


class Beside(Sim):
    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.lose_next = ""  # path whose next request is acted on and not answered
        self._instead: dict[str, deque[Raw]] = {}

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return handlers by method and path."""
        raise NotImplementedError

    def handler(self, record: Recorded) -> Handler | None:
        """Return what answers a request; None = the models do."""
        return self.routes().get((record.method, record.path))

    def instead(self, path: str, *answers: Raw) -> None:
        """Answer the next requests to a path with these; nothing is done for them."""
        self._instead.setdefault(path, deque()).extend(answers)

    def asked(self, path: str) -> list[Recorded]:
        """Return the requests to a path."""
        return [r for r in self.requests if r.path == path]

    @override
    async def _reply(self, connection: Connection, record: Recorded) -> None:
        handler = self.handler(record)
        if handler is None:
            await super()._reply(connection, record)
            return
        queued = self._instead.get(record.path)
        raw = queued.popleft() if queued else handled(handler, record)
        if self.lose_next == record.path:
            self.lose_next = ""
            raw = replace(raw, cut="headers")
        await Delivery(connection, record, raw, self._stopping).raw(raw)


def handled(handler: Handler, record: Recorded) -> Raw:
    """Return the answer of a handler, in whichever form it gave it."""
    try:
        answer = handler(record)
    except Refused as refused:
        return refused.raw
    if isinstance(answer, Raw):
        return answer
    if not isinstance(answer, tuple):
        return Raw(dump(answer))
    status, told, *headers = answer
    return Raw(dump(told), status, headers=headers[0] if headers else {})


def form_of(record: Recorded) -> dict[str, str]:
    """Return what was posted, as a form or as JSON."""
    if record.headers.get("content-type").startswith("application/json"):
        posted = json.loads(record.content)
        return {k: v for k, v in posted.items() if isinstance(v, str)}
    return dict(parse_qsl(record.content.decode(), keep_blank_values=True))


def bearer_of(record: Recorded) -> str:
    return record.headers.get("authorization").removeprefix("Bearer ")

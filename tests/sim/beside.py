"""What stands beside a provider's models: logins, quotas, profiles, lists.

    class Auth(Beside):
        def routes(self):
            return {("POST", "/oauth/token"): self.token}

A handler gets the recorded request and returns what is answered: a JSON object, or a `Raw`. What is
queued with `instead` comes first; with `lose_next` a request is handled and its answer lost.
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


class Beside(Sim):
    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.lose_next = ""  # path whose next request is acted on and not answered
        self._instead: dict[str, deque[Raw]] = {}

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return handlers by method and path."""
        raise NotImplementedError

    def instead(self, path: str, *answers: Raw) -> None:
        """Answer the next requests to a path with these; nothing is done for them."""
        self._instead.setdefault(path, deque()).extend(answers)

    def asked(self, path: str) -> list[Recorded]:
        """Return the requests to a path."""
        return [r for r in self.requests if r.path == path]

    @override
    async def _reply(self, connection: Connection, record: Recorded) -> None:
        handler = self.routes().get((record.method, record.path))
        if handler is None:
            await super()._reply(connection, record)
            return
        queued = self._instead.get(record.path)
        raw = queued.popleft() if queued else as_raw(handler(record))
        if self.lose_next == record.path:
            self.lose_next = ""
            raw = replace(raw, cut="headers")
        await Delivery(connection, record, raw, self._stopping).raw(raw)


def as_raw(answer: Json | Raw) -> Raw:
    return answer if isinstance(answer, Raw) else Raw(dump(answer))


def refusal(status: int, error: Json, **more: Json) -> Raw:
    """Return an error of an OAuth endpoint."""
    return Raw(dump({"error": error, **more}), status)


def form_of(record: Recorded) -> dict[str, str]:
    """Return what was posted, as a form or as JSON."""
    if record.headers.get("content-type").startswith("application/json"):
        posted = json.loads(record.content)
        return {k: v for k, v in posted.items() if isinstance(v, str)}
    return dict(parse_qsl(record.content.decode(), keep_blank_values=True))


def bearer_of(record: Recorded) -> str:
    return record.headers.get("authorization").removeprefix("Bearer ")

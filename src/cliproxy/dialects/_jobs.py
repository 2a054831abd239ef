"""What the APIs share that begin a job and tell later how it went: nobody converses in them.

Their bodies are short and pass as they are, so there is nothing to read but errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, NotBuilt, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects._errors import error_body, event_error, read_openai_error, refused
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Error, Event
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta, Reader, Writer

_BROKEN: Final = "The upstream's answer is not what this API answers."


class Jobs:
    """See `cliproxy.dialects.Dialect`."""

    document_urls: bool = False

    def __init__(self, name: DialectId) -> None:
        self.id = name

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:  # noqa: ARG002  # refused
        """Refuse: this is no conversation."""
        raise _no_conversation()

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:  # noqa: ARG002  # refused
        """Refuse: this is no conversation."""
        raise _no_conversation()

    def reader(self, caps: Caps) -> Reader:  # noqa: ARG002  # errors are alike
        """Return a reader of what is no proper answer."""
        return _Faults(self.id)

    def writer(self, req: IRRequest, framing: Framing = "sse") -> Writer:  # noqa: ARG002  # refused
        """Refuse: nothing is streamed."""
        raise _no_conversation()

    def render(self, answer: Answer, req: IRRequest) -> bytes:  # noqa: ARG002  # refused
        """Refuse: this is no conversation."""
        raise _no_conversation()

    def render_count(self, tokens: int) -> bytes:  # noqa: ARG002  # refused
        """Refuse: nothing is counted."""
        raise _no_conversation()

    def read_count(self, body: bytes) -> int:  # noqa: ARG002  # refused
        """Refuse: nothing is counted."""
        raise _no_conversation()

    def error(self, err: GatewayError) -> bytes:
        """Write an error body."""
        return error_body(err)

    def stream_error(
        self,
        err: GatewayError,
        framing: Framing = "sse",  # noqa: ARG002  # nothing is streamed
        after: bytes = b"",  # noqa: ARG002
    ) -> bytes:
        """Write an error as an event."""
        return event_error(Error.of(err))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an error body."""
        return read_openai_error(status, headers, body, self.id)


class _Faults:
    """Reads an answer that says it is none."""

    def __init__(self, dialect: DialectId) -> None:
        self._dialect = dialect

    def feed(self, data: bytes, event: str = "") -> list[Event]:  # noqa: ARG002  # no stream
        """Take what came as an event for the whole."""
        return self.whole(data)

    def close(self) -> list[Event]:
        """Say that there was no answer."""
        return [Error(502, "server", _BROKEN, "upstream_broken")]

    def whole(self, body: bytes) -> list[Event]:
        """Return the error that a body tells."""
        value = json.loads_object(body)
        if value is not None and value.get("error"):
            return [Error.of(refused(value["error"], self._dialect))]
        return self.close()


def _no_conversation() -> NotBuilt:
    return NotBuilt("One cannot converse in this API.")

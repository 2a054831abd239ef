"""The OpenAI chat completions dialect: `POST /v1/chat/completions`, both sides of it.

There is no token-count endpoint in this dialect; those four methods say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base.errors import GatewayError, NotBuilt, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects.openai_chat import errors
from cliproxy.dialects.openai_chat.build import build
from cliproxy.dialects.openai_chat.parse import parse
from cliproxy.dialects.openai_chat.read import ChatReader
from cliproxy.dialects.openai_chat.write import ChatWriter, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta


class OpenAIChat:
    """See `cliproxy.dialects.Dialect`."""

    id: DialectId = "openai-chat"
    document_urls: bool = False

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request."""
        return parse(body, meta)

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:
        """Write a request for an upstream."""
        if operation == "count":
            raise _no_count()
        return build(req, caps)

    def reader(self, caps: Caps) -> ChatReader:  # noqa: ARG002  # one reader suits every model
        """Return a reader for one answer."""
        return ChatReader()

    def writer(self, req: IRRequest, framing: Framing = "sse") -> ChatWriter:  # noqa: ARG002  # SSE only
        """Return a writer for one streaming client."""
        return ChatWriter(req)

    def render(self, answer: Answer, req: IRRequest) -> bytes:
        """Write a whole answer."""
        return render(answer, req)

    def render_count(self, tokens: int) -> bytes:  # noqa: ARG002  # refused
        """Refuse: there is no such answer in this dialect."""
        raise _no_count()

    def read_count(self, body: bytes) -> int:  # noqa: ARG002  # refused
        """Refuse: there is no such answer in this dialect."""
        raise _no_count()

    def error(self, err: GatewayError) -> bytes:
        """Write an error body."""
        return errors.error(err)

    def stream_error(
        self,
        err: GatewayError,
        framing: Framing = "sse",  # noqa: ARG002
        after: bytes = b"",  # noqa: ARG002
    ) -> bytes:  # SSE only
        """Write an error into a stream that has not begun."""
        return errors.stream_error(err)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an upstream's error answer."""
        return errors.read_error(status, headers, body)


def _no_count() -> NotBuilt:
    return NotBuilt("Chat completions has no endpoint that counts tokens.")


DIALECT: Final = OpenAIChat()

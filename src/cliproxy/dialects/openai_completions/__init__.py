"""The legacy completions dialect, `POST /v1/completions`, for clients only.

A prompt becomes one user message and the text of the answer comes back as the completion. No
upstream is spoken to in this dialect: a request always leaves as one of the chat dialects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base.errors import GatewayError, NotBuilt, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects.openai_completions import errors
from cliproxy.dialects.openai_completions.parse import parse
from cliproxy.dialects.openai_completions.write import CompletionsWriter, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta, Reader


class OpenAICompletions:
    """See `cliproxy.dialects.Dialect`."""

    id: DialectId = "openai-completions"
    document_urls: bool = False

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request."""
        return parse(body, meta)

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:  # noqa: ARG002  # refused
        """Refuse: upstreams are not spoken to in this dialect."""
        raise _client_only()

    def reader(self, caps: Caps) -> Reader:  # noqa: ARG002  # refused
        """Refuse: upstreams are not spoken to in this dialect."""
        raise _client_only()

    def writer(self, req: IRRequest, framing: Framing = "sse") -> CompletionsWriter:  # noqa: ARG002  # SSE only
        """Return a writer for one streaming client."""
        return CompletionsWriter(req)

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
        """Read an error body of this dialect."""
        return errors.read_error(status, headers, body)


def _client_only() -> NotBuilt:
    return NotBuilt("Legacy completions is spoken to clients only, never to an upstream.")


def _no_count() -> NotBuilt:
    return NotBuilt("Legacy completions has no endpoint that counts tokens.")


DIALECT: Final = OpenAICompletions()

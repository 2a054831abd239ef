"""The Anthropic Messages dialect: `POST /v1/messages` and its token count, both sides of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamBroken, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects.anthropic import errors
from cliproxy.dialects.anthropic.build import build
from cliproxy.dialects.anthropic.parse import parse
from cliproxy.dialects.anthropic.read import AnthropicReader
from cliproxy.dialects.anthropic.write import AnthropicWriter, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta


class Anthropic:
    """The dialect; stateless."""

    id: DialectId = "anthropic"
    document_urls: bool = True

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request. Raises `BadRequest` naming the field."""
        return parse(body, meta)

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:
        """Write a request for a Claude upstream."""
        return build(req, caps, operation)

    def reader(self, caps: Caps) -> AnthropicReader:
        """Return a reader for one answer."""
        return AnthropicReader(caps)

    def writer(self, req: IRRequest, framing: Framing = "sse") -> AnthropicWriter:  # noqa: ARG002
        """Return a writer for one streaming client; this dialect streams SSE only."""
        return AnthropicWriter(req)

    def render(self, answer: Answer, req: IRRequest) -> bytes:
        """Write a whole message."""
        return render(answer, req)

    def render_count(self, tokens: int) -> bytes:
        """Write the answer of the token-count endpoint."""
        return json.dumps({"input_tokens": tokens})

    def read_count(self, body: bytes) -> int:
        """Read an upstream's token count. Raises `UpstreamBroken`."""
        try:
            value = json.loads(body)
        except json.InvalidJson as err:
            raise UpstreamBroken("The upstream's token count is not JSON.") from err
        tokens = value.get("input_tokens") if isinstance(value, dict) else None
        if not isinstance(tokens, int) or isinstance(tokens, bool):
            raise UpstreamBroken("The upstream's token count holds no input_tokens.")
        return tokens

    def error(self, err: GatewayError) -> bytes:
        """Write the error body."""
        return errors.error(err)

    def stream_error(
        self,
        err: GatewayError,
        framing: Framing = "sse",  # noqa: ARG002
        after: bytes = b"",  # noqa: ARG002
    ) -> bytes:
        """Write an error into a stream."""
        return errors.stream_error(err)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an upstream's error answer."""
        return errors.read_error(status, headers, body)


DIALECT: Final = Anthropic()

"""The OpenAI Responses dialect: `POST /v1/responses` and its token count, both sides of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamBroken, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects.openai_responses import errors
from cliproxy.dialects.openai_responses.build import build
from cliproxy.dialects.openai_responses.parse import parse
from cliproxy.dialects.openai_responses.read import ResponsesReader
from cliproxy.dialects.openai_responses.read_drawing import DrawingReader
from cliproxy.dialects.openai_responses.write import ResponsesWriter, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta


_SEQUENCE: Final = re.compile(rb'"sequence_number":\s*(\d+)')


class Responses:
    """The dialect; stateless."""

    id: DialectId = "openai-responses"
    document_urls: bool = True

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request. Raises `BadRequest` naming the field."""
        return parse(body, meta)

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:
        """Write a request for a Responses upstream."""
        return build(req, caps, operation)

    def reader(self, caps: Caps) -> ResponsesReader:
        """Return a reader for one answer."""
        return DrawingReader(caps) if caps.draws else ResponsesReader(caps)

    def writer(self, req: IRRequest, framing: Framing = "sse") -> ResponsesWriter:  # noqa: ARG002
        """Return a writer for one streaming client; this dialect streams SSE only."""
        return ResponsesWriter(req)

    def render(self, answer: Answer, req: IRRequest) -> bytes:
        """Write a whole response object."""
        return render(answer, req)

    def render_count(self, tokens: int) -> bytes:
        """Write the answer of the token-count endpoint."""
        return json.dumps({"object": "response.input_tokens", "input_tokens": tokens})

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
        after: bytes = b"",
    ) -> bytes:
        """Write an error into a stream, counting on from the event before."""
        counted = _SEQUENCE.findall(after)
        return errors.stream_error(err, int(counted[-1]) + 1 if counted else 0)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an upstream's error answer."""
        return errors.read_error(status, headers, body)


DIALECT: Final = Responses()

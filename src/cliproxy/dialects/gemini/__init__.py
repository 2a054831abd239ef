"""The Gemini dialect: `generateContent`, `streamGenerateContent`, `countTokens`, both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamBroken, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects.gemini import errors
from cliproxy.dialects.gemini.build import build
from cliproxy.dialects.gemini.parse import parse
from cliproxy.dialects.gemini.read import GeminiReader
from cliproxy.dialects.gemini.write import GeminiWriter, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta


class Gemini:
    """The dialect; stateless."""

    id: DialectId = "gemini"
    document_urls: bool = True

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request. Raises `BadRequest` naming the field."""
        return parse(body, meta)

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:
        """Write a request for a Gemini upstream."""
        return build(req, caps, operation)

    def reader(self, caps: Caps) -> GeminiReader:
        """Return a reader for one answer."""
        return GeminiReader(caps)

    def writer(self, req: IRRequest, framing: Framing = "sse") -> GeminiWriter:
        """Return a writer for one streaming client."""
        return GeminiWriter(req, array=framing == "array")

    def render(self, answer: Answer, req: IRRequest) -> bytes:
        """Write a whole answer."""
        return render(answer, req)

    def render_count(self, tokens: int) -> bytes:
        """Write the answer of the token-count endpoint."""
        return json.dumps(
            {
                "totalTokens": tokens,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
            }
        )

    def read_count(self, body: bytes) -> int:
        """Read an upstream's token count. Raises `UpstreamBroken`."""
        try:
            value = json.loads(body)
        except json.InvalidJson as err:
            raise UpstreamBroken("The upstream's token count is not JSON.") from err
        tokens = value.get("totalTokens") if isinstance(value, dict) else None
        if not isinstance(tokens, int) or isinstance(tokens, bool):
            raise UpstreamBroken("The upstream's token count holds no totalTokens.")
        return tokens

    def error(self, err: GatewayError) -> bytes:
        """Write the error body."""
        return errors.error(err)

    def stream_error(
        self,
        err: GatewayError,
        framing: Framing = "sse",
        after: bytes = b"",  # noqa: ARG002
    ) -> bytes:
        """Write an error into a stream that has shown nothing yet."""
        return b"[" + errors.error(err) + b"]" if framing == "array" else errors.event(err)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an upstream's error answer."""
        return errors.read_error(status, headers, body)


DIALECT: Final = Gemini()

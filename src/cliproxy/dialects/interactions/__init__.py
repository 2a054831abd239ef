"""The Interactions dialect: `POST /v1beta/interactions`, both sides of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamBroken, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects.interactions import errors
from cliproxy.dialects.interactions.build import build
from cliproxy.dialects.interactions.parse import parse
from cliproxy.dialects.interactions.read import InteractionsReader
from cliproxy.dialects.interactions.write import InteractionsWriter, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta


class Interactions:
    """The dialect; stateless."""

    id: DialectId = "interactions"
    document_urls: bool = True

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request. Raises `BadRequest` naming the field."""
        return parse(body, meta)

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:
        """Write a request for an Interactions upstream."""
        return build(req, caps, operation)

    def reader(self, caps: Caps) -> InteractionsReader:
        """Return a reader for one answer."""
        return InteractionsReader(caps)

    def writer(self, req: IRRequest, framing: Framing = "sse") -> InteractionsWriter:  # noqa: ARG002
        """Return a writer for one streaming client; this dialect streams SSE only."""
        return InteractionsWriter(req)

    def render(self, answer: Answer, req: IRRequest) -> bytes:
        """Write a whole interaction."""
        return render(answer, req)

    def render_count(self, tokens: int) -> bytes:
        """Write a token count, for which this API has no endpoint."""
        return json.dumps({"total_tokens": tokens})

    def read_count(self, body: bytes) -> int:  # noqa: ARG002  # there is no such answer
        """Refuse: this API does not count tokens. Raises `UpstreamBroken`."""
        raise UpstreamBroken("The Interactions API does not count tokens.")

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
        return errors.event(err)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an upstream's error answer."""
        return errors.read_error(status, headers, body)


DIALECT: Final = Interactions()

"""OpenAI's image API: `POST /v1/images/generations` and `POST /v1/images/edits`.

Two dialects that differ in what their events are called, and in that an edit begins with pictures.
In the IR, asking for a picture is asking a model that has one tool, and must use it. So whatever
upstream has such a tool can answer, and so can one that speaks this API itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cliproxy.base.errors import GatewayError, NotBuilt, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.dialects._errors import error_body, read_openai_error
from cliproxy.dialects.openai_images.build import build
from cliproxy.dialects.openai_images.parse import parse
from cliproxy.dialects.openai_images.read import ImagesReader
from cliproxy.dialects.openai_images.write import ImagesWriter, failed, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Error
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta, Reader, Writer


class OpenAIImages:
    """See `cliproxy.dialects.Dialect`."""

    document_urls: bool = False

    def __init__(self, name: DialectId, *, edits: bool) -> None:
        self.id = name
        self._edits = edits

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request."""
        return parse(body, meta, self.id, edits=self._edits)

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:  # noqa: ARG002  # there is one
        """Write a request."""
        return build(req, caps, edits=self._edits)

    def reader(self, caps: Caps) -> Reader:  # noqa: ARG002  # all hosts answer alike
        """Return a reader for one answer of an upstream."""
        return ImagesReader()

    def writer(self, req: IRRequest, framing: Framing = "sse") -> Writer:  # noqa: ARG002  # SSE only
        """Return a writer for one streaming client."""
        return ImagesWriter(req, edits=self._edits)

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
        return error_body(err)

    def stream_error(
        self,
        err: GatewayError,
        framing: Framing = "sse",  # noqa: ARG002  # SSE only
        after: bytes = b"",  # noqa: ARG002  # the same anywhere
    ) -> bytes:
        """Write an error into a stream."""
        return failed(Error.of(err))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an error body of this dialect."""
        return read_openai_error(status, headers, body, self.id)


def _no_count() -> NotBuilt:
    return NotBuilt("The image API has no endpoint that counts tokens.")


GENERATIONS: Final = OpenAIImages("openai-images", edits=False)
EDITS: Final = OpenAIImages("openai-image-edits", edits=True)

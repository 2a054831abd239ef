"""Gemini in the envelope of Code Assist: `POST /v1internal:generateContent` and its kin.

The request stands inside `request` beside `model`, every answer inside `response`; what is inside
is plain Gemini. Gemini CLI speaks this, and so does the upstream its login leads to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from cliproxy.base.json import Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.gemini import Gemini
from cliproxy.dialects.gemini.build import build
from cliproxy.dialects.gemini.parse import parse
from cliproxy.dialects.gemini.write import GeminiWriter, render
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import DialectId, IRRequest

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Framing, Operation, ParseMeta

_SESSION: Final = "session_id"


class CodeAssist(Gemini):
    """The dialect; stateless. Its requests count as Gemini's everywhere else."""

    id: DialectId = "code-assist"

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request. Raises `BadRequest` naming the field."""
        if "request" not in body:
            raise fields.missing("request")
        inner = dict(fields.as_obj(body["request"], "request"))
        # `project` and `user_prompt_id` belong to the client's own login, which is not used here.
        session = fields.text(inner, _SESSION, "request")
        inner.pop(_SESSION, None)
        model = meta.model or fields.text(body, "model")
        parsed = parse(inner, structs.replace(meta, model=model))
        if session:
            parsed = structs.replace(parsed, meta=structs.replace(parsed.meta, session=session))
        return parsed

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:
        """Write a request for Code Assist; the provider adds the account's project."""
        built = build(req, caps, operation)
        if operation == "count":
            inner = built.body.get("generateContentRequest", built.body)
            counted = {"model": f"models/{caps.model}", "contents": inner["contents"]}
            return structs.replace(built, body={"request": counted})
        body = built.body
        if req.meta.session:
            body[_SESSION] = req.meta.session
        return structs.replace(built, body={"model": caps.model, "request": body})

    def writer(self, req: IRRequest, framing: Framing = "sse") -> GeminiWriter:
        """Return a writer for one streaming client."""
        return _Writer(req, array=framing == "array")

    def render(self, answer: Answer, req: IRRequest) -> bytes:
        """Write a whole answer."""
        return _wrapped(render(answer, req))


class _Writer(GeminiWriter):
    def _frame(self, data: bytes, *, last: bool = False) -> bytes:
        # Errors stand outside the envelope.
        return super()._frame(data if data.startswith(b'{"error"') else _wrapped(data), last=last)


def _wrapped(data: bytes) -> bytes:
    return b'{"response":' + data + b"}"


DIALECT: Final = CodeAssist()

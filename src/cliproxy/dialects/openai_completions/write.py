"""Events → a legacy completion, streamed (`CompletionsWriter`) or whole (`render`).

Only text has a place here (a refusal is text, too): reasoning, tool calls and images are not
written, and a chunk that would carry nothing is not sent. Usage comes last and only if asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cliproxy.base import ids, json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects._errors import event_error
from cliproxy.dialects._openai_usage import usage_to
from cliproxy.dialects.openai_completions.wire import FINISH_OUT
from cliproxy.dialects.sse import COMMENT, DONE
from cliproxy.ir.events import (
    BlockStart,
    End,
    Error,
    Event,
    Finish,
    RefusalDelta,
    Start,
    TextDelta,
    Usage,
)
from cliproxy.ir.fold import Answer, Block
from cliproxy.ir.request import IRRequest, Text
from cliproxy.ir.usage import NOTHING


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def _echo(req: IRRequest) -> str:
    """Return the prompt, if the client wants it repeated before the completion."""
    if not req.raw.get("echo"):
        return ""
    prompt = req.raw.get("prompt")
    if isinstance(prompt, str):
        return prompt
    return "".join(part.text for part in req.messages[0].parts if isinstance(part, Text))


class CompletionsWriter:
    """Renders one streamed answer. See `cliproxy.dialects.Writer`."""

    def __init__(self, req: IRRequest) -> None:
        self._model = req.model
        self._with_usage = req.stream_usage
        self._echo = _echo(req)
        self._usage = NOTHING
        self._prefix = b""
        self._nulls = b',"usage":null}\n\n' if req.stream_usage else b"}\n\n"
        self._tails: dict[int, bytes] = {}
        """Choice → the constant end of its ordinary chunks."""
        self._block_tails: dict[int, bytes] = {}
        self._over = False

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the wire bytes of these events."""
        out: list[bytes] = []
        for event in events:
            if self._over:
                break
            self._event(event, out)
        return b"".join(out)

    def ping(self) -> bytes:
        """Return a comment: legal anywhere."""
        return COMMENT

    def _event(self, event: Event, out: list[bytes]) -> None:
        match event:
            case TextDelta() | RefusalDelta():
                if event.text:
                    out.append(self._prefix + json.dumps(event.text))
                    out.append(self._block_tails[event.index])
            case BlockStart():
                self._block_tails[event.index] = self._tail(event.choice, out)
            case Start():
                self._start(event, out)
            case Usage():
                self._usage = self._usage.merge(event.usage)
            case Finish():
                self._finish(event, out)
            case Error():
                out.append(event_error(event))
                self._over = True
            case End():
                self._end(out)
            case _:
                pass  # nothing of it can be said in this dialect

    def _start(self, event: Start, out: list[bytes]) -> None:
        fixed = json.dumps(
            {
                "id": ids.with_prefix("cmpl-", event.id),
                "object": "text_completion",
                "created": event.created or _now(),
                "model": self._model,
            }
        )
        self._prefix = b"data: " + fixed[:-1] + b',"choices":[{"text":'
        self._tail(0, out)

    def _tail(self, choice: int, out: list[bytes]) -> bytes:
        tail = self._tails.get(choice)
        if tail is None:
            tail = b',"index":%d,"logprobs":null,"finish_reason":null}]' % choice + self._nulls
            self._tails[choice] = tail
            if self._echo:
                out.append(self._prefix + json.dumps(self._echo) + tail)
        return tail

    def _finish(self, event: Finish, out: list[bytes]) -> None:
        self._tail(event.choice, out)
        choice = {
            "index": event.choice,
            "logprobs": _logprobs(event, len(self._echo)),
            "finish_reason": FINISH_OUT[event.reason],
        }
        out.append(self._prefix + b'"",' + json.dumps(choice)[1:] + b"]" + self._nulls)

    def _end(self, out: list[bytes]) -> None:
        if self._with_usage and self._usage.known:
            head = self._prefix[: -len(b'{"text":')]
            out.append(head + b'],"usage":' + json.dumps(usage_to(self._usage)) + b"}\n\n")
        out.append(DONE)
        self._over = True


# ---- whole ------------------------------------------------------------------------------------
def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole answer."""
    echo = _echo(req)
    body: Obj = {
        "id": ids.with_prefix("cmpl-", answer.start.id),
        "object": "text_completion",
        "created": answer.start.created or _now(),
        "model": req.model,
        "choices": [
            {
                "text": echo + _text(answer.of_choice(index)),
                "index": index,
                "logprobs": _logprobs(finish, len(echo)),
                "finish_reason": FINISH_OUT[finish.reason],
            }
            for index, finish in sorted((answer.finishes or {0: answer.finish}).items())
        ],
    }
    if answer.usage.known:
        body["usage"] = usage_to(answer.usage)
    return json.dumps(body)


def _text(blocks: list[Block]) -> str:
    return "".join(block.text for block in blocks if block.kind in ("text", "refusal"))


def _logprobs(finish: Finish, offset: int) -> Obj | None:
    """Turn chat's list of tokens into the four parallel lists of this dialect."""
    found = (finish.details or {}).get("logprobs")
    tokens: Json = found.get("content") if isinstance(found, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    legacy: Obj = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for item in tokens:
        if not isinstance(item, dict):
            continue
        token = str(item.get("token") or "")
        legacy["tokens"].append(token)
        legacy["token_logprobs"].append(item.get("logprob"))
        legacy["top_logprobs"].append(
            {str(top.get("token")): top.get("logprob") for top in item.get("top_logprobs") or []}
        )
        legacy["text_offset"].append(offset)
        offset += len(token)
    return legacy

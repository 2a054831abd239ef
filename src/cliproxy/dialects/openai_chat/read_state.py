"""What `read.py` remembers of a running answer, and what it concludes from it at the end.

State and pure conclusions only; which event follows from which chunk is in `read.py`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from cliproxy.base.json import Json, Obj
from cliproxy.dialects.openai_chat.wire import FINISH_IN
from cliproxy.ir.events import Finish, Reason
from cliproxy.ir.request import Sig, args_object


class ToolState:
    """One tool call as far as it is known."""

    __slots__ = ("args", "block", "custom", "held", "id", "name", "open", "rank", "sig", "signed")

    def __init__(self, rank: int) -> None:
        self.rank = rank
        """The upstream's index: the order in which late calls are emitted."""
        self.id = ""
        self.name = ""
        self.custom = False
        self.args: list[str] = []
        self.held = ""
        """A leading `{}` that real arguments may still replace."""
        self.block = -1
        self.open = False
        self.sig: Sig | None = None
        self.signed = False

    def complete(self) -> bool:
        """Tell whether the arguments are a whole, non-empty object: nothing can follow them."""
        return bool(self.args) and bool(args_object("".join(self.args)))


class ChoiceState:
    """What one choice has open, and what it waits for."""

    __slots__ = (
        "audio",
        "chars",
        "citations",
        "finish",
        "index",
        "last",
        "logprobs",
        "refusal",
        "refused",
        "text",
        "text_at",
        "thinking",
        "tools",
        "wire",
        "wrote",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.text = -1
        self.thinking = -1
        self.refusal = -1
        self.tools: list[ToolState] = []
        self.wire: dict[int, ToolState] = {}
        """Wire index → the call it means now (hosts reuse index 0 for parallel calls)."""
        self.last: ToolState | None = None
        self.finish: str | None = None
        self.chars = 0
        self.text_at = 0
        """Characters of the message before the open text block; annotations count from 0."""
        self.wrote = False
        self.refused = False
        self.citations: list[Obj] = []
        self.logprobs: Obj = {}
        self.audio: Obj = {}


def as_chunk(value: Obj) -> Obj:
    """Give the calls of a whole answer the indices that streamed ones have."""
    choices: list[Json] = []
    for n, item in enumerate(value["choices"]):
        choice = dict(item) if isinstance(item, dict) else {}
        message = choice.get("message")
        if isinstance(message, dict) and isinstance(message.get("tool_calls"), list):
            calls = [
                {**call, "index": k} if isinstance(call, dict) else call
                for k, call in enumerate(message["tool_calls"])
            ]
            choice["message"] = {**message, "tool_calls": calls}
        choice.setdefault("index", n)
        choice["finish_reason"] = choice.get("finish_reason") or "stop"
        choices.append(choice)
    return {**value, "choices": choices}


def finish_of(choice: ChoiceState) -> Finish:
    """Conclude how a choice ended, from what it said and from what it really sent."""
    native = choice.finish or "stop"
    reason: Reason = FINISH_IN.get(native.lower(), "stop")
    called = [tool for tool in choice.tools if tool.block >= 0]
    if called:
        # A cut answer is cut, unless even its last call is complete.
        last = called[-1]
        whole = not last.custom and args_object("".join(last.args)) is not None
        if reason in ("stop", "tool_calls") or (reason == "length" and whole):
            reason = "tool_calls"
    elif reason == "tool_calls":
        reason = "stop"
    if reason == "stop" and choice.refused and not choice.wrote:
        reason = "refusal"
    details = {"logprobs": choice.logprobs} if choice.logprobs else None
    return Finish(reason, native, choice=choice.index, details=details)


def collect_logprobs(choice: ChoiceState, value: Json) -> None:
    """Keep log probabilities; they leave with the `Finish` of the choice."""
    if isinstance(value, dict):
        for key in ("content", "refusal"):
            if isinstance(value.get(key), list):
                choice.logprobs.setdefault(key, []).extend(value[key])


def citation_of(annotation: Obj, offset: int) -> Obj:
    """Return the neutral citation; positions are counted from the start of the text block."""
    inner = annotation.get("url_citation")
    if not isinstance(inner, dict) or not isinstance(inner.get("url"), str):
        return {"kind": "file", "native": annotation, "dialect": "openai-chat"}
    value: Obj = {"kind": "url", "url": inner["url"]}
    if isinstance(inner.get("title"), str):
        value["title"] = inner["title"]
    start, end = inner.get("start_index"), inner.get("end_index")
    if isinstance(start, int) and isinstance(end, int) and end > start >= offset:
        value["start"], value["end"] = start - offset, end - offset
    if isinstance(inner.get("content"), str):
        value["cited_text"] = inner["content"]
    return value


def add_sources(choice: ChoiceState, sources: list[Json]) -> None:
    """Add a host's bare list of source addresses, where annotations do not name them already."""
    known = {
        url
        for item in choice.citations
        if isinstance(inner := item.get("url_citation"), dict)
        and isinstance(url := inner.get("url"), str)
    }
    for source in sources:
        url = source.get("url") if isinstance(source, dict) else source
        if isinstance(url, str) and url and url not in known:
            known.add(url)
            choice.citations.append({"type": "url_citation", "url_citation": {"url": url}})


def join_base64(pieces: list[str]) -> str:
    """Join base64 pieces; each is encoded on its own, so padding inside means re-encoding."""
    joined = "".join(pieces)
    if "=" not in joined.rstrip("="):
        return joined
    try:
        return b64encode(b"".join(b64decode(piece) for piece in pieces)).decode("ascii")
    except ValueError:
        return joined.replace("=", "")

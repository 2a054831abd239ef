"""A choice of a whole chat answer, and what it has in common with a streamed one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cliproxy.base import ids
from cliproxy.base.errors import UpstreamBroken
from cliproxy.base.json import Obj
from cliproxy.dialects.openai_chat.wire import FINISH_OUT
from cliproxy.ir.events import BlockStart, Finish
from cliproxy.ir.fold import Block
from cliproxy.ir.request import IRRequest, Sig

BREAK: Final = "\n\n"
"""Parts the paragraphs of reasoning."""
_VISIBLE: Final = frozenset({"text", "refusal", "tool_call", "image", "audio"})


def legacy_functions(req: IRRequest) -> bool:
    """Tell whether the client declared the deprecated `functions` and expects `function_call`."""
    return (
        req.source == "openai-chat" and bool(req.raw.get("functions")) and not req.raw.get("tools")
    )


# ---- both forms ---------------------------------------------------------------------------------
def finish_reason(finish: Finish, *, called: bool, refused: bool) -> str:
    """Return the wire word; `tool_calls` never without a call, `stop` never with one."""
    if finish.reason == "tool_calls" and not called:
        return "stop"
    if finish.reason == "refusal" and refused:
        return "stop"  # the refusal text is in the message
    word = FINISH_OUT[finish.reason]
    return "tool_calls" if called and word == "stop" else word


def malformed(finish: Finish) -> UpstreamBroken:
    """Return the error of an answer that is nothing but a broken call."""
    what = f" ({finish.native})" if finish.native else ""
    return UpstreamBroken(f"The model produced a tool call that cannot be read{what}.")


def extra_content(sig: Sig) -> Obj:
    """Return where a call of Google's compatible endpoint has its signature."""
    return {"google": {"thought_signature": sig.value}}


def image_of(mime: str, b64: str, index: int) -> Obj:
    """Return a picture made by the model."""
    url = f"data:{mime or 'image/png'};base64,{b64}"
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def audio_of(start: BlockStart, b64: str) -> Obj:
    """Return sound made by the model."""
    native = start.native if isinstance(start.native, dict) else {}
    return {"id": native.get("id") or "audio_" + ids.token(), "data": b64, **native}


def annotation_of(value: Obj, before: int, total: int) -> Obj | None:
    """Return the annotation; `before` = characters of the message before the cited block."""
    if value.get("dialect") == "openai-chat" and isinstance(value.get("native"), dict):
        native: Obj = value["native"]
        return native
    if value.get("kind") != "url" or not value.get("url"):
        return None
    start, end = value.get("start"), value.get("end")
    if not (isinstance(start, int) and isinstance(end, int)):
        start, end = 0, total - before
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": before + start,
            "end_index": before + end,
            "title": value.get("title") or "",
            "url": value["url"],
        },
    }


# ---- whole --------------------------------------------------------------------------------------
def whole_choice(blocks: list[Block], finish: Finish, *, legacy: bool) -> Obj:
    """Return one choice. Raises `UpstreamBroken` where there is nothing but a broken call."""
    calls = [block for block in blocks if block.kind == "tool_call"]
    said = any(b.kind in _VISIBLE and (b.text or b.kind == "tool_call") for b in blocks)
    if finish.reason == "malformed_tool" and not said:
        raise malformed(finish)
    refused = any(block.kind == "refusal" for block in blocks)
    reason = finish_reason(finish, called=bool(calls), refused=refused)
    if legacy and reason == "tool_calls":
        reason = "function_call"
    choice: Obj = {
        "index": finish.choice,
        "message": _message(blocks, calls, legacy=legacy),
        "finish_reason": reason,
    }
    logprobs = (finish.details or {}).get("logprobs")
    if logprobs:
        choice["logprobs"] = logprobs
    return choice


def _message(blocks: list[Block], calls: list[Block], *, legacy: bool) -> Obj:
    text = "".join(_texts(blocks, "text"))
    refusal = "".join(_texts(blocks, "refusal"))
    message: Obj = {
        "role": "assistant",
        "content": text or (None if calls or refusal else ""),
        "refusal": refusal or None,
    }
    if thoughts := [t for t in _texts(blocks, "thinking") if t]:
        message["reasoning_content"] = BREAK.join(thoughts)
    if notes := _annotations(blocks):
        message["annotations"] = notes
    if calls and legacy:
        first = calls[0]
        message["function_call"] = {"name": first.start.name, "arguments": first.text or "{}"}
    elif calls:
        message["tool_calls"] = [_whole_call(block) for block in calls]
    images = [block for block in blocks if block.kind == "image"]
    if images:
        message["images"] = [image_of(b.start.mime, b.text, n) for n, b in enumerate(images)]
    for block in blocks:
        if block.kind == "audio":
            message["audio"] = audio_of(block.start, block.text)
    return message


def _texts(blocks: Iterable[Block], kind: str) -> list[str]:
    return [block.text for block in blocks if block.kind == kind]


def _annotations(blocks: Iterable[Block]) -> list[Obj]:
    notes: list[Obj] = []
    chars = 0
    for block in blocks:
        if block.kind == "text":
            before, chars = chars, chars + len(block.text)
            found = (annotation_of(value, before, chars) for value in block.citations)
            notes.extend(note for note in found if note is not None)
    return notes


def _whole_call(block: Block) -> Obj:
    start = block.start
    call: Obj = {"id": start.id, "type": "function"}
    if start.tool_kind == "custom":
        call["type"] = "custom"
        call["custom"] = {"name": start.name, "input": block.text}
    else:
        call["function"] = {"name": start.name, "arguments": block.text or "{}"}
    if block.signature is not None and block.signature.family == "gemini":
        call["extra_content"] = extra_content(block.signature)
    return call

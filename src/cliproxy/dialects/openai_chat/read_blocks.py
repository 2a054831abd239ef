"""The blocks of a chat completions answer while it is read: what opens them, what ends them.

- At most one text, one thinking and one refusal block of a choice are open; each ends the others.
- A tool call opens once its id *and* name are known; arguments wait until then. What never becomes
  known is made up at the end, unless nothing but the bare entry ever came.
- Tool calls stay open until the end, because pieces of several may interleave, except that a call
  whose arguments already are a complete object is closed when something else begins.
"""

from __future__ import annotations

from typing import Any

from cliproxy.base import ids, json
from cliproxy.base.errors import GatewayError
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.openai_chat.read_state import (
    ChoiceState,
    ToolState,
    add_sources,
    citation_of,
    join_base64,
)
from cliproxy.dialects.openai_chat.wire import reasoning_text, thought_signature
from cliproxy.ir.events import (
    ArgsDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Citation,
    Event,
    MediaDelta,
    RefusalDelta,
    Signature,
    TextDelta,
    ThinkingDelta,
)
from cliproxy.ir.media import parse_data_url, sniff


class BlockReader:
    """Opens, fills and closes the blocks of every choice."""

    def __init__(self) -> None:
        self._next = 0
        self._ids: set[str] = set()
        """Of the calls so far."""
        self._sources: list[Json] = []
        """Addresses that a host names beside the answer."""

    # ---- text, thinking, refusal --------------------------------------------------------------
    def _open(self, choice: ChoiceState, kind: BlockKind, out: list[Event], **more: Any) -> int:
        index = self._next
        self._next = index + 1
        out.append(BlockStart(index, kind, choice.index, **more))
        return index

    def _text(self, choice: ChoiceState, text: str, out: list[Event]) -> None:
        if choice.text < 0:
            self._part_ends(choice, out)
            choice.text = self._open(choice, "text", out)
            choice.text_at = choice.chars
            choice.wrote = True
        choice.chars += len(text)
        out.append(TextDelta(choice.text, text))

    def _think(self, choice: ChoiceState, text: str, out: list[Event]) -> None:
        if not text:
            return
        if choice.thinking < 0:
            self._part_ends(choice, out)
            choice.thinking = self._open(choice, "thinking", out)
        out.append(ThinkingDelta(choice.thinking, text))

    def _refuse(self, choice: ChoiceState, text: Json, out: list[Event]) -> None:
        if not isinstance(text, str):
            return
        if choice.refusal < 0:
            self._part_ends(choice, out)
            choice.refusal = self._open(choice, "refusal", out)
            choice.refused = True
        out.append(RefusalDelta(choice.refusal, text))

    def _part_ends(self, choice: ChoiceState, out: list[Event]) -> None:
        """Close whatever the beginning of another part ends."""
        if choice.text >= 0:
            self._cite(choice, out)
            out.append(BlockStop(choice.text))
            choice.text = -1
        if choice.thinking >= 0:
            out.append(BlockStop(choice.thinking))
            choice.thinking = -1
        if choice.refusal >= 0:
            out.append(BlockStop(choice.refusal))
            choice.refusal = -1
        for tool in choice.tools:
            if tool.open and tool.complete():
                self._stop_call(tool, out)

    def _parts(self, choice: ChoiceState, content: Json, out: list[Event]) -> None:
        """Read content given as parts (Mistral, and image models of routers)."""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str):
                if part:
                    self._text(choice, part, out)
                continue
            if not isinstance(part, dict):
                continue
            match part.get("type"):
                case "thinking" | "reasoning":
                    self._think(choice, reasoning_text(part), out)
                case "image_url":
                    self._image(choice, part, out)
                case "refusal":
                    self._refuse(choice, part.get("refusal"), out)
                case _:
                    if isinstance(part.get("text"), str) and part["text"]:
                        self._text(choice, part["text"], out)

    # ---- tool calls ---------------------------------------------------------------------------
    def _call(self, choice: ChoiceState, entry: Obj, out: list[Event]) -> None:
        function = entry.get("function")
        custom = entry.get("custom")
        inner = custom if isinstance(custom, dict) else function
        if not isinstance(inner, dict):
            inner = {}
        call_id, name = entry.get("id"), inner.get("name")
        call_id = call_id if isinstance(call_id, str) else ""
        name = name if isinstance(name, str) else ""
        tool = self._find(choice, entry.get("index"), call_id, name, out)
        choice.last = tool
        if isinstance(custom, dict):
            tool.custom = True
        if call_id and not tool.id:
            tool.id = call_id
        if name and not tool.name:
            tool.name = name
        if tool.sig is None and "extra_content" in entry:
            tool.sig = thought_signature(entry)
        if tool.block < 0 and tool.id and tool.name:
            self._start_call(choice, tool, out)
        args = inner.get("input" if tool.custom else "arguments")
        if args is not None:
            self._args(tool, args, out)
        if tool.open and tool.sig is not None and not tool.signed:
            tool.signed = True
            out.append(Signature(tool.block, tool.sig))

    def _find(
        self, choice: ChoiceState, index: Json, call_id: str, name: str, out: list[Event]
    ) -> ToolState:
        """Tell which call an entry belongs to; a new one if it is none of the known."""
        if index.__class__ is int:
            tool = choice.wire.get(index)
            if tool is None:
                return self._new(choice, index, index, out)
            # Parallel calls that all claim one index: another id with a name, after a call that
            # has all it needs, is another call.
            another = call_id and name and tool.id and call_id != tool.id
            if another and (tool.complete() or not tool.args):
                return self._new(choice, index, len(choice.tools), out)
            return tool
        if call_id:
            for tool in choice.tools:
                if tool.id == call_id:
                    return tool
            if choice.last is not None and not choice.last.id:
                return choice.last
            return self._new(choice, -1 - len(choice.tools), len(choice.tools), out)
        if choice.last is not None:
            return choice.last
        return self._new(choice, 0, 0, out)

    def _new(self, choice: ChoiceState, wire: int, rank: int, out: list[Event]) -> ToolState:
        self._part_ends(choice, out)
        tool = choice.wire[wire] = ToolState(rank)
        choice.tools.append(tool)
        return tool

    def _start_call(self, choice: ChoiceState, tool: ToolState, out: list[Event]) -> None:
        # Hosts that give every call one id leave no way to tell the results apart.
        call_id = "call_" + ids.token() if tool.id in self._ids else tool.id
        self._ids.add(call_id)
        tool.block = self._open(
            choice,
            "tool_call",
            out,
            id=call_id,
            name=tool.name,
            tool_kind="custom" if tool.custom else "function",
        )
        tool.open = True
        if tool.args:
            out.append(ArgsDelta(tool.block, "".join(tool.args)))

    def _args(self, tool: ToolState, args: Json, out: list[Event]) -> None:
        text = args if isinstance(args, str) else json.dumps_str(args)
        if not text or (tool.block >= 0 and not tool.open):
            return
        if not tool.args and not tool.custom and text.strip() == "{}":
            tool.held = "{}"
            return
        tool.args.append(text)
        if tool.open:
            out.append(ArgsDelta(tool.block, text))

    def _stop_call(self, tool: ToolState, out: list[Event]) -> None:
        if tool.held and not tool.args:
            tool.args.append(tool.held)
            out.append(ArgsDelta(tool.block, tool.held))
        out.append(BlockStop(tool.block))
        tool.open = False

    # ---- media and sources --------------------------------------------------------------------
    def _image(self, choice: ChoiceState, item: Json, out: list[Event]) -> None:
        inner = item.get("image_url") if isinstance(item, dict) else item
        url = inner.get("url") if isinstance(inner, dict) else inner
        if not isinstance(url, str) or not url:
            return
        if not url.startswith("data:"):
            # An address is not image data; the reader of the answer can still follow it.
            self._text(choice, f"![image]({url})", out)
            return
        try:
            media = parse_data_url(url, where="images")
        except GatewayError:
            return  # broken image data is nothing anyone could show
        self._part_ends(choice, out)
        block = self._open(choice, "image", out, mime=media.mime)
        out.append(MediaDelta(block, media.b64))
        out.append(BlockStop(block))
        choice.wrote = True

    def _audio(self, choice: ChoiceState, audio: Obj, out: list[Event]) -> None:
        """Pass the transcript on as text at once; the sound is one block at the end."""
        transcript = audio.get("transcript")
        if isinstance(transcript, str) and transcript:
            self._text(choice, transcript, out)
        if isinstance(audio.get("data"), str):
            choice.audio.setdefault("data", []).append(audio["data"])
        for key in ("id", "expires_at"):
            if audio.get(key):
                choice.audio[key] = audio[key]

    def _cite(self, choice: ChoiceState, out: list[Event]) -> None:
        out.extend(
            Citation(choice.text, citation_of(annotation, choice.text_at))
            for annotation in choice.citations
        )
        choice.citations.clear()

    # ---- the end ------------------------------------------------------------------------------
    def _close(self, choice: ChoiceState, out: list[Event]) -> None:
        if self._sources and choice.wrote:
            add_sources(choice, self._sources)
        if choice.citations and choice.text < 0:
            self._part_ends(choice, out)
            choice.text = self._open(choice, "text", out)
            choice.text_at = choice.chars
        self._part_ends(choice, out)
        for tool in sorted((t for t in choice.tools if t.block < 0), key=lambda t: t.rank):
            if not (tool.id or tool.name or tool.args or tool.held):
                continue  # an entry that never said anything is no call
            tool.id = tool.id or "call_" + ids.token()
            tool.name = tool.name or f"tool_{tool.rank}"
            self._start_call(choice, tool, out)
            if tool.sig is not None:
                out.append(Signature(tool.block, tool.sig))
        for tool in choice.tools:
            if tool.open:
                self._stop_call(tool, out)
        if data := choice.audio.get("data"):
            native = {k: v for k, v in choice.audio.items() if k != "data"}
            b64 = join_base64(data)
            mime = sniff(b64) or "audio/pcm"  # what streams carry has no header to tell it by
            block = self._open(
                choice, "audio", out, mime=mime, native=native, dialect="openai-chat"
            )
            out.append(MediaDelta(block, b64))
            out.append(BlockStop(block))


def listed(value: Json) -> list[Json]:
    """Return a list, empty for what is none."""
    return value if isinstance(value, list) else []

"""The items of a Responses answer while it is read; which event leads here is in `read.py`.

State is kept per output item. An event finds its item by `item_id`, then by `output_index`, then
by being about the item opened last: compatible hosts leave one or both out. What a host says only
in a `.done` event, or only in the final response, is caught up from there; nothing is said twice.
"""

from __future__ import annotations

from cliproxy.base import ids, json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.openai_responses import server_tools
from cliproxy.dialects.openai_responses.items import (
    Item,
    annotation,
    open_kind,
    text_of,
)
from cliproxy.ir.caps import Caps
from cliproxy.ir.envelope import unwrap
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
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
)
from cliproxy.ir.request import Family


class ItemReader:
    """Turns items into blocks."""

    def __init__(self, caps: Caps) -> None:
        self._family: Family = "gpt" if caps.family == "unknown" else caps.family
        self._started = False
        self._next = 0
        self._by_id: dict[str, Item] = {}
        self._by_index: dict[int, Item] = {}
        self._items: list[Item] = []
        self._calls = 0
        self._logprobs: list[Json] = []
        self._said: set[BlockKind] = set()
        """Kinds of message parts there were."""
        self._searched: str | None = None
        """What the latest web search was for; None before the first."""
        self._opened: set[str] = set()
        """Pages that were looked at."""

    def _begin(self, value: Obj) -> list[Event]:
        if self._started:
            return []
        self._started = True
        response = value.get("response")
        response = response if isinstance(response, dict) else {}
        created = response.get("created_at")
        return [
            Start(
                text_of(response, "id"),
                text_of(response, "model"),
                int(created) if isinstance(created, int | float) else 0,
            )
        ]

    # ---- items --------------------------------------------------------------------------------
    def _find(self, value: Obj, kind: str = "") -> Item | None:
        """Return the item an event is about; one of another kind than `kind` never is."""
        item_id, index = value.get("item_id"), value.get("output_index")
        known = [self._by_id.get(item_id)] if isinstance(item_id, str) else []
        known += [self._by_index.get(index)] if isinstance(index, int) else []
        for item in known:
            if item is not None and kind in ("", item.kind):
                return item
        if len(known) == 2:  # it names itself in both ways, and neither is known
            return None
        items = reversed(self._items)
        return next((i for i in items if not i.done and kind in ("", i.kind)), None)

    def _added(self, value: Obj) -> list[Event]:
        wire = value.get("item")
        if not isinstance(wire, dict):
            return []
        index = value.get("output_index")
        known = self._by_index.get(index) if isinstance(index, int) else None
        if known is not None and known.kind == wire.get("type"):
            return []
        return [*self._begin(value), *self._new(wire, index)[1]]

    def _new(self, wire: Obj, index: Json) -> tuple[Item, list[Event]]:
        item = Item(wire)
        self._items.append(item)
        if item.id:
            self._by_id[item.id] = item
        if isinstance(index, int):
            self._by_index[index] = item
        if item.kind in ("function_call", "custom_tool_call"):
            return item, self._open_call(item, wire)
        if item.kind == "reasoning" and wire.get("encrypted_content"):
            item.early_signature = text_of(wire, "encrypted_content")
        return item, []

    def _or_new(self, value: Obj, kind: str) -> tuple[Item, list[Event]]:
        """Return the item an event is about, inventing one the host never announced."""
        item = self._find(value, kind)
        if item is not None:
            return item, []
        out = self._begin(value)
        item, opened = self._new(
            {"type": kind, "id": value.get("item_id")}, value.get("output_index")
        )
        return item, out + opened

    def _open(self, item: Item, kind: BlockKind, **fields: object) -> BlockStart:
        start = BlockStart(self._next, kind, item_id=item.id or None, **fields)  # type: ignore[arg-type]
        self._next += 1
        item.block = start.index
        item.open = True
        return start

    def _shut(self, item: Item) -> list[Event]:
        if not item.open:
            return []
        item.open = False
        return [BlockStop(item.block)]

    # ---- text ---------------------------------------------------------------------------------
    def _text_delta(self, value: Obj) -> list[Event]:
        delta = value.get("delta")
        if not isinstance(delta, str) or not delta:
            return []
        item, out = self._or_new(value, "message")
        if item.done:
            return out
        out += self._part(item, value.get("content_index"), "text")
        item.said = True
        out.append(TextDelta(item.block, delta))
        return out

    def _part(self, item: Item, number: Json, kind: BlockKind) -> list[Event]:
        """Make sure the block of a content part is open."""
        at = number if isinstance(number, int) else item.part
        if item.open and item.part == at and item.open_kind == kind:
            return []
        out = self._shut(item)
        item.part, item.open_kind, item.said, item.cited = at, kind, False, 0
        item.parts_seen.add(at)
        self._said.add(kind)
        out.append(self._open(item, kind))
        return out

    def _text_done(self, value: Obj) -> list[Event]:
        item, out = self._or_new(value, "message")
        return out + self._whole_text(item, value.get("content_index"), text_of(value, "text"))

    def _whole_text(self, item: Item, number: Json, text: str) -> list[Event]:
        """Deliver a part's text unless its deltas already have."""
        at = number if isinstance(number, int) else item.part
        if item.done:
            return []
        if at in item.parts_seen and (item.said or at != item.part or not item.open):
            return []
        if not text:
            return []
        out = self._part(item, at, "text")
        item.said = True
        out.append(TextDelta(item.block, text))
        return out

    def _refusal_delta(self, value: Obj) -> list[Event]:
        item, out = self._or_new(value, "message")
        delta = text_of(value, "delta")
        if not delta or item.done:
            return out
        out += self._part(item, value.get("content_index"), "refusal")
        item.said = True
        out.append(RefusalDelta(item.block, delta))
        return out

    def _refusal_done(self, value: Obj) -> list[Event]:
        item, out = self._or_new(value, "message")
        return out + self._refused(item, value.get("content_index"), text_of(value, "refusal"))

    def _refused(self, item: Item, number: Json, text: str) -> list[Event]:
        """Deliver a part's refusal unless its deltas already have."""
        at = number if isinstance(number, int) else item.part
        if not text or item.done or (at in item.parts_seen and (item.said or at != item.part)):
            return []
        out = self._part(item, at, "refusal")
        item.said = True
        out.append(RefusalDelta(item.block, text))
        return out

    def _annotation(self, value: Obj) -> list[Event]:
        item = self._find(value, "message")
        if item is None or not item.open or item.open_kind != "text":
            return []
        item.cited += 1
        return [Citation(item.block, annotation(value.get("annotation")))]

    def _part_done(self, value: Obj) -> list[Event]:
        item = self._find(value, "message")
        part = value.get("part")
        if item is None or not isinstance(part, dict):
            return []
        out: list[Event] = []
        number = value.get("content_index")
        if part.get("type") == "output_text":
            out = self._whole_text(item, number, text_of(part, "text"))
            out += self._cites(item, number, part)
        elif part.get("type") == "refusal":
            out = self._refused(item, number, text_of(part, "refusal"))
        return out + self._shut(item)

    def _cites(self, item: Item, number: Json, part: Obj) -> list[Event]:
        found = part.get("annotations")
        if not isinstance(found, list) or not item.open or item.open_kind != "text":
            return []
        if isinstance(number, int) and number != item.part:
            return []
        out: list[Event] = [Citation(item.block, annotation(a)) for a in found[item.cited :]]
        item.cited = max(item.cited, len(found))
        return out

    # ---- reasoning ----------------------------------------------------------------------------
    def _summary(self, value: Obj, text: str, *, raw: bool = False) -> list[Event]:
        item, out = self._or_new(value, "reasoning")
        if item.done:
            return out
        out += self._thinking(item, raw=raw)
        number = value.get("content_index") if raw else value.get("summary_index")
        number = number if isinstance(number, int) else item.part
        if item.said and number != item.part:
            out.append(ThinkingBreak(item.block))
        item.part = number
        item.parts_seen.add(number)
        item.said = True
        out.append(ThinkingDelta(item.block, text))
        return out

    def _thinking(self, item: Item, *, raw: bool = False) -> list[Event]:
        if item.open:
            return []
        return [self._open(item, "thinking", raw=raw)]

    def _summary_delta(self, value: Obj) -> list[Event]:
        text = text_of(value, "delta")
        return self._summary(value, text) if text else []

    def _summary_done(self, value: Obj) -> list[Event]:
        item = self._find(value, "reasoning")
        number = value.get("summary_index")
        text = text_of(value, "text")
        seen = item is not None and (not isinstance(number, int) or number in item.parts_seen)
        if not text or (seen and item is not None and item.said):
            return []
        return self._summary(value, text)

    def _raw_delta(self, value: Obj) -> list[Event]:
        text = text_of(value, "delta")
        return self._summary(value, text, raw=True) if text else []

    def _raw_done(self, value: Obj) -> list[Event]:
        item, text = self._find(value, "reasoning"), text_of(value, "text")
        if not text or (item is not None and item.said):
            return []
        return self._summary(value, text, raw=True)

    # ---- calls --------------------------------------------------------------------------------
    def _open_call(self, item: Item, wire: Obj) -> list[Event]:
        """Open a call's block as soon as its name is known."""
        item.learn(wire)
        if item.open or item.done or not item.name:
            return []
        custom = item.kind == "custom_tool_call"
        item.call_id = item.call_id or item.id or f"call_{ids.token()}"
        self._calls += 1
        start = self._open(
            item,
            "tool_call",
            id=item.call_id,
            name=item.name,
            namespace=item.namespace,
            tool_kind="custom" if custom else "function",
        )
        if not item.args:
            return [start]
        return [start, ArgsDelta(start.index, "".join(item.args))]

    def _args_delta(self, value: Obj) -> list[Event]:
        delta = text_of(value, "delta")
        item = self._find_call(value)
        if item is None or not delta:
            return []
        item.args.append(delta)
        return [ArgsDelta(item.block, delta)] if item.open else []

    def _find_call(self, value: Obj) -> Item | None:
        item = self._find(value)
        if item is not None and item.kind.endswith("_call"):
            return item
        return next(
            (i for i in reversed(self._items) if not i.done and i.kind.endswith("_call")), None
        )

    def _args_done(self, value: Obj) -> list[Event]:
        item = self._find_call(value)
        if item is None:
            return []
        out = self._open_call(item, value)
        field = "input" if item.kind == "custom_tool_call" else "arguments"
        return out + self._rest_of_args(item, value.get(field))

    def _rest_of_args(self, item: Item, final: Json) -> list[Event]:
        """Deliver what the deltas did not: all of it, or the missing end."""
        if final is not None and not isinstance(final, str):
            final = json.dumps_str(final)
        said = "".join(item.args)
        if not final or final == said:
            return []
        if said and not final.startswith(said):
            return []  # deltas and final disagree: what was said cannot be taken back
        missing = final[len(said) :]
        item.args.append(missing)
        return [ArgsDelta(item.block, missing)] if item.open else []

    # ---- ends of items ------------------------------------------------------------------------
    def _item_done(self, value: Obj) -> list[Event]:
        wire = value.get("item")
        if not isinstance(wire, dict):
            return []
        item = self._find({"item_id": wire.get("id"), "output_index": value.get("output_index")})
        out = self._begin(value)
        if item is not None and item.done and item.is_again(wire):
            return out
        if item is None or item.done or item.kind != wire.get("type"):
            item, opened = self._new(wire, value.get("output_index"))
            out += opened
        return out + self._finish_item(item, wire)

    def _finish_item(self, item: Item, wire: Obj) -> list[Event]:
        if item.done:
            return []
        out: list[Event] = []
        match item.kind:
            case "message":
                content = wire.get("content")
                for number, part in enumerate(content if isinstance(content, list) else ()):
                    if not isinstance(part, dict):
                        continue
                    if part.get("type") == "refusal":
                        out += self._refused(item, number, text_of(part, "refusal"))
                        continue
                    out += self._whole_text(item, number, text_of(part, "text"))
                    out += self._cites(item, number, part)
                    told = part.get("logprobs")
                    self._logprobs += told if isinstance(told, list) else []
                out += self._shut(item)
            case "reasoning":
                out += self._finish_reasoning(item, wire)
            case "function_call" | "custom_tool_call":
                out += self._open_call(item, wire)
                field = "input" if item.kind == "custom_tool_call" else "arguments"
                out += self._rest_of_args(item, wire.get(field))
                out += self._shut(item)
            case _:
                out += self._server_item(item, wire)
        item.done = True
        return out

    def _finish_reasoning(self, item: Item, wire: Obj) -> list[Event]:
        out: list[Event] = []
        summary, content = wire.get("summary"), wire.get("content")
        raw = not summary and bool(content)
        parts = content if raw else summary
        for number, part in enumerate(parts if isinstance(parts, list) else ()):
            if not isinstance(part, dict) or number in item.parts_seen:
                continue
            text = text_of(part, "text")
            if text:
                out += self._thinking(item, raw=raw)
                if item.said:
                    out.append(ThinkingBreak(item.block))
                item.said = True
                item.parts_seen.add(number)
                out.append(ThinkingDelta(item.block, text))
        # The value on `added` is a placeholder; it counts only when `done` brings none.
        value = text_of(wire, "encrypted_content") or item.early_signature
        if value:
            out += self._thinking(item)
            out.append(Signature(item.block, unwrap(value, self._family)))
        return out + self._shut(item)

    def _server_item(self, item: Item, wire: Obj) -> list[Event]:
        kind = item.kind
        if kind == "image_generation_call":
            result = text_of(wire, "result")
            if not result:
                return []
            mime = f"image/{text_of(wire, 'output_format') or 'png'}"
            start = self._open(item, "image", id=item.id, mime=mime)
            return [start, MediaDelta(start.index, result), *self._shut(item)]
        server = open_kind(kind)
        if server is None:
            start = self._open(item, "opaque", native=wire, dialect="openai-responses")
            return [start, *self._shut(item)]
        call_id = item.id or f"ws_{ids.token()}"
        action = wire.get("action")
        action = action if isinstance(action, dict) else {}
        sources = action.get("sources")
        results = [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
        args: Obj = action
        if server == "web_search" and action.get("type") in ("open_page", "find_in_page"):
            url = text_of(action, "url")
            if not url or url in self._opened:
                return []  # looking around in what is open is a step of that
            self._opened.add(url)
            server, args = "web_fetch", {"url": url}
        elif server == "web_search":
            query = _searched(action)
            again = self._searched is not None and query in ("", self._searched)
            if again and not results and action.get("type") != "search":
                return []  # no search of its own
            self._searched, args = query, {"query": query}
        native = {"native": wire, "dialect": "openai-responses"}
        name, label, said = server, None, json.dumps_str(args)
        payload: Json = wire.get("outputs")
        if kind == "web_search_call":
            failed = {"error": "failed"} if wire.get("status") == "failed" else {}
            payload = {"results": results} if server == "web_search" else {**args, **failed}
        if kind in server_tools.TYPES:
            name, label = server_tools.name_of(wire), server_tools.label_of(wire)
            said, payload = server_tools.args_of(wire), server_tools.payload_of(wire)
        start = self._open(
            item,
            "server_call",
            id=call_id,
            name=name,
            namespace=label,
            server_kind=server,
            **native,
        )
        out: list[Event] = [start, ArgsDelta(start.index, said), *self._shut(item)]
        answer = self._open(
            item, "server_result", id=call_id, server_kind=server, payload=payload, **native
        )
        return [*out, answer, *self._shut(item)]


def _searched(action: Obj) -> str:
    """Return what a web search was for."""
    queries = action.get("queries")
    first = queries[0] if isinstance(queries, list) and queries else ""
    found = action.get("query") or first
    return found if isinstance(found, str) else ""

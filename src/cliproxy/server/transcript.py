"""What a websocket remembers from turn to turn, and the request that a short message stands for.

A client may send what is new and leave out what the connection knows. Items are kept as the bytes
that came and went; only their heads are ever read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from cliproxy.base import ids, json
from cliproxy.base.errors import BadRequest
from cliproxy.base.redact import Hidden
from cliproxy.pipeline.context import decode_object
from cliproxy.server.bodies import too_large

CREATE: Final = "response.create"
APPEND: Final = "response.append"
_INHERITED: Final = ("model", "instructions")
_RETOLD: Final = frozenset(
    {"function_call", "custom_tool_call", "compaction", "compaction_summary"}
)
"""Items that only a model makes: whoever sends them tells the conversation from its beginning."""
_MOST: Final = 256 * 1024 * 1024
"""Bytes that all connections together remember."""

Fields = dict[str, bytes]


class Turn(Hidden, Struct):
    """One message, read."""

    body: bytes
    """The request that it stands for, as it would have come over HTTP."""
    settings: Fields
    items: list[bytes] | None
    """All of the conversation up to the answer; None when only others know it."""
    generate: bool = True
    short: bytes = b""
    """What of it is new, where it goes on from the last answer of this connection."""
    previous: str = ""
    """That answer, by its id."""


class Memory:
    """What all connections remember, within a number of bytes; who was silent longest forgets."""

    def __init__(self, most: int = _MOST) -> None:
        self.most = most
        self.bytes = 0
        self._held: OrderedDict[Transcript, int] = OrderedDict()

    def hold(self, transcript: Transcript, size: int) -> None:
        """Count what a connection remembers now."""
        self.drop(transcript)
        self._held[transcript] = size
        self.bytes += size
        while self.bytes > self.most:
            next(iter(self._held)).forget()

    def drop(self, transcript: Transcript) -> None:
        """Count a connection no longer."""
        self.bytes -= self._held.pop(transcript, 0)


class Transcript:
    """The conversation of one connection."""

    def __init__(self, memory: Memory, limit: Callable[[], int]) -> None:
        self.id = ids.token()
        self._memory = memory
        self._limit = limit
        self._settings: Fields = {}
        self._items: list[bytes] | None = None
        self._last = ""
        self._forgot = False

    def forget(self) -> None:
        """Let go of the conversation. Who goes on from it is told so."""
        self._settings = {n: self._settings[n] for n in _INHERITED if n in self._settings}
        self._items, self._forgot = None, True
        self._memory.drop(self)

    def read(self, message: bytes, kept: Callable[[str], bool]) -> Turn:
        """Read a message. Raises `BadRequest`.

        `kept` tells whether the proxy's own store has a response; what it has is left to it.
        """
        fields = _fields(message)
        kind = _text(fields.pop("type", b"null"))
        if kind not in (CREATE, APPEND):
            raise BadRequest(
                f"unsupported websocket request type: {(kind or '')[:128]}", param="type"
            )
        if "stream_id" in fields:
            raise BadRequest(
                "Streams side by side on one websocket (stream_id) are not served; open one "
                "websocket for each.",
                code="unsupported",
                param="stream_id",
            )
        given = _items(fields.get("input", b"null"))
        if given is None and fields.get("input", b"null") != b"null":
            raise BadRequest("The field 'input' must be a string or a list.", param="input")
        generate = fields.pop("generate", b"true") != b"false"
        if given is None and not generate:
            # Tools and instructions alone are worth a warm-up.
            fields["input"], given = b"[]", []
        fields["stream"] = b"true"
        if kind == APPEND:
            if given is None or fields["input"][:1] != b"[":
                raise BadRequest("response.append needs a list as 'input'.", param="input")
            if self._forgot or not self._settings:
                raise BadRequest(
                    "response.append needs a response.create before it that is still remembered "
                    "here; send the whole conversation with response.create.",
                    code="previous_response_not_found" if self._forgot else None,
                )
            fields = {**self._settings, **fields}
            if "previous_response_id" not in fields and self._items is None:
                fields["previous_response_id"] = json.dumps(self._last)
        turn = self._turn(fields, given, kept, appended=kind == APPEND)
        turn.generate = generate
        return turn

    def _turn(
        self, fields: Fields, given: list[bytes] | None, kept: Callable[[str], bool], *,
        appended: bool,
    ) -> Turn:  # fmt: skip
        previous = _text(fields.get("previous_response_id", b"null"))
        if previous:
            self._inherit(fields)
            if previous != self._last:
                return _made(fields, None)
            if self._items is None:
                return self._going_on(_made(fields, None), fields)
            items = _joined(self._items, given or ())
            if kept(previous):
                # The proxy has it, and maybe the account that gave it: that one is asked in short.
                return self._going_on(_made(fields, items), fields, given)
            return self._going_on(self._whole(fields, items), fields, given)
        if fields.get("conversation", b"null") != b"null":
            return _made(fields, None)
        alone = "previous_response_id" in fields or given is None or _retold(given)
        if appended or "model" not in fields:
            self._inherit(fields)
        elif not alone:
            # A create names what it goes on from. Tool results cannot stand without their calls.
            alone = not self._answers_calls(given or ())
        if alone or self._items is None:
            return _made(fields, given)
        whole = self._whole(fields, _joined(self._items, given or ()))
        return self._going_on(whole, fields, given)

    def _going_on(self, turn: Turn, fields: Fields, given: Sequence[bytes] | None = None) -> Turn:
        """Add what is new; where something comes again there is no saying what that is."""
        before, items = self._items, turn.items
        if before is None or items is None or len(items) == len(before) + len(given or ()):
            new = {n: raw for n, raw in fields.items() if n != "previous_response_id"}
            turn.short, turn.previous = _object(new), self._last
        return turn

    def _inherit(self, fields: Fields) -> None:
        for name in _INHERITED:
            if name not in fields and name in self._settings:
                fields[name] = self._settings[name]

    def _answers_calls(self, given: Sequence[bytes]) -> bool:
        heads = [_head(raw) for raw in given]
        asked = {head.call_id for head in heads if not _is_result(head)}
        wanted = {head.call_id for head in heads if _is_result(head)} - asked
        if not wanted or self._items is None:
            return False
        return wanted <= {_head(raw).call_id for raw in self._items}

    def _whole(self, fields: Fields, items: list[bytes]) -> Turn:
        fields = {**fields, "input": b"[" + b",".join(items) + b"]"}
        fields.pop("previous_response_id", None)
        turn = _made(fields, items)
        if len(turn.body) > (limit := self._limit()):
            raise too_large(limit)
        return turn

    def answered(
        self, turn: Turn, before: Iterable[Any] | None, response_id: str, output: list[bytes]
    ) -> None:
        """Remember a turn that came to its end.

        `before`: the conversation up to the answer, where the proxy's store knew it.
        """
        items = turn.items
        if items is None and before is not None:
            items = [json.dumps(item) for item in before]
        if items is not None:
            items = items + [raw for raw in output if not _lost(raw)]
        self._settings, self._items, self._last = turn.settings, items, response_id
        self._forgot = False
        size = sum(map(len, items or ())) + sum(map(len, turn.settings.values()))
        if size > self._limit():
            self.forget()
        else:
            self._memory.hold(self, size)


class _Head(Struct):
    """What says which item it is; anything but words counts for nothing."""

    type: Any = None
    id: Any = None
    call_id: Any = None
    role: Any = None
    encrypted_content: Any = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not isinstance(getattr(self, name), str):
                setattr(self, name, "")


_heads: Final = msgspec.json.Decoder(_Head)
_raw_fields: Final = msgspec.json.Decoder(dict[str, Raw])
_raw_list: Final = msgspec.json.Decoder(list[Raw])


def _fields(message: bytes) -> Fields:
    try:
        return {name: bytes(raw) for name, raw in _raw_fields.decode(message).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Broken (say so), or with a lone surrogate (legal, rare).
        return {name: json.dumps(value) for name, value in decode_object(message).items()}


def _items(raw: bytes) -> list[bytes] | None:
    if raw[:1] == b"[":
        return [bytes(item) for item in _raw_list.decode(raw)]
    if raw[:1] == b'"':
        return [b'{"type":"message","role":"user","content":' + raw + b"}"]
    return None


def _text(raw: bytes) -> str | None:
    value = json.loads(raw) if raw[:1] == b'"' else None
    return value if isinstance(value, str) else None


def _head(raw: bytes) -> _Head:
    try:
        return _heads.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Not an object; whoever parses the request says so.
        return _Head()


def _is_result(head: _Head) -> bool:
    return bool(head.call_id) and head.type.endswith("_output")


def _retold(given: Iterable[bytes]) -> bool:
    return any(
        head.role == "assistant" or head.type in _RETOLD for head in (_head(raw) for raw in given)
    )


def _lost(raw: bytes) -> bool:
    """Tell whether an item of an answer means nothing to anybody but who gave it."""
    head = _head(raw)
    return head.type == "reasoning" and not head.encrypted_content


def _joined(before: Sequence[bytes], given: Iterable[bytes]) -> list[bytes]:
    """Return items one after another; what is there already and comes again stays in its place."""
    joined = list(before)
    places: dict[tuple[str, ...], int] = {}
    for place, raw in enumerate(before):
        for name in _names(_head(raw)):
            places[name] = place
    for raw in given:
        head = _head(raw)
        names = _names(head)
        place = next((places[name] for name in names if name in places), -1)
        if _is_result(head) and place < _asked(places, head):
            # Some upstreams give the same id to a call in every answer.
            place = -1
        if place < 0:
            place = len(joined)
            joined.append(raw)
        elif head.type != "item_reference":
            joined[place] = raw
        for name in names:
            places[name] = place
    return joined


def _names(head: _Head) -> list[tuple[str, ...]]:
    by_id = [(head.id,)] if head.id else []
    return [*by_id, (head.type, head.call_id)] if head.call_id else [*by_id]


def _asked(places: dict[tuple[str, ...], int], head: _Head) -> int:
    """Return where the call stands that a result belongs to."""
    return places.get((head.type.removesuffix("_output"), head.call_id), -1)


def _made(fields: Fields, items: list[bytes] | None) -> Turn:
    left_out = ("input", "previous_response_id")
    settings = {name: raw for name, raw in fields.items() if name not in left_out}
    return Turn(_object(fields), settings, items)


def _object(fields: Fields) -> bytes:
    body = b",".join(json.dumps(name) + b":" + raw for name, raw in fields.items())
    return b"{" + body + b"}"

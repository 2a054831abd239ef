"""Responses and conversations that clients may come back to, bounded in memory.

The Responses API lets a client send only what is new and name what came before. Most upstreams
have no such memory, and one account's memory is of no use to another, so the proxy keeps its own:
what was sent and what was answered, as bytes, decoded only when somebody leans on it. Nothing is
written to disk; a restart forgets.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from cliproxy.base import ids, json
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import BadRequest, NotFound
from cliproxy.base.json import Obj
from cliproxy.routing.affinity import Session

DEFAULT_BYTES: Final = 64 * 1024 * 1024
DEFAULT_TTL: Final = 30 * 86400.0
"""Seconds; what OpenAI keeps responses for."""
_OVERHEAD: Final = 512
"""Bytes counted for an entry beside its contents."""
_LONGEST_CHAIN: Final = 4096
REFERENCE: Final = b'"item_reference"'
RESPONSES: Final = "openai-responses"
INTERACTIONS: Final = "interactions"


class Form(Struct, frozen=True):
    """How one of the APIs that remember writes what is kept."""

    output: str
    """Where an answer holds its items."""
    finished: frozenset[str]
    """Statuses of an answer that can be leant on."""
    items: Callable[[Obj], list[Any]]
    """Returns the items of a request's input."""
    repeats: frozenset[str] = frozenset()
    """Types of items in an answer that only repeat what was sent."""


class Kept(Struct):
    """One answered request."""

    id: str
    client: str
    request: bytes
    """The client's body as it came."""
    response: bytes
    """The response object as the client got it."""
    created: float
    account: str = ""
    """Whose upstream keeps it too; empty when none does."""
    previous: str | None = None
    session: Session | None = None
    dialect: str = RESPONSES
    asked: str = ""
    """The id of the request that it answers."""

    @property
    def size(self) -> int:
        """Bytes this entry accounts for."""
        return len(self.request) + len(self.response) + _OVERHEAD

    @property
    def whole(self) -> bool:
        """Whether the answer is here, to its end; else only its account has it."""
        if finished_id(self.response, self.dialect) is None:
            return False
        return isinstance(json.loads(self.response).get(FORMS[self.dialect].output), list)

    def input(self) -> list[Any]:
        """Return the input items as the client sent them."""
        return FORMS[self.dialect].items(json.loads(self.request))

    def output(self) -> list[Any]:
        """Return the output items as the client got them."""
        form = FORMS[self.dialect]
        output = json.loads(self.response).get(form.output)
        if not isinstance(output, list):
            return []
        return [o for o in output if _type(o) not in form.repeats]


class Conversation(Struct):
    """Items that grow from request to request."""

    id: str
    client: str
    created: float
    metadata: Obj = field(default_factory=dict)
    items: list[Obj] = field(default_factory=list)
    bytes: int = 0
    count: int = 0
    """Items ever added."""

    @property
    def size(self) -> int:
        """Bytes this entry accounts for."""
        return self.bytes + _OVERHEAD

    def add(self, items: list[Any]) -> list[Obj]:
        """Append items, each with an id; return them as they are kept."""
        # Counted on, so that an item's id is not given again after one was taken out.
        added = [named(item, f"{self.id}:{self.count + n}") for n, item in enumerate(items)]
        self.count += len(items)
        self.items += added
        self.bytes += sum(len(json.dumps(item)) for item in added)
        return added


class ResponseStore:
    """Keeps the latest responses and conversations of every client within a number of bytes."""

    def __init__(
        self,
        *,
        max_bytes: int = DEFAULT_BYTES,
        ttl: float = DEFAULT_TTL,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.max_bytes = max_bytes
        self.ttl = ttl
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], Kept | Conversation] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """How many bytes are kept."""
        return self._bytes

    def put(self, entry: Kept | Conversation) -> None:
        """Keep an entry, forgetting the oldest when there is no room."""
        key = (entry.client, entry.id)
        self._drop(key)
        self._entries[key] = entry
        self._bytes += entry.size
        self._trim()

    def response(self, client: str, response_id: str, dialect: str = RESPONSES) -> Kept | None:
        """Return a client's response, in the dialect in which it was asked for."""
        found = self._find(client, response_id)
        return found if isinstance(found, Kept) and found.dialect == dialect else None

    def conversation(self, client: str, conversation_id: str) -> Conversation | None:
        """Return a client's conversation."""
        found = self._find(client, conversation_id)
        return found if isinstance(found, Conversation) else None

    def extend(self, conversation: Conversation, items: list[Any]) -> list[Obj]:
        """Append items to a conversation."""
        before = conversation.size
        added = conversation.add(items)
        if (conversation.client, conversation.id) in self._entries:
            self._bytes += conversation.size - before
            self._trim()
        return added

    def remove(self, conversation: Conversation, item: Obj) -> None:
        """Take one item out of a conversation."""
        before = conversation.size
        conversation.items.remove(item)
        conversation.bytes -= len(json.dumps(item))
        if (conversation.client, conversation.id) in self._entries:
            self._bytes += conversation.size - before

    def delete(self, client: str, entry_id: str) -> bool:
        """Forget an entry; tell whether there was one."""
        return self._drop((client, entry_id))

    def history(self, last: Kept) -> list[Any]:
        """Return all items up to and including a response, oldest first.

        Raises `BadRequest` when a part of the chain is no longer kept, or never was.
        """
        chain = [last]
        met = {last.id}
        while (previous := chain[-1].previous) is not None:
            if previous in met:
                # Ids are the upstreams' own: one that is given twice stands for the latest answer.
                raise gone(previous, last.dialect)
            met.add(previous)
            before = self.response(last.client, previous, last.dialect)
            if before is None or not before.whole or len(chain) > _LONGEST_CHAIN:
                raise gone(previous, last.dialect)
            chain.append(before)
        items: list[Any] = []
        for entry in reversed(chain):
            items += entry.input()
            items += entry.output()
        return items

    def item(self, client: str, item_id: str) -> Obj | None:
        """Return an item of any kept response or conversation of a client, by its id."""
        needle = json.dumps(item_id)
        for (owner, _), entry in reversed(self._entries.items()):
            if owner != client:
                continue
            if isinstance(entry, Conversation):
                candidates: list[Any] = entry.items
            elif entry.dialect != RESPONSES:
                continue
            elif needle in entry.response:
                candidates = entry.output()
            elif needle in entry.request:
                candidates = entry.input()
            else:
                continue
            for item in candidates:
                if not isinstance(item, dict) or item.get("type") == "item_reference":
                    continue
                if item.get("id") == item_id:
                    return item
        return None

    def adopt(self, other: ResponseStore) -> None:
        """Take over what another store keeps, within this one's bounds."""
        for entry in other._entries.values():
            self.put(entry)

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self._clock.now()

    def _find(self, client: str, entry_id: str) -> Kept | Conversation | None:
        key = (client, entry_id)
        found = self._entries.get(key)
        if found is None:
            return None
        if self._clock.now() - found.created > self.ttl:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return found

    def _drop(self, key: tuple[str, str]) -> bool:
        found = self._entries.pop(key, None)
        if found is None:
            return False
        self._bytes -= found.size
        return True

    def _trim(self) -> None:
        while self._bytes > self.max_bytes and self._entries:
            self._drop(next(iter(self._entries)))


class _Head(Struct):
    id: str = ""
    status: str = ""


_head: Final = msgspec.json.Decoder(_Head)


def finished_id(response: bytes, dialect: str = RESPONSES) -> str | None:
    """Return the id of a response object that came to its end, None for any other."""
    try:
        head = _head.decode(response)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return head.id if head.id and head.status in FORMS[dialect].finished else None


def any_id(response: bytes) -> str | None:
    """Return the id of a response object, however far it came."""
    try:
        return _head.decode(response).id or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def input_items(body: Obj) -> list[Any]:
    """Return a request's input as a list of items."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return given if isinstance(given, list) else []


def input_steps(body: Obj) -> list[Any]:
    """Return the input of an interaction as a list of steps."""
    given = body.get("input")
    if isinstance(given, str):
        given = [{"type": "text", "text": given}]
    elif isinstance(given, dict):
        given = [given]
    steps: list[Any] = []
    turn: list[Any] | None = None
    for item in given if isinstance(given, list) else ():
        if _type(item) not in _CONTENTS:
            steps.append(item)
            turn = None
            continue
        if turn is None:
            turn = []
            steps.append({"type": "user_input", "content": turn})
        turn.append(item)
    return steps


def _type(item: Any) -> str:
    """Return the type of an item; clients and upstreams may write anything there."""
    kind = item.get("type") if isinstance(item, dict) else None
    return kind if isinstance(kind, str) else ""


_CONTENTS: Final = frozenset({"text", "image", "audio", "document", "video"})
FORMS: Final = {
    RESPONSES: Form("output", frozenset({"completed", "incomplete"}), input_items),
    INTERACTIONS: Form(
        "steps",
        frozenset({"completed", "incomplete", "requires_action"}),
        input_steps,
        frozenset({"user_input", "function_result"}),
    ),
}


def shown(items: list[Any], seed: str) -> Iterator[Obj]:
    """Yield items as the API lists them: each with an id, messages with a list of parts."""
    for number, item in enumerate(items):
        if isinstance(item, dict):
            yield named(item, f"{seed}:{number}")


def named(given: Any, seed: str) -> Obj:
    """Return an item with an id of its own, the same for the same seed."""
    item: Obj = dict(given)
    item.setdefault("type", "message")
    if not item.get("id"):
        prefix = _PREFIX.get(_type(item), "item_")
        item["id"] = prefix + hashlib.sha256(seed.encode()).hexdigest()[:32]
    if item["type"] == "message":
        item.setdefault("status", "completed")
        if isinstance(item.get("content"), str):
            kind = "output_text" if item.get("role") == "assistant" else "input_text"
            part = {"type": kind, "text": item["content"]}
            item["content"] = [part | ({"annotations": []} if kind == "output_text" else {})]
    return item


_PREFIX: Final = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "compaction": "cmp_",
}


def new_conversation(client: str, now: float, metadata: Obj) -> Conversation:
    """Return an empty conversation with an unguessable id."""
    return Conversation(ids.with_prefix("conv_"), client, now, metadata)


def gone(response_id: str, dialect: str = RESPONSES) -> BadRequest:
    """Return the error for a previous response that is not kept."""
    if dialect == INTERACTIONS:
        return NotFound(
            f"The previous interaction '{response_id[:128]}' was not found. This proxy keeps "
            "interactions in memory for a bounded time (responses.store), and no account of this "
            "model keeps it either; send the whole conversation in 'input' instead of "
            "'previous_interaction_id'.",
            code="previous_interaction_not_found",
            param="previous_interaction_id",
        )
    return BadRequest(
        f"Previous response with id '{response_id[:128]}' not found. This proxy keeps responses in "
        "memory for a bounded time (responses.store), and no upstream account of this model keeps "
        "it either; send the whole conversation instead.",
        code="previous_response_not_found",
        param="previous_response_id",
    )


def no_item(item_id: str) -> BadRequest:
    """Return the error for a reference to an item that is not kept."""
    return BadRequest(
        f"Item with id '{item_id[:128]}' not found. This proxy keeps items in memory for a bounded "
        "time (responses.store), and no upstream account of this model keeps it either; send the "
        "item itself instead.",
        code="item_not_found",
        param="input",
    )


def no_conversation(conversation_id: str) -> NotFound:
    """Return the error for a conversation that is not kept."""
    return NotFound(
        f"Conversation with id '{conversation_id[:128]}' not found.",
        code="conversation_not_found",
        param="conversation",
    )

"""Routes over what is kept: responses to get and delete, and conversations.

They speak of what this proxy keeps for the client key that asks, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from cliproxy.base import json
from cliproxy.base.errors import BadRequest, NotFound, Unsupported
from cliproxy.base.json import Json, Obj
from cliproxy.base.redact import Hidden
from cliproxy.pipeline.context import decode_object
from cliproxy.pipeline.kept import (
    Conversation,
    Kept,
    ResponseStore,
    new_conversation,
    no_conversation,
    shown,
)
from cliproxy.server.paths import Route

_MOST: Final = 100
_DEFAULT: Final = 20
_MOST_ITEMS: Final = 20
"""Items that one request may add to a conversation."""


class Asked(Hidden, Struct):
    """A request about what is kept."""

    route: Route
    method: str
    client: str
    """The label of the client's key: nobody sees what another key left here."""
    query: Mapping[str, str] = {}
    body: bytes = b""


def serve(store: ResponseStore | None, asked: Asked) -> bytes:
    """Answer a request about what is kept. Raises `BadRequest` or `NotFound`."""
    if store is None:
        raise NotFound(
            "Responses are not kept by this proxy (responses.store is false).",
            code="responses_not_kept",
        )
    match asked.route.name:
        case "response":
            return _response(store, asked)
        case "response_items":
            found = _kept(store, asked)
            return json.dumps(_window(list(shown(found.input(), found.id)), asked.query))
        case "response_cancel":
            _kept(store, asked)
            raise BadRequest("Cannot cancel a synchronous response.", param="response_id")
        case "conversations":
            given = decode_object(asked.body) if asked.body else {}
            made = new_conversation(asked.client, store.now(), _metadata(given))
            made.add(_items(given))
            store.put(made)
            return json.dumps(_conversation(made))
        case _:
            return json.dumps(_conversations(store, asked))


def _kept(store: ResponseStore, asked: Asked) -> Kept:
    found = store.response(asked.client, asked.route.resource or "")
    if found is None:
        raise NotFound(
            f"Response with id '{(asked.route.resource or '')[:128]}' not found. This proxy keeps "
            "responses in memory, for the key that asked for them and a bounded time "
            "(responses.store).",
            code="response_not_found",
            param="response_id",
        )
    return found


def _response(store: ResponseStore, asked: Asked) -> bytes:
    found = _kept(store, asked)
    if asked.method == "DELETE":
        store.delete(asked.client, found.id)
        return json.dumps({"id": found.id, "object": "response", "deleted": True})
    if asked.query.get("stream", "").lower() == "true":
        raise Unsupported(
            "A finished response is not streamed again; get it without 'stream'.", param="stream"
        )
    return found.response


def _conversations(store: ResponseStore, asked: Asked) -> Json:
    route, deleting = asked.route, asked.method == "DELETE"
    found = store.conversation(asked.client, route.resource or "")
    if found is None:
        raise no_conversation(route.resource or "")
    if route.name == "conversation":
        if deleting:
            store.delete(asked.client, found.id)
            return {"id": found.id, "object": "conversation.deleted", "deleted": True}
        if asked.method == "POST":
            found.metadata = _metadata(decode_object(asked.body))
        return _conversation(found)
    if route.name == "conversation_items":
        if asked.method == "POST":
            return _list(store.extend(found, _items(decode_object(asked.body))), more=False)
        return _window(found.items, asked.query)
    item = next((item for item in found.items if item.get("id") == route.item), None)
    if item is None:
        raise NotFound(
            f"Item with id '{(route.item or '')[:128]}' not found in the conversation.",
            code="item_not_found",
            param="item_id",
        )
    if deleting:
        store.remove(found, item)
        return _conversation(found)
    return item


def _conversation(found: Conversation) -> Obj:
    return {
        "id": found.id,
        "object": "conversation",
        "created_at": int(found.created),
        "metadata": found.metadata,
    }


def _metadata(body: Obj) -> Obj:
    metadata = body.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise BadRequest("The field 'metadata' must be an object.", param="metadata")
    return metadata


def _items(body: Obj) -> list[Any]:
    items = body.get("items")
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadRequest("The field 'items' must be an array of items.", param="items")
    for n, item in enumerate(items):
        if not isinstance(item.get("type", ""), str | None):
            raise BadRequest("The type of an item must be a string.", param=f"items[{n}].type")
    if len(items) > _MOST_ITEMS:
        raise BadRequest(f"At most {_MOST_ITEMS} items can be added at once.", param="items")
    return items


def _window(items: list[Obj], query: Mapping[str, str]) -> Json:
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("The field 'order' must be asc or desc.", param="order")
    try:
        limit = int(query.get("limit", _DEFAULT))
    except ValueError:
        limit = 0
    if not 1 <= limit <= _MOST:
        raise BadRequest(f"The field 'limit' must be from 1 to {_MOST}.", param="limit")
    ordered = items if order == "asc" else items[::-1]
    if after := query.get("after"):
        at = next((n for n, item in enumerate(ordered) if item.get("id") == after), None)
        if at is None:
            raise BadRequest(f"There is no item with id '{after[:128]}'.", param="after")
        ordered = ordered[at + 1 :]
    return _list(ordered[:limit], more=len(ordered) > limit)


def _list(items: list[Obj], *, more: bool) -> Obj:
    return {
        "object": "list",
        "data": list[Json](items),
        "first_id": items[0]["id"] if items else "",
        "last_id": items[-1]["id"] if items else "",
        "has_more": more,
    }

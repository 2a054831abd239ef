"""Requests that lean on an earlier one, and keeping what later ones will lean on.

Here is what the Responses API says of that; `interacting.py` has the Interactions API's words.

A response is remembered by the proxy and, maybe, by the account that gave it. The account that
remembers gets the client's own short request; every other one gets the conversation in full.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from cliproxy import providers
from cliproxy.base import json
from cliproxy.base.errors import BadRequest
from cliproxy.base.json import Obj
from cliproxy.dialects.sse import SseDecoder
from cliproxy.pipeline import interacting
from cliproxy.pipeline.context import Continued, Peeked, Request, decode_object
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.kept import (
    INTERACTIONS,
    REFERENCE,
    RESPONSES,
    Kept,
    any_id,
    finished_id,
    gone,
    input_items,
    no_conversation,
    no_item,
)
from cliproxy.pipeline.peek import peek
from cliproxy.routing.resolve import Candidate

DIALECTS: Final = frozenset({RESPONSES, INTERACTIONS})
"""Those whose clients may lean on what came before."""
_BACKGROUND: Final = b'"background"'
_TERMINAL: Final = {
    RESPONSES: (b"response.completed", b"response.incomplete"),
    INTERACTIONS: (b"interaction.completed", b"interaction.created"),
}
"""Events that hold the answer; an interaction is known from its first one on."""


def continue_from(gateway: Gateway, request: Request) -> None:
    """Find what a request leans on and write it out in full.

    Raises `BadRequest` when it names something that is kept nowhere; a response that only an
    upstream may know is left to the accounts that keep responses. So is one whose beginning only
    an upstream knows, to the account that gave it.
    """
    if request.dialect_id == INTERACTIONS:
        interacting.continue_from(gateway, request)
        return
    if _BACKGROUND in request.body and decode_object(request.body).get("background"):
        raise BadRequest(
            "Background responses are not served; send the request without 'background'.",
            code="unsupported",
            param="background",
        )
    peeked = request.peeked or peek(request.body)
    request.peeked = peeked
    previous, conversation = peeked.previous_response_id, _conversation(peeked.conversation)
    request.refers = refers = REFERENCE in request.body
    if previous is None and conversation is None and not refers:
        return
    if previous is not None and not isinstance(previous, str):
        raise BadRequest(
            "The field 'previous_response_id' must be a string.", param="previous_response_id"
        )
    if previous is not None and conversation is not None:
        raise BadRequest(
            "previous_response_id and conversation cannot be used together; send one of them.",
            param="conversation",
        )
    store = gateway.responses
    if store is None:
        return
    body = decode_object(request.body)
    last = store.response(request.client, previous) if previous is not None else None
    kept = store.conversation(request.client, conversation) if conversation is not None else None
    if (previous is not None and last is None) or (conversation is not None and kept is None):
        # Maybe an account knows it that answered before this proxy did.
        return
    before: list[Any] = []
    if last is not None:
        try:
            before = store.history(last)
        except BadRequest:
            if last.account:
                request.continued = _only(body, last)
            elif request.lines is None:
                raise
            # Else maybe the websocket knows it by which it was answered.
            return
    elif kept is not None:
        before = list(kept.items)
    given = input_items(body)
    if refers:
        found = _resolved(gateway, request.client, given, before)
        if isinstance(found, str):
            if last is not None and last.account:
                request.continued = _only(body, last)
            elif (last is not None or kept is not None) and request.lines is None:
                # Nobody else knows what comes before.
                raise no_item(found)
            return
        given = found
    body = {k: v for k, v in body.items() if k not in ("previous_response_id", "conversation")}
    request.continued = Continued(
        body={**body, "input": [*before, *given]},
        account=last.account if last is not None else "",
        previous=previous,
        conversation=conversation if kept is not None else None,
        session=last.session if last is not None else None,
    )


def _only(body: Obj, last: Kept) -> Continued:
    return Continued(body, account=last.account, previous=last.id, session=last.session, only=True)


def _resolved(
    gateway: Gateway, client: str, given: list[Any], before: list[Any]
) -> list[Any] | str:
    """Put the items in place of references to them; return the id of one not known here."""
    assert gateway.responses is not None
    # Anything may stand there, even what is in no set.
    ids = (item.get("id") for item in before if isinstance(item, dict))
    seen = {name for name in ids if isinstance(name, str)}
    found: list[Any] = []
    for item in given:
        if not isinstance(item, dict) or item.get("type") != "item_reference":
            found.append(item)
            continue
        name = str(item.get("id"))
        if name in seen:
            # It is part of what comes before anyway.
            continue
        there = gateway.responses.item(client, name)
        if there is None:
            return name
        found.append(there)
    return found


def _reference(request: Request) -> str | None:
    """Return the id of an item that a request refers to."""
    if not request.refers:
        return None
    items = input_items(decode_object(request.body))
    found = (i for i in items if isinstance(i, dict) and i.get("type") == "item_reference")
    return next((str(item.get("id")) for item in found), None)


def unknown(request: Request) -> BadRequest | None:
    """Return the error for a request that leans on what is not known here; None: it does not."""
    peeked, continued = request.peeked, request.continued
    if continued is not None:
        return gone(str(continued.previous)) if continued.only else None
    if peeked is None:
        return None
    if (conversation := _conversation(peeked.conversation)) is not None:
        return no_conversation(conversation)
    if peeked.previous_response_id is not None:
        return gone(str(peeked.previous_response_id))
    item = _reference(request)
    return None if item is None else no_item(item)


def _conversation(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    inner = value.get("id") if isinstance(value, dict) else None
    if not isinstance(inner, str):
        raise BadRequest(
            "The field 'conversation' must be an id or an object with an id.", param="conversation"
        )
    return inner


def able(request: Request, candidates: list[Candidate]) -> list[Candidate]:
    """Return who can answer a request that leans on what this proxy does not keep.

    Raises `BadRequest` when nobody can.
    """
    if request.dialect_id == INTERACTIONS:
        return interacting.able(request, candidates)
    missing = unknown(request)
    if missing is None:
        return candidates
    peeked, continued = request.peeked, request.continued
    if continued is not None:
        keeping = [c for c in candidates if c.account.id == continued.account]
    else:
        if request.lines is not None and peeked is not None:
            found = request.lines.able(candidates, peeked.previous_response_id)
            if found is not None:
                return found
        keeping = [c for c in candidates if _keeps(c)]
    if not keeping:
        raise missing
    return keeping


def _keeps(candidate: Candidate) -> bool:
    account = candidate.account
    spoken = providers.get(account.provider).speaks(account)
    return RESPONSES in spoken and providers.able(account, "keep")


def wants_keeping(gateway: Gateway, request: Request) -> bool:
    """Tell whether the answer is to be kept: the API's default is yes."""
    if gateway.responses is None or request.operation != "generate":
        return False
    peeked = request.peeked or peek(request.body)
    if request.continued is not None and request.continued.conversation is not None:
        return True
    return peeked.store is None or peeked.store is True


def keep_whole(gateway: Gateway, request: Request, response: bytes, account: str) -> None:
    """Keep a whole answer."""
    response_id = _id_of(response, request.dialect_id, account)
    if response_id is not None:
        _keep(gateway, request, response_id, response, account)


def _id_of(response: bytes, dialect: str, account: str) -> str | None:
    """Return the id of what is to be kept: what has ended, or goes on where it can be asked for."""
    if dialect == INTERACTIONS and account:
        return any_id(response)
    return finished_id(response, dialect)


async def keep_stream(
    gateway: Gateway,
    request: Request,
    chunks: AsyncGenerator[bytes, None],
    account: str,
) -> AsyncGenerator[bytes, None]:
    """Pass a stream on and keep the response object of its last event."""
    dialect = request.dialect_id
    words = _TERMINAL[dialect]
    async with aclosing(chunks):
        async for chunk in chunks:
            if any(word in chunk for word in words):
                for response in _told(chunk, dialect):
                    response_id = _id_of(response, dialect, account)
                    if response_id is not None:
                        # Before the client knows the id.
                        _keep(gateway, request, response_id, response, account)
            yield chunk


class _Event(Struct):
    type: str = ""
    response: Raw = Raw(b"null")
    event_type: str = ""
    interaction: Raw = Raw(b"null")


_event: Final = msgspec.json.Decoder(_Event)


def _told(chunk: bytes, dialect: str) -> list[bytes]:
    """Return the answers that events of a chunk hold."""
    words = [word.decode() for word in _TERMINAL[dialect]]
    found: list[bytes] = []
    for frame in SseDecoder().feed(chunk):
        try:
            event = _event.decode(frame.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if event.type in words:
            found.append(bytes(event.response))
        elif event.event_type in words:
            found.append(bytes(event.interaction))
    return found


def _keep(
    gateway: Gateway,
    request: Request,
    response_id: str,
    response: bytes,
    account: str,
) -> None:
    store = gateway.responses
    assert store is not None
    continued = request.continued
    entry = Kept(
        id=response_id,
        client=request.client,
        request=request.body,
        response=response,
        created=store.now(),
        account=account,
        previous=continued.previous if continued is not None else None,
        session=request.session,
        dialect=request.dialect_id,
        asked=request.id,
    )
    peeked = request.peeked
    if continued is None and peeked is not None:
        # What came before is known to others alone: without it this is no whole conversation.
        entry.previous = _named(peeked, request.dialect_id)
    if request.dialect_id == INTERACTIONS:
        store.put(entry)
        return
    if continued is not None and continued.conversation is not None:
        kept = store.conversation(request.client, continued.conversation)
        if kept is not None:
            store.extend(kept, entry.input() + entry.output())
    if peeked is None or peeked.store is not False:
        leans = request.refers or entry.previous == response_id
        if leans and continued is not None and not continued.only:
            # What it refers to may be forgotten before it is.
            entry.request = json.dumps(continued.body)
            entry.previous = None
        store.put(entry)


def _named(peeked: Peeked, dialect: str) -> str | None:
    """Return the id of what a request says comes before it."""
    if dialect == INTERACTIONS:
        named = peeked.previous_interaction_id
    else:
        named = peeked.previous_response_id or _conversation(peeked.conversation)
    return str(named) if named else None

"""Requests of the Interactions API that lean on an earlier one, or work in the background.

An interaction is kept by the proxy and, where an account of that API gave it, by the account. Its
own account gets the client's short request; every other one gets the conversation in full.
"""

from __future__ import annotations

from typing import Final

from cliproxy.base.errors import BadRequest, NotFound, Unsupported
from cliproxy.pipeline.context import Continued, Request, decode_object
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.kept import INTERACTIONS, gone, input_steps
from cliproxy.pipeline.peek import peek
from cliproxy.routing.resolve import Candidate

AGENTS: Final = "gemini-interactions"
"""The provider whose accounts keep interactions, and run agents."""
_FIELD: Final = "previous_interaction_id"


def continue_from(gateway: Gateway, request: Request) -> None:
    """Find what a request leans on and write it out in full.

    One that only an upstream may know is left to the accounts that keep interactions. Raises
    `NotFound` when it is kept nowhere.
    """
    peeked = request.peeked or peek(request.body)
    request.peeked = peeked
    previous = peeked.previous_interaction_id
    if previous is None:
        return
    if not isinstance(previous, str):
        raise BadRequest(f"The field '{_FIELD}' must be a string.", param=_FIELD)
    store = gateway.responses
    last = store.response(request.client, previous, INTERACTIONS) if store is not None else None
    if store is None or last is None:
        # Maybe an account knows it that answered before this proxy did.
        return
    body = decode_object(request.body)
    only = False
    try:
        if not last.whole:
            raise gone(previous, INTERACTIONS)  # as when a link is missing
        before = store.history(last)
    except NotFound:
        if not last.account:
            raise
        only = True
    else:
        body = {k: v for k, v in body.items() if k != _FIELD}
        body["input"] = [*before, *input_steps(decode_object(request.body))]
    request.continued = Continued(
        body=body,
        account=last.account,
        previous=previous,
        session=last.session,
        only=only,
    )


def able(request: Request, candidates: list[Candidate]) -> list[Candidate]:
    """Return who can answer a request that leans on what this proxy does not keep.

    Raises `NotFound` or `Unsupported` when nobody can.
    """
    peeked, continued = request.peeked, request.continued
    if peeked is None:
        return candidates
    if continued is not None and continued.only:
        found = [c for c in candidates if c.account.id == continued.account]
        if not found:
            raise gone(str(continued.previous), INTERACTIONS)
        return found
    unknown = continued is None and peeked.previous_interaction_id is not None
    if not (unknown or peeked.background):
        return candidates
    keeping = [c for c in candidates if c.account.provider == AGENTS]
    if keeping:
        return keeping
    if unknown:
        raise gone(str(peeked.previous_interaction_id), INTERACTIONS)
    raise Unsupported(
        "No account of this model works in the background; send the request without 'background'.",
        param="background",
        next_account=False,
    )

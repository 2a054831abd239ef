"""From a request and a candidate to the call that is sent: verbatim if it can be, else built."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct, structs

from cliproxy import dialects, providers
from cliproxy.base import json
from cliproxy.base.errors import Unsupported, UpstreamUnreachable
from cliproxy.base.http import HttpRequest
from cliproxy.base.redact import Hidden
from cliproxy.config.payload import Rules
from cliproxy.dialects import Dialect, where
from cliproxy.ir.caps import Caps
from cliproxy.ir.envelope import may_hold
from cliproxy.ir.loss import Loss
from cliproxy.ir.request import IRRequest
from cliproxy.ir.restore import Restore
from cliproxy.pipeline.context import Fidelity, Request
from cliproxy.pipeline.peek import replace_model, session_of
from cliproxy.pipeline.rewrite import apply, apply_to_bytes, context_of
from cliproxy.pipeline.unasked import ask
from cliproxy.providers.base import About, Call, Provider
from cliproxy.routing.resolve import Candidate

NO_RULES: Final = Rules()


_ASKING: Final = ("openai-chat", "openai-completions")
"""Dialects whose clients say whether a stream shall count."""


class Renamed:
    """Gives the model the client's name for it wherever an answer names it.

    Inside the model's own words a quote is escaped, so the fields cannot be mistaken.
    """

    def __init__(self, upstream: str, client: str) -> None:
        name = re.escape(json.dumps(upstream)[1:-1])
        self._field = re.compile(rb'("(?:model|modelVersion)"\s*:\s*")' + name + rb'[^"]{0,24}(")')
        self._client = json.dumps(client)[1:-1]

    def __call__(self, data: bytes) -> bytes:
        """Return an answer, or whole events of one, with the client's name."""
        return self._field.sub(lambda m: m[1] + self._client + m[2], data)


class Prepared(Hidden, Struct):
    """One upstream call, ready to send, and how its answer must be read."""

    http: HttpRequest
    provider: Provider
    dialect: Dialect
    caps: Caps
    verbatim: bool
    losses: tuple[Loss, ...] = ()
    restore: Restore = Restore()
    renamed: Renamed | None = None
    """How the model is called in an answer that passes unread."""
    rewritten: bool = False
    """The owner's rules changed the client's own bytes."""
    unasked: bool = False
    """The upstream is asked for counts of a stream that the client did not ask for."""
    offended: bool = False
    """That is what it refused, as far as can be told."""

    @property
    def fidelity(self) -> Fidelity:
        """How faithfully the request was carried."""
        if self.verbatim and not self.rewritten:
            return "verbatim"
        return "lossy" if self.losses else "exact"


class Target(Hidden, Struct, frozen=True):
    """A candidate, and what that means for one request."""

    candidate: Candidate
    provider: Provider
    dialect: Dialect
    about: About
    verbatim: bytes | None = None
    """The client's own bytes, when they can be sent."""

    @property
    def caps(self) -> Caps:
        """What is known of the model there."""
        return self.about.caps


def target_of(request: Request, candidate: Candidate, *, counts: bool = True) -> Target:
    """Look at a candidate, once for each attempt: bodies can be large.

    `counts` tells whether its streams can be asked for counts.
    """
    account = candidate.account
    provider = providers.get(account.provider)
    spoken = provider.speaks(account)
    own = next((d for d in spoken if d == request.dialect_id), None)
    if request.session is None and provider.wants_session(account):
        request.session = session_of(request)
    caps = provider.caps(candidate.caps, account)
    if not counts:
        caps = structs.replace(caps, stream_usage_flag=False)
    about = About(
        operation=request.operation,
        dialect=own or spoken[0],
        caps=caps,
        account=account,
        stream=request.stream and request.operation == "generate",
        session=request.session.name if request.session is not None else "",
    )
    verbatim = None
    if request.makes == "video" and own is None:
        raise Unsupported("This account's upstream makes no videos.", code="unsupported_model")
    if request.operation in ("compact", "search"):
        verbatim = request.body
    elif (
        own is not None
        and not candidate.suffix
        # Signatures of other vendors, from earlier turns elsewhere, would be refused.
        and not may_hold(request.body)
        and (request.continued is None or request.continued.account == account.id)
    ) or request.makes == "video":
        verbatim = provider.verbatim(request.body, about)
    return Target(candidate, provider, dialects.get(about.dialect), about, verbatim)


def prepare(
    request: Request,
    target: Target,
    *,
    strict: bool,
    asked: IRRequest | None = None,
    rules: Rules = NO_RULES,
) -> Prepared:
    """Write the call for one target. Raises `BadRequest` when the request is at fault.

    `asked` is the request to translate when it is not simply what the client sent. `rules` are the
    owner's last word on what is generated from; counting and compacting have bodies of their own.
    """
    candidate, provider, dialect = target.candidate, target.provider, target.dialect
    about, caps = target.about, target.caps
    verbatim = target.verbatim is not None
    if request.operation != "generate":
        rules = NO_RULES
    rewritten = unasked = False
    counted = about.stream and about.dialect == "openai-chat" and caps.stream_usage_flag
    if target.verbatim is not None:
        body = target.verbatim
        if counted:
            asking = ask(body)
            body, unasked = asking, asking is not body
        headers: dict[str, str] = {}
        if request.form is not None:
            body = request.form.with_text("model", candidate.upstream_model)
            headers["content-type"] = request.form.type
        elif not request.model_in_path and candidate.upstream_model != request.model:
            body = replace_model(body, candidate.upstream_model)
        if rules and request.form is None:
            before = body
            body = apply_to_bytes(rules, body, context_of(request, candidate, about.dialect))
            rewritten = body is not before
        losses: tuple[Loss, ...] = ()
        restore = Restore()
    else:
        # What the name asks for is decided by routing; a name may also merely look like it.
        asked = request.ir() if asked is None else asked
        if candidate.suffix or asked.model.endswith(")"):
            asked = structs.replace(asked, model=candidate.upstream_model + candidate.suffix)
        # The other dialects have no word for it: their streams always count.
        unasked = counted and not (asked.stream_usage and request.dialect_id in _ASKING)
        built = dialect.build(asked, caps, request.operation)
        losses, restore, headers = built.losses, built.restore, built.headers
        if losses:
            losses = where.named(asked, losses)
        if strict:
            refuse_losses(losses)
        provider.adjust(built.body, about)
        restore = provider.restore(built.body, restore)
        if rules:
            apply(rules, built.body, context_of(request, candidate, about.dialect))
        body = json.dumps(built.body)
    call = Call(
        operation=request.operation,
        dialect=about.dialect,
        model=candidate.upstream_model,
        stream=about.stream,
        body=body,
        verbatim=verbatim,
        headers=headers,
        client_headers=request.headers,
        query=request.query,
        session=about.session,
        resource=request.resource,
    )
    renamed = None
    own_name = provider.model_name(candidate.upstream_model)
    if verbatim and (
        own_name != candidate.upstream_model
        or (candidate.force_name and candidate.upstream_model != candidate.client_model)
    ):
        renamed = Renamed(own_name, candidate.client_model)
    http = provider.prepare(call, candidate.account)
    if "@" in http.url and "authorization" in http.headers and _names_a_user(http.url):
        raise UpstreamUnreachable(
            f"The base URL of {candidate.account.label} holds a user and a password, which cannot "
            "be sent beside its key or token: both travel as Authorization.",
            code="bad_base_url",
        )
    return Prepared(
        http,
        provider,
        dialect,
        caps,
        verbatim,
        losses,
        restore,
        renamed,
        rewritten,
        unasked,
    )


def _names_a_user(url: str) -> bool:
    return "@" in url.partition("://")[2].partition("/")[0]


def refuse_losses(losses: tuple[Loss, ...]) -> None:
    """Raise `Unsupported` naming what strict fidelity does not allow to be lost."""
    serious = [loss for loss in losses if loss.severity != "info"]
    if not serious:
        return
    what = "; ".join(f"{loss.field}: {loss.reason}" for loss in serious[:8])
    raise Unsupported(
        f"Strict fidelity was asked for, and the upstream cannot carry {what}",
        code="fidelity_strict",
        param=serious[0].field,
    )


def leaves_out(asked: HttpRequest, sent: HttpRequest) -> bool:
    """Tell whether a call was changed on its way."""
    return sent.headers is not asked.headers or sent.body is not asked.body


def tell_of_omissions(request: Request, call: Prepared, sent: HttpRequest) -> None:
    """Report what was left out because the account was refused it."""
    losses = [
        Loss(name, "the account was refused what it asked for", "info")
        for name, value in call.http.headers.items()
        if sent.headers.get(name) != value
    ]
    if sent.body is not call.http.body:
        losses.append(Loss("reasoning", "another account made it, and this one refused it", "info"))
    call.losses += tuple(loss for loss in losses if loss not in call.losses)
    request.attempts[-1].losses = call.losses

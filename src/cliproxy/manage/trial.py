"""One short real question to one account, and what to do when it does not answer."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.base import ids, json
from cliproxy.base.errors import GatewayError, UpstreamTimeout
from cliproxy.base.json import Obj
from cliproxy.manage import shapes
from cliproxy.manage.control import Control
from cliproxy.pipeline.context import Request
from cliproxy.pipeline.run import run
from cliproxy.routing.reasons import reason_for
from cliproxy.usage.record import Record, tokens_of, who

PATIENCE: Final = 60.0
"""Seconds after which a trial is over, however patient the configuration is."""
_ENDPOINT: Final = "POST /v0/management/accounts/test"
_CLIENT: Final = "management"
_QUESTION: Final = "Answer with the one word: ready"
_DIALECT: Final = "openai-chat"
_TOKENS: Final = 64
_LONGEST: Final = 2000
_SMALL: Final = ("nano", "flash-lite", "lite", "haiku", "mini", "flash", "small", "fast")
"""Words in the names of models that cost little, the best first."""
_SIGNS: Final = re.compile(r"[^a-z0-9]+")
_CURES: Final = {
    "rate_limit": "Nothing needs to be done: it is asked again when its limit is renewed.",
    "authentication": "Put in another key, or log in to the account again.",
    "billing": "Add credit at the provider, then test again.",
    "permission": "See at the provider what the account may use, or test another model.",
    "not_found": "Test another model, or correct the account's list of models.",
    "challenge": "The provider takes this server for a robot. Use another proxy-url.",
    "transient": "The provider has a problem that passes. Test again in a minute.",
    "unreachable": "Look at the account's base-url and proxy-url, and at this server's network.",
    "timeout": "Test again. If it stays silent, look at base-url and proxy-url.",
    "resting": "Wait until its rest is over, or end the rest and test again.",
    "request": "The question itself is refused. Test another model.",
}
SHAPE: Final = shapes.obj(
    {
        "ok": shapes.FLAG,
        "account": shapes.TEXT,
        "label": shapes.TEXT,
        "provider": shapes.TEXT,
        "model": shapes.TEXT,
        "served": shapes.TEXT,
        "status": shapes.WHOLE,
        "seconds": shapes.NUMBER,
        "answer": shapes.TEXT,
        "error": shapes.TEXT,
        "reason": shapes.words("", *_CURES),
        "cure": shapes.TEXT,
        "retry_after": shapes.maybe(shapes.NUMBER),
        "request": shapes.TEXT,
    }
)


def cheapest(control: Control, account: Account) -> str:
    """Return the model of an account that costs least, as far as names tell; "" for none."""
    registry, found = control.gateway.registry, list[str]()
    for listed in registry.list_models():
        if listed.output_modalities and "text" not in listed.output_modalities:
            continue
        try:
            registry.resolve(listed.id, account=account.id)
        except GatewayError:
            continue
        found.append(listed.id)

    def cost(name: str) -> int:
        # Whole words: `gemini` and `MiniMax` are not small.
        words = f"-{_SIGNS.sub('-', name.lower())}-"
        return next((n for n, word in enumerate(_SMALL) if f"-{word}-" in words), len(_SMALL))

    return min(found, key=cost, default="")


async def tried(control: Control, account: Account, model: str) -> Obj:
    """Ask an account one question through the pipeline that serves clients.

    It is among the latest requests and in the usage, as any other is.
    """
    gateway = control.gateway
    # A sign of life would be an answer before there is one.
    settings = structs.replace(gateway.settings, whole_keepalive=0.0)
    request = _question(account, model)
    at, began = control.clock.now(), control.clock.monotonic()
    control.recent.begin(request, at)
    error: GatewayError | None = None
    status, answer = 499, ""
    try:
        async with asyncio.timeout(PATIENCE):
            answered = await run(structs.replace(gateway, settings=settings), request)
        status, answer = answered.status, _words(answered.body)
    except TimeoutError:
        error = UpstreamTimeout(f"There was no answer within {PATIENCE:.0f} seconds.")
    except GatewayError as err:
        error = err
    except Exception:
        # A fault of ours, for the log and a 500; the request is listed as what it is.
        status = 500
        raise
    finally:
        control.recent.end(request.id)
        seconds = control.clock.monotonic() - began
        status = status if error is None else error.status
        told = "" if error is None else error.message
        control.recent.add(request, at=at, seconds=seconds, status=status, error=told)
        _count(control, account, request, at=at, seconds=seconds, status=status, error=told)
    reason = "" if error is None else _reason(error, asked=bool(request.attempts))
    return {
        "ok": error is None,
        "account": account.id,
        "label": account.label,
        "provider": account.provider,
        "model": model,
        "served": request.attempts[-1].model if request.attempts else "",
        "status": status,
        "seconds": seconds,
        "answer": answer,
        "error": told,
        "reason": reason,
        "cure": _CURES.get(reason, ""),
        "retry_after": None if error is None else error.retry_after,
        "request": request.id,
    }


def _question(account: Account, model: str) -> Request:
    asked = [{"role": "user", "content": _QUESTION}]
    body = {"model": model, "max_tokens": _TOKENS, "messages": asked}
    return Request(
        id=ids.request_id(),
        dialect_id=_DIALECT,
        operation="generate",
        body=json.dumps(body),
        headers={},
        model=model,
        stream=False,
        pin_account=account.id,
        client=_CLIENT,
    )


def _words(body: bytes) -> str:
    try:
        told: Any = json.loads(body)
        return str(told["choices"][0]["message"].get("content") or "")[:_LONGEST]
    except (json.InvalidJson, LookupError, TypeError, AttributeError):
        return ""


def _reason(error: GatewayError, *, asked: bool) -> str:
    """Name what is the matter, in a word that has a cure."""
    if not asked:
        return "resting" if error.kind in ("rate_limit", "overloaded") else "request"
    if error.kind == "timeout":
        return "timeout"
    if error.code == "upstream_unreachable":
        return "unreachable"
    return reason_for(error) or "request"


def _count(
    control: Control,
    account: Account,
    request: Request,
    *,
    at: float,
    seconds: float,
    status: int,
    error: str,
) -> None:
    usage = control.usage
    if usage is None or not usage.enabled:
        return
    usage.add(
        Record(
            id=request.id,
            at=at,
            seconds=seconds,
            client=_CLIENT,
            who=who(account, usage.auth_dir),
            model=request.model,
            served=request.attempts[-1].model if request.attempts else "",
            dialect=request.dialect_id,
            upstream=request.meter.dialect,
            endpoint=_ENDPOINT,
            operation=request.operation,
            stream=False,
            status=status,
            attempts=len(request.attempts),
            fidelity=request.fidelity,
            tokens=tokens_of(request.usage),
            error=error,
        )
    )

"""Accounts and the models they serve, as the owner sees them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base import redact
from cliproxy.base.errors import GatewayError
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.login.flow import Problem
from cliproxy.manage import shapes, trial
from cliproxy.manage.control import Control
from cliproxy.manage.credentials import (
    by_name,
    index_of_account,
    index_of_file,
    problem_of,
    resting,
    state_of,
)
from cliproxy.manage.web import Endpoint, Fault, control_of, object_of, reply
from cliproxy.server.gate import Refused


def every_account(control: Control) -> list[Obj]:
    """Return the accounts that are served, then the logins that are not."""
    rests = resting(control)
    found = [_served(control, account, rests.get(account.id)) for account in control.accounts]
    used = {a.credential.name for a in control.accounts if a.credential is not None}
    logins = control.keeper.credentials() if control.keeper else []
    return found + [_unused(control, login) for login in logins if login.name not in used]


def _served(control: Control, account: Account, rest: Obj | None) -> Obj:
    credential = account.credential
    if credential is not None:
        state = state_of(credential, used=True)
    else:
        state = "ok" if account.secret or account.kind == "local" else "no key"
    return {
        "id": account.id,
        "provider": account.provider,
        "label": account.label,
        "kind": account.kind,
        "state": state,
        **_told(control, credential),
        "cooldown": rest,
        "base_url": redact.url(account.base_url) if account.base_url else "",
        "prefix": account.prefix,
        "project": account.project,
        "priority": account.priority,
        "weight": account.weight,
        "auth_index": index_of_account(control, account),
        "file": credential.name if credential is not None else "",
        "running": control.gateway.pool.running(account.id),
        **control.traffic.of(account.id),
    }


def _unused(control: Control, credential: Credential) -> Obj:
    return {
        "id": credential.name,
        "provider": credential.provider,
        "label": credential.label,
        "kind": "linked" if credential.text("linked_file") else "oauth",
        "state": state_of(credential, used=False),
        **_told(control, credential),
        "cooldown": None,
        "base_url": "",
        "prefix": credential.text("prefix"),
        "project": credential.text("project_id"),
        "priority": 0,
        "weight": 0,
        "auth_index": index_of_file(control, credential),
        "file": credential.name,
        "running": 0,
        **control.traffic.of(credential.name),
    }


def _told(control: Control, credential: Credential | None) -> Obj:
    return {
        "problem": problem_of(control, credential) if credential is not None else "",
        "expires": credential.expires if credential is not None else None,
        "disabled": credential is not None and credential.flag("disabled"),
    }


async def accounts(request: Request) -> Response:
    """Return every account, keys of the configuration and unused logins included."""
    return reply({"accounts": list[Json](every_account(control_of(request)))})


async def models(request: Request) -> Response:
    """Return the models that are served, and by which accounts."""
    control = control_of(request)
    registry, found = control.gateway.registry, []
    for model in registry.list_models():
        candidates = registry.serving(model.id)
        serving: list[Json] = [
            {"id": c.account.id, "label": c.account.label, "provider": c.account.provider,
             "model": c.upstream_model}
            for c in candidates
        ]  # fmt: skip
        shown: Any = msgspec.to_builtins(model)
        found.append({**shown, "accounts": serving})
    return reply({"models": found})


async def test(request: Request) -> Response:
    """Ask an account one short real question."""
    control = control_of(request)
    asked = await object_of(request)
    wanted = text_in(asked, "account")
    if not wanted:
        raise Refused(400, "account is required")
    account = next((a for a in control.accounts if wanted in (a.id, _file_of(a))), None)
    if account is None:
        raise Refused(404, "account not found")
    model = text_in(asked, "model") or trial.cheapest(control, account)
    if not model:
        told = "It serves no model that answers in words: nothing can be asked of it."
        raise Fault(409, "no_models", told)
    return reply(await trial.tried(control, account, model))


def _file_of(account: Account) -> str:
    return account.credential.name if account.credential is not None else ""


async def quota(request: Request) -> Response:
    """Ask a provider what is left of an account."""
    control = control_of(request)
    name = text_in(request.query_params, "name", "filename")
    if not name:
        raise Refused(400, "name is required")
    credential = by_name(control, name)
    if credential is None or control.keeper is None:
        raise Refused(404, "auth file not found")
    ask = getattr(control.keeper, "quota", None)
    try:
        report = await ask(credential) if ask is not None else None
    except Problem as err:
        raise Fault(502, err.kind, err.message) from None
    except GatewayError as err:
        raise Fault(502, err.code or err.kind, err.message) from None
    shown: Any = None if report is None else msgspec.to_builtins(report)
    return reply({"name": credential.name, "quota": shown})


ROUTES: Final = [
    Endpoint("GET", "/accounts", accounts, "All accounts, and logins that are not used.",
             shapes.obj({"accounts": shapes.items(shapes.ref("Account"))})),
    Endpoint("POST", "/accounts/test", test, "Ask an account one short real question.",
             trial.SHAPE,
             shapes.obj({"account": shapes.TEXT}, optional={"model": shapes.TEXT}),
             refuses=(404,)),
    Endpoint("GET", "/models", models, "The models that are served.",
             shapes.obj({"models": shapes.items(shapes.ref("ModelServed"))})),
    Endpoint("GET", "/auth-files/quota", quota, "What is left of an account.",
             shapes.obj({"name": shapes.TEXT, "quota": shapes.maybe(shapes.ref("Quota"))}),
             query={"name": "The file."}, refuses=(404, 502)),
]  # fmt: skip

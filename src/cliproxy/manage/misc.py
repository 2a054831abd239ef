"""What is known of requests, models and this program."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cliproxy import __version__
from cliproxy.base.errors import GatewayError
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import DIALECTS
from cliproxy.login.flow import Problem
from cliproxy.manage import shapes
from cliproxy.manage.control import Asked
from cliproxy.manage.credentials import by_name, cooldowns
from cliproxy.manage.entries import index_of_account
from cliproxy.manage.web import Endpoint, Fault, control_of, object_of, reply, text_in
from cliproxy.routing import catalog
from cliproxy.routing.catalog import ModelInfo
from cliproxy.server.gate import Refused

_SHOWN: Final = 100
_CHANNELS: Final = {
    "claude": "claude",
    "gemini": "gemini",
    "gemini-interactions": "gemini",
    "vertex": "vertex",
    "aistudio": "aistudio",
    "codex": "codex",
    "kimi": "kimi",
    "antigravity": "antigravity",
    "xai": "xai",
    "x-ai": "xai",
    "grok": "xai",
    "gemini-cli": "gemini-cli",
    "qwen": "qwen",
    "iflow": "iflow",
}


async def explain(request: Request) -> Response:
    """Tell what would happen to a request, without sending it."""
    asked = await object_of(request)
    model, dialect = asked.get("model"), asked.get("dialect", "openai-chat")
    if not isinstance(model, str) or not model:
        raise Refused(400, "model is missing")
    if dialect not in DIALECTS:
        raise Refused(400, f"dialect must be one of {', '.join(DIALECTS)}")
    body, provider = asked.get("body"), asked.get("provider")
    if not isinstance(body, dict | None) or not isinstance(provider, str | None):
        raise Refused(400, "invalid body")
    stream = asked.get("stream") is True
    choices = control_of(request).explain(Asked(model, dialect, body, stream, provider))
    return reply({"model": model, "dialect": dialect, "choices": choices})


async def latest_requests(request: Request) -> Response:
    """Return the latest requests, newest first."""
    limit = request.query_params.get("limit", "")
    count = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 9 else _SHOWN
    return reply({"requests": list[Json](control_of(request).recent.latest(count))})


async def one_request(request: Request) -> Response:
    """Return one of the latest requests."""
    found = control_of(request).recent.find(str(request.path_params["id"]))
    if found is None:
        raise Refused(404, "request not found")
    return reply(found)


async def get_cooldowns(request: Request) -> Response:
    """Return who is left alone now, why, and until when."""
    return reply({"cooldowns": cooldowns(control_of(request))})


async def clear_cooldowns(request: Request) -> Response:
    """Forget what is believed of one account, or of all."""
    control = control_of(request)
    account = request.path_params.get("account") or request.query_params.get("account") or None
    if account is not None and account not in {a.id for a in control.accounts}:
        raise Refused(404, "account not found")
    return reply({"cleared": control.gateway.pool.clear(account)})


async def models(request: Request) -> Response:
    """Return the models that are served, and by which accounts."""
    control = control_of(request)
    registry, found = control.gateway.registry, []
    for model in registry.list_models():
        candidates = registry.resolve(model.id)
        accounts: list[Json] = [
            {"id": c.account.id, "label": c.account.label, "provider": c.account.provider,
             "model": c.upstream_model}
            for c in candidates
        ]  # fmt: skip
        shown: Any = msgspec.to_builtins(model)
        found.append({**shown, "accounts": accounts})
    return reply({"models": found})


async def accounts(request: Request) -> Response:
    """Return every account that is served, keys of the configuration included."""
    control = control_of(request)
    found: list[Obj] = []
    for account in control.accounts:
        shown: Obj = {
            "id": account.id,
            "provider": account.provider,
            "label": account.label,
            "kind": account.kind,
            "base_url": account.base_url,
            "prefix": account.prefix,
            "priority": account.priority,
            "weight": account.weight,
            "auth_index": index_of_account(account),
            "file": account.credential.name if account.credential is not None else "",
            "running": control.gateway.pool.running(account.id),
            **control.traffic.of(account.id),
        }
        found.append(shown)
    return reply({"accounts": found})


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


async def api_key_usage(request: Request) -> Response:
    """Return the recent traffic of the configuration's keys, by provider."""
    control = control_of(request)
    ids: dict[tuple[str, str], list[str]] = {}
    for account in control.accounts:
        if account.credential is None and account.kind == "key":
            provider = account.provider.removeprefix("openai-compatible-").lower()
            ids.setdefault((provider, f"{account.base_url}|{account.token}"), []).append(account.id)
    found: dict[str, Obj] = {}
    for (provider, place), same in ids.items():
        found.setdefault(provider, {})[place] = control.traffic.of(*same)
    return reply(found)


async def definitions(request: Request) -> Response:
    """Return what the catalogue says of a provider's models."""
    channel = str(request.path_params["channel"]).strip().lower()
    provider = _CHANNELS.get(channel)
    if provider is None:
        return reply({"error": "unknown channel", "channel": channel}, 400)
    rows = [_definition(model) for model in catalog.of_provider(provider).values()]
    return reply({"channel": channel, "models": rows})


def _definition(model: ModelInfo) -> Obj:
    row: Obj = {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "type": model.type,
        "display_name": model.display_name or model.id,
    }
    inputs, outputs = (model.modalities.get(k, []) for k in ("input", "output"))
    google = bool(model.gemini_methods)
    more: Obj = {
        "name": f"models/{model.id}" if google else "",
        "inputTokenLimit": model.context_length if google else 0,
        "outputTokenLimit": model.max_output_tokens if google else 0,
        "supportedGenerationMethods": list(model.gemini_methods),
        "context_length": 0 if google else model.context_length,
        "max_completion_tokens": 0 if google else model.max_output_tokens,
        "supported_parameters": list(model.supported_parameters),
        "supportedInputModalities": [m.upper() for m in inputs],
        "supportedOutputModalities": [m.upper() for m in outputs],
    }
    row |= {k: v for k, v in more.items() if v}
    if model.thinking is not None:
        thinking: Any = msgspec.to_builtins(model.thinking)
        row["thinking"] = {k: v for k, v in thinking.items() if v}
    return row


async def latest_version(request: Request) -> Response:
    """Return this version: nobody is asked whether there is a later one."""
    control_of(request)
    return reply({"latest-version": f"v{__version__}"})


async def plugins(request: Request) -> Response:
    """Say that there are none."""
    control_of(request)
    return reply({"plugins_enabled": False, "plugins_dir": "plugins", "plugins": []})


_ASKED: Final = shapes.obj(
    {"model": shapes.TEXT},
    optional={
        "dialect": shapes.words(*DIALECTS),
        "body": shapes.maybe(shapes.OBJECT),
        "stream": shapes.FLAG,
        "provider": shapes.maybe(shapes.TEXT),
    },
)
_SERVED: Final = shapes.obj(
    {"id": shapes.TEXT, "owned_by": shapes.TEXT, "created": shapes.WHOLE,
     "display_name": shapes.TEXT, "context_length": shapes.WHOLE, "max_output": shapes.WHOLE,
     "accounts": shapes.items(shapes.obj(
         {"id": shapes.TEXT, "label": shapes.TEXT, "provider": shapes.TEXT,
          "model": shapes.TEXT}))},
    optional={"type": shapes.TEXT, "thinking": shapes.maybe(shapes.OBJECT),
              "input_modalities": shapes.items(shapes.TEXT),
              "output_modalities": shapes.items(shapes.TEXT)},
)  # fmt: skip
_COUNTED: Final = {"success": shapes.WHOLE, "failed": shapes.WHOLE,
                   "recent_requests": shapes.COUNTS}  # fmt: skip
_ACCOUNT: Final = shapes.obj(
    {"id": shapes.TEXT, "provider": shapes.TEXT, "label": shapes.TEXT, "kind": shapes.TEXT,
     "base_url": shapes.TEXT, "prefix": shapes.TEXT, "priority": shapes.WHOLE,
     "weight": shapes.WHOLE, "auth_index": shapes.TEXT, "file": shapes.TEXT,
     "running": shapes.WHOLE, **_COUNTED})  # fmt: skip
_WINDOW: Final = shapes.obj(
    {"id": shapes.TEXT, "label": shapes.TEXT, "used_percent": shapes.maybe(shapes.NUMBER),
     "remaining": shapes.maybe(shapes.NUMBER), "limit": shapes.maybe(shapes.NUMBER),
     "reset_at": shapes.maybe(shapes.SECONDS), "period_seconds": shapes.maybe(shapes.NUMBER),
     "models": shapes.items(shapes.TEXT)})  # fmt: skip
_QUOTA: Final = shapes.obj(
    {
        "name": shapes.TEXT,
        "quota": shapes.maybe(
            shapes.obj(
                {"plan": shapes.TEXT, "windows": shapes.items(_WINDOW), "credits": shapes.OBJECT}
            )
        ),
    }
)
_CLEARED: Final = shapes.obj({"cleared": shapes.WHOLE})

ROUTES: Final = [
    Endpoint("POST", "/explain", explain, "What would happen to a request.",
             shapes.obj({"model": shapes.TEXT, "dialect": shapes.TEXT,
                         "choices": shapes.items(shapes.ref("Choice"))}), _ASKED, refuses=(404,)),
    Endpoint("GET", "/requests", latest_requests, "The latest requests.",
             shapes.obj({"requests": shapes.items(shapes.ref("RecentRequest"))}),
             query={"limit": "How many."}),
    Endpoint("GET", "/requests/{id}", one_request, "One of the latest requests.",
             shapes.ref("RecentRequest"), refuses=(404,)),
    Endpoint("GET", "/cooldowns", get_cooldowns, "Accounts that are left alone now.",
             shapes.obj({"cooldowns": shapes.items(shapes.ref("Cooldown"))})),
    Endpoint("DELETE", "/cooldowns", clear_cooldowns, "Ask all of them again.", _CLEARED,
             query={"account": "Only this one."}, refuses=(404,)),
    Endpoint("DELETE", "/cooldowns/{account}", clear_cooldowns, "Ask one of them again.",
             _CLEARED, refuses=(404,)),
    Endpoint("GET", "/models", models, "The models that are served.",
             shapes.obj({"models": shapes.items(_SERVED)})),
    Endpoint("GET", "/accounts", accounts, "All accounts that are served.",
             shapes.obj({"accounts": shapes.items(_ACCOUNT)})),
    Endpoint("GET", "/auth-files/quota", quota, "What is left of an account.", _QUOTA,
             query={"name": "The file."}, refuses=(404, 502)),
    Endpoint("GET", "/api-key-usage", api_key_usage, "Traffic of the configuration's keys.",
             shapes.mapping(shapes.mapping(shapes.obj(_COUNTED)))),
    Endpoint("GET", "/model-definitions/{channel}", definitions, "A provider's catalogue.",
             shapes.obj({"channel": shapes.TEXT, "models": shapes.items(shapes.OBJECT)})),
    Endpoint("GET", "/latest-version", latest_version, "The version.",
             shapes.obj({"latest-version": shapes.TEXT})),
    Endpoint("GET", "/plugins", plugins, "Plugins: there are none.",
             shapes.obj({"plugins_enabled": shapes.FLAG, "plugins_dir": shapes.TEXT,
                         "plugins": shapes.items(shapes.OBJECT)})),
]  # fmt: skip

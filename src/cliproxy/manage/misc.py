"""What is known of requests, models and this program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cliproxy import __version__
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import DIALECTS
from cliproxy.manage import shapes
from cliproxy.manage.control import Asked, Control
from cliproxy.manage.credentials import cooldowns
from cliproxy.manage.door import RESOURCES
from cliproxy.manage.web import Endpoint, Fault, control_of, object_of, reply
from cliproxy.observe import request_log
from cliproxy.routing import catalog
from cliproxy.routing.catalog import ModelInfo
from cliproxy.server.gate import Refused
from cliproxy.server.recent import Recent

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
    """Return the requests under way and the latest that are over, newest first."""
    control, query = control_of(request), request.query_params
    limit, text = query.get("limit", ""), query.get("q", "").strip()
    count = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 9 else _SHOWN
    wanted = _search(control, text.lower()) if text else None
    return reply({"requests": list[Json](control.recent.latest(count, wanted))})


def _search(control: Control, text: str) -> Callable[[Recent], bool]:
    """Return what tells whether a request has a text in what people know it by."""
    accounts = {a.id for a in control.accounts if text in f"{a.id}\n{a.label}".lower()}

    def wanted(item: Recent) -> bool:
        said = (item.id, item.model, item.client, item.error)
        if any(text in words.lower() for words in said):
            return True
        return any(
            attempt.account in accounts
            or text in f"{attempt.account}\n{attempt.model}\n{attempt.message}".lower()
            for attempt in item.attempts
        )

    return wanted


async def one_request(request: Request) -> Response:
    """Return one of the latest requests, with what was written of its bodies."""
    control, wanted = control_of(request), str(request.path_params["id"])
    found = control.recent.find(wanted)
    if found is None:
        raise Refused(404, "request not found")
    data = await asyncio.to_thread(request_log.find, control.log_folder, wanted)
    if data is not None:
        bodies: Any = msgspec.to_builtins(request_log.read(data[1]))
        found["bodies"] = bodies
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


async def no_plugins(request: Request) -> Response:  # noqa: ARG001  # whatever is asked of them
    """Say that nothing can be done with plugins."""
    raise Fault(501, "plugins_unsupported", "This proxy has no plugins.")


_ASKED: Final = shapes.obj(
    {"model": shapes.TEXT},
    optional={
        "dialect": shapes.words(*DIALECTS),
        "body": shapes.maybe(shapes.OBJECT),
        "stream": shapes.FLAG,
        "provider": shapes.maybe(shapes.TEXT),
    },
)
_CLEARED: Final = shapes.obj({"cleared": shapes.WHOLE})

ROUTES: Final = [
    Endpoint("POST", "/explain", explain, "What would happen to a request.",
             shapes.obj({"model": shapes.TEXT, "dialect": shapes.TEXT,
                         "choices": shapes.items(shapes.ref("Choice"))}), _ASKED, refuses=(404,)),
    Endpoint("GET", "/requests", latest_requests, "The latest requests.",
             shapes.obj({"requests": shapes.items(shapes.ref("Request"))}),
             query={"limit": "How many.", "q": "Only those with this text in their id, model, "
                    "account, client or error."}),
    Endpoint("GET", "/requests/{id}", one_request, "One of the latest requests.",
             shapes.ref("Request"), refuses=(404,)),
    Endpoint("GET", "/cooldowns", get_cooldowns, "Accounts that are left alone now.",
             shapes.obj({"cooldowns": shapes.items(shapes.ref("Cooldown"))})),
    Endpoint("DELETE", "/cooldowns", clear_cooldowns, "Ask all of them again.", _CLEARED,
             query={"account": "Only this one."}, refuses=(404,)),
    Endpoint("DELETE", "/cooldowns/{account}", clear_cooldowns, "Ask one of them again.",
             _CLEARED, refuses=(404,)),
    Endpoint("GET", "/api-key-usage", api_key_usage, "Traffic of the configuration's keys.",
             shapes.mapping(shapes.mapping(shapes.obj(shapes.COUNTED)))),
    Endpoint("GET", "/model-definitions/{channel}", definitions, "A provider's catalogue.",
             shapes.obj({"channel": shapes.TEXT, "models": shapes.items(shapes.OBJECT)})),
    Endpoint("GET", "/latest-version", latest_version, "The version.",
             shapes.obj({"latest-version": shapes.TEXT})),
    Endpoint("GET", "/plugins", plugins, "Plugins: there are none.",
             shapes.obj({"plugins_enabled": shapes.FLAG, "plugins_dir": shapes.TEXT,
                         "plugins": shapes.items(shapes.OBJECT)})),
    *(Endpoint(method, path, no_plugins, "Not served: there are no plugins.", served=False)
      for method, path in (
          ("GET", "/plugin-store"),
          ("POST", "/plugin-store/{id}/install"),
          ("DELETE", "/plugins/{id}"),
          ("PATCH", "/plugins/{id}/enabled"),
          ("GET", "/plugins/{id}/config"),
          ("PUT", "/plugins/{id}/config"),
          ("PATCH", "/plugins/{id}/config"),
      )),
    Endpoint("GET", f"{RESOURCES}{{path:path}}", no_plugins, "Not served: there are no plugins.",
             served=False, open=True, outside=True),
]  # fmt: skip

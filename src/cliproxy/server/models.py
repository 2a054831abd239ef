"""Model lists: one set of facts in the shape the caller expects.

`GET /v1/models` is shared by four kinds of client. The shape follows what only one of them sends:
`client_version` in the query (Codex), `anthropic-version` or a Claude Code user agent (Anthropic),
`x-goog-api-key`/`x-goog-api-client` (Google's SDK on `v1`), otherwise OpenAI's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cliproxy.base.json import Obj
from cliproxy.routing.resolve import ListedModel, Registry
from cliproxy.server.asgi import json_body
from cliproxy.server.paths import Route

_CLAUDE_CONTEXT: Final = 200_000
_CLAUDE_OUTPUT: Final = 64_000
"""What Anthropic clients assume of a model that does not say."""
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_PAGE: Final = 1000


def body(
    registry: Registry, route: Route, headers: Mapping[str, str], query: Mapping[str, str]
) -> bytes:
    """Answer one of the model routes. Raises `NotFound`."""
    match route.name:
        case "models":
            return json_body(_list(registry, route, headers, query))
        case "model":
            found = _find(registry, route.model or "")
            return json_body(_SHAPES[_shape(headers, query)](found))
        case "gemini_models":
            return json_body(_gemini_list(registry.list_models(route.pin_provider), query))
        case "gemini_model":
            return json_body(_gemini(_find(registry, (route.model or "").removeprefix("models/"))))
        case _:
            return json_body(_functions(_find(registry, route.model or "")))


def _find(registry: Registry, name: str) -> ListedModel:
    for model in registry.list_models():
        if model.id == name:
            return model
    raise registry.unknown_model_error(name)


def _shape(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    if "client_version" in query:
        return "codex"
    if "anthropic-version" in headers or headers.get("user-agent", "").startswith("claude-cli"):
        return "anthropic"
    if "x-goog-api-key" in headers or "x-goog-api-client" in headers:
        return "gemini"
    return "openai"


def _list(
    registry: Registry, route: Route, headers: Mapping[str, str], query: Mapping[str, str]
) -> Obj:
    models = registry.list_models(route.pin_provider)
    match _shape(headers, query):
        case "codex":
            return {"models": [_codex(m, n) for n, m in enumerate(models)]}
        case "anthropic":
            return _anthropic_list(models, query)
        case "gemini":
            return _gemini_list(models, query)
        case _:
            return {"object": "list", "data": [_openai(m) for m in models]}


def _openai(model: ListedModel) -> Obj:
    # `created` is required by the SDK's type, so an unknown time is 0 rather than absent.
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    }


def _anthropic(model: ListedModel) -> Obj:
    created = datetime.fromtimestamp(model.created, UTC)
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name or model.id,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "object": "model",
        "owned_by": model.owned_by,
        "max_input_tokens": model.context_length or _CLAUDE_CONTEXT,
        "max_tokens": model.max_output or _CLAUDE_OUTPUT,
    }


def _anthropic_list(models: list[ListedModel], query: Mapping[str, str]) -> Obj:
    ordered = sorted(models, key=lambda m: (m.display_name or m.id, m.id))
    ids = [m.id for m in ordered]
    start, end = 0, len(ordered)
    if (after := query.get("after_id")) in ids:
        start = ids.index(str(after)) + 1
    if (before := query.get("before_id")) in ids:
        end = ids.index(str(before))
    size = _limit(query.get("limit"))
    page = ordered[start:end][:size] if "before_id" not in query else ordered[start:end][-size:]
    more = len(ordered[start:end]) > len(page)
    return {
        "data": [_anthropic(m) for m in page],
        "has_more": more,
        "first_id": page[0].id if page else "",
        "last_id": page[-1].id if page else "",
    }


def _gemini(model: ListedModel) -> Obj:
    entry: Obj = {
        "name": f"models/{model.id}",
        "displayName": model.display_name or model.id,
        "description": model.display_name or model.id,
    }
    if model.context_length:
        entry["inputTokenLimit"] = model.context_length
    if model.max_output:
        entry["outputTokenLimit"] = model.max_output
    entry["supportedGenerationMethods"] = [
        "generateContent",
        "streamGenerateContent",
        "countTokens",
    ]
    if model.thinking is not None:
        entry["thinking"] = True
    if model.input_modalities:
        entry["supportedInputModalities"] = [m.upper() for m in model.input_modalities]
    if model.output_modalities:
        entry["supportedOutputModalities"] = [m.upper() for m in model.output_modalities]
    return entry


def _gemini_list(models: list[ListedModel], query: Mapping[str, str]) -> Obj:
    size = _limit(query.get("pageSize"))
    token = query.get("pageToken", "")
    start = int(token) if token.isdecimal() and len(token) <= 6 else 0
    page = models[start : start + size]
    result: Obj = {"models": [_gemini(m) for m in page]}
    if start + size < len(models):
        result["nextPageToken"] = str(start + size)
    return result


def _limit(value: str | None) -> int:
    if not value or not value.isdecimal() or len(value) > 6:
        return _PAGE
    return min(_PAGE, int(value)) or _PAGE


def _codex(model: ListedModel, rank: int) -> Obj:
    """Describe a model the way Codex's catalogue does; Codex refuses entries that lack a field."""
    levels = [
        level for level in _EFFORTS if level in (model.thinking.levels if model.thinking else ())
    ]
    if model.thinking is not None and not levels:
        levels = ["low", "medium", "high"]
    default = "medium" if "medium" in levels else next((v for v in levels if v != "none"), None)
    context = model.context_length or 128_000
    text_only = not model.output_modalities or "text" in model.output_modalities
    return {
        "slug": model.id,
        "display_name": model.display_name or model.id,
        "description": model.display_name or model.id,
        "prefer_websockets": False,
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "web_search_tool_type": "text",
        "input_modalities": [m for m in model.input_modalities if m in ("text", "image")]
        or ["text"],
        "supports_image_detail_original": False,
        "truncation_policy": {"mode": "bytes", "limit": 10_000},
        "supports_parallel_tool_calls": True,
        "tool_mode": None,
        "multi_agent_version": None,
        "use_responses_lite": False,
        "context_window": context,
        "max_context_window": context,
        "auto_compact_token_limit": None,
        "comp_hash": None,
        "default_reasoning_summary": "auto" if levels else "none",
        "default_reasoning_level": default,
        "supported_reasoning_levels": [{"effort": v, "description": v} for v in levels],
        "shell_type": "shell_command",
        "visibility": "list" if text_only else "hide",
        "minimal_client_version": "0.1.0",
        "supported_in_api": True,
        "availability_nux": None,
        "upgrade": None,
        "priority": rank,
        "model_messages": None,
        "experimental_supported_tools": [],
        "available_in_plans": [],
        "supports_search_tool": False,
        "service_tiers": [],
        "additional_speed_tiers": [],
        "supports_reasoning_summaries": bool(levels),
        "base_instructions": "",
    }


def _functions(model: ListedModel) -> Obj:
    """Say what a model can do with tools, as far as its catalogue entry tells."""
    text = not model.output_modalities or "text" in model.output_modalities
    return {
        "object": "list",
        "model": model.id,
        "supported": text,
        "data": [
            {"name": name, "object": "capability", "supported": text}
            for name in ("function_calling", "parallel_tool_calls", "tool_choice", "streaming")
        ],
        "owned_by": model.owned_by,
    }


_SHAPES: Final[dict[str, Any]] = {
    "codex": lambda model: _codex(model, 0),
    "anthropic": _anthropic,
    "gemini": _gemini,
    "openai": _openai,
}

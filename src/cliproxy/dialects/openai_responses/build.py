"""`IRRequest` → a Responses request body; the inverse is `parse.py`.

Also for the ChatGPT Codex backend (`caps.codex`), which wants some fields always and refuses
others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._merge import merged
from cliproxy.dialects._state import refuse_foreign_state
from cliproxy.dialects._wish import thinking_wish
from cliproxy.dialects.openai_responses.build_items import build_items
from cliproxy.dialects.openai_responses.build_tools import build_tools
from cliproxy.dialects.openai_responses.wire import (
    CODEX_ABSENT,
    COUNTED,
    ENCRYPTED,
    HINTS,
    LOGPROBS,
    NAME_LIMIT,
    OUTPUTS,
    READ,
)
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import OPENAI, NameMap, restore_for
from cliproxy.ir.request import IRRequest
from cliproxy.ir.schema_clean import for_openai, satisfies_openai_strict
from cliproxy.ir.thinking import budget_to_level, clamp_level

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Operation

_FAMILY = frozenset({"openai-chat", "openai-responses", "openai-completions"})


def build(req: IRRequest, caps: Caps, operation: Operation) -> Built:
    """Write the body; `operation` count keeps only what the count endpoint takes."""
    from cliproxy.dialects import Built  # noqa: PLC0415  # the package imports us lazily

    if req.source != "openai-responses":
        refuse_foreign_state(req)
    losses = Losses()
    names = NameMap.of(req, OPENAI)
    body: Obj = {"model": caps.model}
    instructions, items = build_items(req, caps, names, losses)
    if instructions is not None or caps.codex:
        body["instructions"] = instructions or ""
    if items:
        body["input"] = items
    body |= build_tools(req, caps, names, losses)
    _sampling(req, body, losses)
    _thinking(req, caps, body, losses)
    _format(req, body, losses)
    _meta(req, body, losses)
    _extras(req, caps, body, losses)
    if req.source not in _FAMILY and _runs_code(body):
        # Other APIs tell what code printed; this one only when asked.
        body["include"] = [*(body.get("include") or []), OUTPUTS]
    if req.stream and operation == "generate":
        body["stream"] = True
    if caps.codex:
        _for_codex(req, body, losses)
    if operation == "count":
        body = {k: v for k, v in body.items() if k in COUNTED}
    own = req.source == "openai-responses"
    restore = restore_for(req, names, custom_tools=caps.freeform_tools, typed_tools=own)
    return Built(body, losses.tuple(), restore)


def _runs_code(body: Obj) -> bool:
    return any(tool.get("type") == "code_interpreter" for tool in body.get("tools") or ())


def _sampling(req: IRRequest, body: Obj, losses: Losses) -> None:
    sampling = req.sampling
    for name, wire in (
        ("max_output", "max_output_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("top_logprobs", "top_logprobs"),
    ):
        value: Any = getattr(sampling, name)
        if value is not UNSET:
            body[wire] = value
    if sampling.logprobs is True:
        body["include"] = [LOGPROBS]
    for name in ("top_k", "seed", "n", "presence_penalty", "frequency_penalty", "logit_bias"):
        value = getattr(sampling, name)
        if value is UNSET or (name == "n" and value == 1):
            continue
        losses.add(where.field(req, name), "the Responses API has no such field")
    if sampling.stop:
        losses.add(where.field(req, "stop"), "the Responses API has no stop sequences")


def _thinking(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> None:
    wish = thinking_wish(req, caps, losses, same_family=req.source in _FAMILY)
    if wish.strip:
        return
    reasoning: Obj = {}
    effort: str | None = None
    match wish.mode:
        case "off":
            effort = wish.off_level or "none"
        case "level":
            effort = wish.level
        case "budget":
            effort = budget_to_level(wish.budget or 0)
        case "auto" if not req.thinking.adaptive:
            effort = "medium"
        case _:
            pass
    if effort is not None:
        if effort != "none" and caps.efforts:
            effort = clamp_level(effort, caps.efforts)
        reasoning["effort"] = effort
    visible = wish.visible
    if visible is None and req.source in ("anthropic", "openai-chat", "gemini"):
        # These clients expect to see what the model thought, when it does think.
        visible = wish.mode not in ("unset", "off")
    if visible:
        reasoning["summary"] = wish.detail or "auto"
    if reasoning:
        body["reasoning"] = reasoning


def _format(req: IRRequest, body: Obj, losses: Losses) -> None:
    wish = req.output
    text: Obj = {}
    match wish.kind:
        case "text":
            text["format"] = {"type": "text"}
        case "json":
            text["format"] = {"type": "json_object"}
        case "json_schema":
            text["format"] = _schema(req, losses)
        case _:
            pass
    if wish.verbosity:
        text["verbosity"] = wish.verbosity
    if text:
        body["text"] = text
    if any(m.lower() != "text" for m in wish.modalities):
        losses.add(where.field(req, "modalities"), "this upstream answers in text only", "error")


def _schema(req: IRRequest, losses: Losses) -> Obj:
    wish = req.output
    own = req.source in _FAMILY
    schema = wish.schema or {}
    name = "".join(
        c if (c.isascii() and c.isalnum()) or c in "_-" else "_" for c in wish.name or "response"
    )
    form: Obj = {
        "type": "json_schema",
        "name": name[:NAME_LIMIT],
        "schema": schema if own else for_openai(schema),
    }
    if wish.description is not None:
        form["description"] = wish.description
    strict = wish.strict
    if not own and strict is not False:
        # Left out, the API would try strict and refuse schemas that were never meant for it.
        strict = satisfies_openai_strict(form["schema"])
        if wish.strict and not strict:
            form_path = where.field(req, "format")
            losses.add(form_path, "the schema breaks OpenAI's rules of strict")
    if strict is not None:
        form["strict"] = strict
    return form


def _meta(req: IRRequest, body: Obj, losses: Losses) -> None:
    meta = req.meta
    own = req.source == "openai-responses"
    openai = req.source in _FAMILY
    if meta.end_user:
        if own and req.raw.get("user") and not req.raw.get("safety_identifier"):
            body["user"] = meta.end_user
        else:
            body["safety_identifier"] = meta.end_user[:64]
    for name, value in (
        ("metadata", meta.metadata),
        ("service_tier", meta.service_tier),
        ("prompt_cache_key", meta.prompt_cache_key),
    ):
        if value is None:
            continue
        if openai:
            body[name] = value
        else:
            losses.add(where.field(req, name), "this upstream has no such field", "info")
    if meta.store is not None:
        body["store"] = meta.store
    elif not own:
        # The API stores by default; a client of another API never asked for that.
        body["store"] = False
    if own:
        for name in ("previous_response_id", "conversation"):
            if req.raw.get(name) is not None:
                body[name] = req.raw[name]
    if body.get("store") is False:
        include = body.setdefault("include", [])
        if ENCRYPTED not in include and not own:
            include.append(ENCRYPTED)
        if not include:
            del body["include"]
    for number, tool in enumerate(req.raw.get("tools") or () if own else ()):
        if isinstance(tool, dict) and tool.get("type") == "namespace":
            for key in tool.keys() - {"type", "name", "tools"}:
                losses.add(f"tools[{number}].{key}", "the namespace is flattened", "info")
    if req.safety:
        losses.add("safetySettings", "the Responses API has no safety settings")
    if req.cache is not None:
        losses.add("cache_control", "this upstream caches on its own", "info")


def _extras(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> None:
    own = req.source == "openai-responses"
    thinks = caps.thinking is not None or not caps.known
    for name, value in req.extras.items():
        if not own:
            severity = "info" if name in HINTS else "warn"
            losses.add(name, "the Responses API has no such field", severity)  # type: ignore[arg-type]
        elif isinstance(value, dict) and isinstance(body.get(name), dict):
            body[name] = merged(value, body[name])
        elif isinstance(value, list) and isinstance(body.get(name), list):
            body[name] = [*value, *(v for v in body[name] if v not in value)]
        elif name in READ and name != "user" and not (name == "reasoning" and thinks):
            losses.add(name, "what it belongs to is not sent")
        else:
            body.setdefault(name, value)


_IR_NAMES = {
    "max_output_tokens": "max_output",
    "user": "end_user",
    "safety_identifier": "end_user",
}


def _for_codex(req: IRRequest, body: Obj, losses: Losses) -> None:
    for name in CODEX_ABSENT:
        if name in body:
            del body[name]
            asked = where.field(req, _IR_NAMES.get(name, name))
            losses.add(asked, "the Codex backend does not take it", "info")
    if body.get("service_tier") not in (None, "priority"):
        del body["service_tier"]
        losses.add("service_tier", "the Codex backend knows only priority", "info")
    body["stream"] = True
    body["store"] = False
    if body.get("tools"):
        body["parallel_tool_calls"] = req.parallel_tools is not False
    else:
        body.pop("parallel_tool_calls", None)
    include = body.get("include") or []
    body["include"] = include if ENCRYPTED in include else [*include, ENCRYPTED]
    for tool in body.get("tools") or ():
        if str(tool.get("type")).startswith("web_search_preview"):
            tool["type"] = "web_search"
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and str(choice.get("type")).startswith("web_search_preview"):
        body["tool_choice"] = {**choice, "type": "web_search"}

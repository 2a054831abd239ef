"""`IRRequest` → a Messages request body for a Claude upstream; the inverse is `parse.py`.

The API demands a number of things no other does: `max_tokens`, strict alternation that begins with
the user, results in the very next message, no empty text, a thinking budget below `max_tokens`.
All of it is arranged here; what cannot be carried is a loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._merge import merged
from cliproxy.dialects._state import refuse_foreign_state
from cliproxy.dialects.anthropic.breakpoints import limit_breakpoints, place_breakpoints
from cliproxy.dialects.anthropic.build_messages import build_messages
from cliproxy.dialects.anthropic.build_thinking import write_thinking
from cliproxy.dialects.anthropic.build_tools import build_tools, control
from cliproxy.dialects.anthropic.wire import BETAS, COUNTED, DEFAULT_MAX_TOKENS, READ
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import ANTHROPIC, NameMap, restore_for
from cliproxy.ir.request import IRRequest
from cliproxy.ir.schema_clean import for_anthropic_output, has_open_objects

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Operation

_FOREIGN_FIELDS = (
    ("seed", "seed"),
    ("n", "n"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("logprobs", "logprobs"),
    ("top_logprobs", "top_logprobs"),
    ("logit_bias", "logit_bias"),
)


def build(req: IRRequest, caps: Caps, operation: Operation) -> Built:
    """Write the body; `operation` count keeps only what the count endpoint takes."""
    from cliproxy.dialects import Built  # noqa: PLC0415  # the package imports us lazily

    refuse_foreign_state(req)
    losses = Losses()
    own = req.source == "anthropic"
    names = NameMap.of(req, ANTHROPIC)
    body: Obj = {"model": caps.model}
    system, messages = build_messages(req, caps, names, losses)
    if system:
        body["system"] = system
    body["messages"] = messages
    tools, choice = build_tools(req, names, losses)
    if tools:
        body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = choice
    _limits(req, caps, body)
    thinking = write_thinking(req, caps, body, losses)
    _sampling(req, caps, body, losses, thinking=thinking)
    _output(req, body, losses)
    _meta(req, body, losses)
    if req.cache is not None:
        body["cache_control"] = control(req.cache)
    for name, value in req.extras.items():
        if not own:
            losses.add(name, "the Messages API has no such field")
        elif isinstance(value, dict) and isinstance(body.get(name), dict):
            body[name] = merged(value, body[name])
        elif name in READ and not (name == "output_config" and _thinks(caps)):
            losses.add(name, "what it belongs to is not sent")
        else:
            body.setdefault(name, value)
    if not (caps.cache_breakpoints and req.source != "anthropic") or not place_breakpoints(
        body, caps.cache_breakpoints
    ):
        limit_breakpoints(body, losses)
    if req.stream and operation == "generate":
        body["stream"] = True
    headers = _headers(req, body)
    if operation == "count":
        body = {k: v for k, v in body.items() if k in COUNTED}
    return Built(body, losses.tuple(), restore_for(req, names, custom_tools=False), headers)


def _thinks(caps: Caps) -> bool:
    return caps.thinking is not None or not caps.known


def _limits(req: IRRequest, caps: Caps, body: Obj) -> None:
    asked = req.sampling.max_output
    if asked is UNSET:
        body["max_tokens"] = caps.max_output or DEFAULT_MAX_TOKENS
    else:
        body["max_tokens"] = asked


def _sampling(req: IRRequest, caps: Caps, body: Obj, losses: Losses, *, thinking: bool) -> None:
    sampling = req.sampling
    wanted = {
        name: value
        for name in ("temperature", "top_p", "top_k")
        if (value := getattr(sampling, name)) is not UNSET
    }
    if wanted and not caps.sampling:
        for name in wanted:
            losses.add(where.field(req, name), f"{caps.model} takes no sampling parameters")
        wanted = {}
    if thinking:
        for name in list(wanted):
            if name == "top_p" and wanted[name] >= 0.95:  # the range thinking allows
                continue
            if name == "temperature" and wanted[name] == 1:
                continue
            losses.add(where.field(req, name), "not allowed while thinking")
            del wanted[name]
    if "temperature" in wanted and wanted["temperature"] > 1:
        losses.add(where.field(req, "temperature"), "clamped to 1", "info", "approximated")
        wanted["temperature"] = 1
    if caps.exclusive_temp_top_p and "temperature" in wanted and "top_p" in wanted:
        losses.add(where.field(req, "top_p"), f"{caps.model} refuses it beside temperature")
        del wanted["top_p"]
    body.update(wanted)
    stops = [text for text in sampling.stop if text.strip()]
    if len(stops) != len(sampling.stop):
        losses.add(where.field(req, "stop"), "stop sequences of white space only are refused")
    if stops:
        body["stop_sequences"] = stops
    for name, field in _FOREIGN_FIELDS:
        asked: Any = getattr(sampling, name)
        if asked is UNSET or (name == "n" and asked == 1) or asked is False:
            continue
        losses.add(where.field(req, field), "the Messages API has no such field")


def _output(req: IRRequest, body: Obj, losses: Losses) -> None:
    wish = req.output
    form = where.field(req, "format")
    if wish.kind == "json_schema" and wish.schema is not None:
        config = body.setdefault("output_config", {})
        own = req.source == "anthropic"
        schema = wish.schema if own else for_anthropic_output(wish.schema)
        config["format"] = {"type": "json_schema", "schema": schema}
        if not own and has_open_objects(wish.schema):
            losses.add(f"{form}.schema", "objects cannot be open", action="approximated")
        if wish.strict is False:
            losses.add(f"{form}.strict", "schemas are always enforced", "info")
        if wish.description:
            losses.add(f"{form}.description", "schemas have no description of their own", "info")
    elif wish.kind in ("json", "json_schema"):
        losses.add(form, "JSON output without a schema cannot be enforced")
    if wish.verbosity:
        losses.add(where.field(req, "verbosity"), "the Messages API has no such setting", "info")
    if any(m.lower() != "text" for m in wish.modalities):
        losses.add(where.field(req, "modalities"), "Claude answers in text only", "error")


_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def _meta(req: IRRequest, body: Obj, losses: Losses) -> None:
    meta = req.meta
    own = req.source == "anthropic"
    metadata: Obj = dict(meta.metadata or {}) if own else {}
    if meta.end_user:
        metadata = {"user_id": meta.end_user, **metadata}
    if metadata:
        body["metadata"] = metadata
    if meta.metadata and not own:
        losses.add(where.field(req, "metadata"), "only a user id can be sent", "info")
    if meta.service_tier:
        tier = _TIERS.get(meta.service_tier)
        if tier:
            body["service_tier"] = tier
        elif own:
            body["service_tier"] = meta.service_tier
        elif meta.service_tier in ("priority", "fast"):
            body["speed"] = "fast"
        else:
            losses.add(
                where.field(req, "service_tier"), f"there is no tier {meta.service_tier!r}", "info"
            )
    if meta.store is True:
        losses.add("store", "answers are not stored", "info")
    if meta.prompt_cache_key:
        losses.add("prompt_cache_key", "Claude caches by breakpoints", "info")
    if req.safety:
        losses.add("safetySettings", "the Messages API has no safety settings")


def _called_mcp(body: Obj) -> bool:
    blocks = (block for message in body["messages"] for block in message["content"])
    return any(isinstance(block, dict) and block["type"] == "mcp_tool_use" for block in blocks)


def _headers(req: IRRequest, body: Obj) -> dict[str, str]:
    flags = [f.strip() for f in req.headers.get("anthropic-beta", "").split(",") if f.strip()]
    betas = body.pop("betas", None)
    if isinstance(betas, list):
        flags += [f for f in betas if isinstance(f, str)]
    flags += [flag for field, flag in BETAS.items() if field in body]
    if req.source != "anthropic" and _called_mcp(body):
        flags.append(BETAS["mcp_servers"])
    unique = list(dict.fromkeys(flags))
    return {"anthropic-beta": ",".join(unique)} if unique else {}

"""A legacy completions body → `IRRequest` with one user message.

Token arrays cannot be understood without the tokenizer of the model they were made for, and log
probabilities of the prompt cannot be had from a chat model: both are refused. `echo` is honoured
by the writer. Several prompts would be several answers; they are joined, and reported as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from cliproxy.base.errors import BadRequest, Unsupported
from cliproxy.base.json import Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_completions.wire import EMPTY_PROMPT, MAPPED
from cliproxy.ir.request import IRRequest, Message, Meta, Sampling, Text

if TYPE_CHECKING:
    from cliproxy.dialects import ParseMeta


def parse(body: Obj, meta: ParseMeta) -> IRRequest:
    """Read a client's request. Raises `BadRequest` naming the field."""
    model = fields.text(body, "model") or meta.model
    if not model:
        raise fields.missing("model", "You must provide a model.")
    extras: Obj = {
        key: value for key, value in body.items() if key not in MAPPED and value is not None
    }
    if not extras.get("suffix"):
        extras.pop("suffix", None)
    if extras.get("best_of") == (body.get("n") or 1):
        extras.pop("best_of", None)  # the best one of one is that one
    prompts = _prompts(body)
    if len(prompts) > 1:
        extras["prompt"] = list(prompts)
    sampling = _sampling(body)
    if fields.flag(body, "echo") and sampling.logprobs is True:
        raise Unsupported(
            "`echo` with `logprobs` asks for log probabilities of the prompt; chat models do not "
            "give them.",
            param="echo",
        )
    options = fields.obj_of(body, "stream_options") or {}
    stream = fields.flag(body, "stream") or False
    return IRRequest(
        model=model,
        source="openai-completions",
        messages=(Message("user", (Text("\n".join(prompts) or EMPTY_PROMPT),)),),
        sampling=sampling,
        stream=stream if meta.stream is None else meta.stream,
        stream_usage=fields.flag(options, "include_usage", "stream_options") or False,
        meta=Meta(end_user=fields.text(body, "user")),
        extras=extras,
        raw=body,
    )


def _prompts(body: Obj) -> tuple[str, ...]:
    value = body.get("prompt")
    if value is None:
        if "messages" in body:
            raise BadRequest(
                "Missing required parameter: 'prompt'. Conversations (`messages`) belong to "
                "/v1/chat/completions.",
                param="prompt",
                code="missing_required_parameter",
            )
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise fields.wrong_type("prompt", "a string or an array of strings", value)
    for item in value:
        if isinstance(item, int | list):
            raise BadRequest(
                "Invalid value for 'prompt': token arrays are not supported, send the text.",
                param="prompt",
                code="invalid_value",
            )
    return fields.strings(body, "prompt")


def _given(value: Any) -> Any:
    return UNSET if value is None else value


def _sampling(body: Obj) -> Sampling:
    limit = fields.integer(body, "max_tokens")
    if limit is None:
        limit = fields.integer(body, "max_completion_tokens")
    logprobs, top = _logprobs(body)
    return Sampling(
        temperature=_given(fields.number(body, "temperature")),
        top_p=_given(fields.number(body, "top_p")),
        top_k=_given(fields.integer(body, "top_k")),
        max_output=_given(limit),
        stop=fields.strings(body, "stop"),
        seed=_given(fields.integer(body, "seed")),
        n=_given(fields.integer(body, "n")),
        presence_penalty=_given(fields.number(body, "presence_penalty")),
        frequency_penalty=_given(fields.number(body, "frequency_penalty")),
        logprobs=_given(logprobs),
        top_logprobs=_given(top),
        logit_bias=_given(fields.obj_of(body, "logit_bias")),
    )


def _logprobs(body: Obj) -> tuple[bool | None, int | None]:
    """Read the legacy number of alternatives as chat's two fields."""
    value = body.get("logprobs")
    top = fields.integer(body, "top_logprobs")
    if value is None or isinstance(value, bool):
        return value, top
    count = fields.integer(body, "logprobs")
    return True, count if top is None else top

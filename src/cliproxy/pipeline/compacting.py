"""`POST /v1/responses/compact`: a long conversation becomes a short one.

Accounts whose upstream compacts do it themselves. For all others a model of theirs is asked for a
summary, which travels in the compaction item and is read back as text by any later upstream.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs

from cliproxy import providers
from cliproxy.base import ids, json
from cliproxy.base.errors import BadRequest, GatewayError, UpstreamBroken
from cliproxy.base.json import Obj
from cliproxy.ir.envelope import may_hold, wrap_summary
from cliproxy.pipeline import continuing
from cliproxy.pipeline.context import Reply, Request, decode_object
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.kept import input_items, shown
from cliproxy.pipeline.run import run

_NOT_THERE: Final = frozenset({404, 405, 501})
_TASK: Final = (
    "You compress conversations between a user and an assistant, so that another assistant can "
    "go on from your summary alone. Keep: what the user wants and every constraint they set; what "
    "was done, found and decided, with exact names, paths, commands, numbers and error texts; what "
    "is unfinished and the next step. Leave out what no longer matters. Write plain text. Do not "
    "answer or continue the conversation."
)
_ASK: Final = "Summarise the conversation above."


async def compact(gateway: Gateway, request: Request) -> Reply:
    """Answer a compact request. Raises a `GatewayError`."""
    body = decode_object(request.body)
    if body.get("stream"):
        raise BadRequest("Streaming is not supported for compact responses.", param="stream")
    continuing.continue_from(gateway, request)
    candidates = gateway.registry.resolve(
        request.model, provider=request.pin_provider, account=request.pin_account
    )
    candidates = continuing.able(request, candidates)
    missing = continuing.unknown(request)
    if request.continued is not None:
        body = request.continued.body
    body.pop("stream", None)
    items = input_items(body)
    if not items and request.continued is None and not body.get("previous_response_id"):
        raise BadRequest("The field 'input' is missing or empty.", param="input")
    written = json.dumps(body)
    if any(providers.able(c.account, "compact") for c in candidates) and not may_hold(written):
        inner = structs.replace(request, operation="compact", body=written, continued=None)
        inner.peeked = None
        try:
            reply = await run(gateway, inner)
        except GatewayError as err:
            if err.status not in _NOT_THERE:
                raise
        else:
            request.fidelity = inner.fidelity
            return reply
    if missing is not None:
        # There is no summary of what is not known.
        raise missing
    return await _summarised(gateway, request, body, items)


async def _summarised(gateway: Gateway, request: Request, body: Obj, items: list[Any]) -> Reply:
    asked: Obj = {
        "model": request.model,
        "instructions": _TASK,
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": _transcript(body, items)},
                    {"type": "input_text", "text": _ASK},
                ],
            }
        ],
        "store": False,
    }
    inner = structs.replace(
        request, body=json.dumps(asked), operation="generate", stream=False, continued=None
    )
    inner.peeked = None
    reply = await run(gateway, inner)
    request.fidelity = inner.fidelity
    answer = json.loads(reply.body)
    summary = _text(answer)
    if not summary:
        raise UpstreamBroken("The upstream gave no summary of the conversation.")
    compaction = {
        "type": "compaction",
        "id": ids.with_prefix("cmp_"),
        "encrypted_content": wrap_summary(summary),
    }
    said = [
        item
        for item in shown(items, request.id)
        if item["type"] == "message" and item.get("role") == "user"
    ]
    reply.body = json.dumps(
        {
            "id": ids.with_prefix("resp_"),
            "object": "response.compaction",
            "created_at": answer.get("created_at") or int(gateway.clock.now()),
            "output": [*said, compaction],
            "usage": answer.get("usage"),
        }
    )
    return reply


def _transcript(body: Obj, items: list[Any]) -> str:
    """Write a conversation as text: tools and their results need no declarations then."""
    told: list[str] = []
    if instructions := body.get("instructions"):
        told.append(f"[instructions]\n{instructions}")
    for item in items:
        if not isinstance(item, dict):
            continue
        kind = item.get("type", "message")
        match kind:
            case "message":
                told.append(f"[{item.get('role', 'user')}]\n{_content(item.get('content'))}")
            case "function_call" | "custom_tool_call":
                given = item.get("arguments", item.get("input", ""))
                told.append(f"[assistant calls {item.get('name')}]\n{given}")
            case "function_call_output" | "custom_tool_call_output":
                told.append(f"[result]\n{_content(item.get('output'))}")
            case "reasoning":
                if text := _content(item.get("summary")):
                    told.append(f"[assistant thinks]\n{text}")
            case _:
                told.append(f"[{kind}]\n{json.dumps_str(item)}")
    return "\n\n".join(told)


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value
    texts: list[str] = []
    for part in value if isinstance(value, list) else ():
        if isinstance(part, dict):
            text = part.get("text")
            texts.append(text if isinstance(text, str) else f"[{part.get('type', 'part')}]")
    return "\n".join(texts)


def _text(answer: Any) -> str:
    output = answer.get("output") if isinstance(answer, dict) else None
    return "\n".join(
        _content(item.get("content"))
        for item in output or ()
        if isinstance(item, dict) and item.get("type") == "message"
    ).strip()

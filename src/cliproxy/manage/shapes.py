"""JSON schemas of what endpoints take and give, in small words."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
FLAG: Final[Schema] = {"type": "boolean"}
ANY: Final[Schema] = {}
OBJECT: Final[Schema] = {"type": "object"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
SECONDS: Final[Schema] = {"type": "number", "description": "Unix seconds."}


def items(inner: Schema) -> Schema:
    """Return a list of something."""
    return {"type": "array", "items": inner}


def mapping(inner: Schema) -> Schema:
    """Return an object of any keys."""
    return {"type": "object", "additionalProperties": inner}


def maybe(inner: Schema) -> Schema:
    """Return something or null."""
    return {"anyOf": [inner, {"type": "null"}]}


def one_of(*inner: Schema) -> Schema:
    """Return any of some."""
    return {"anyOf": list(inner)}


def words(*values: str) -> Schema:
    """Return one of some words."""
    return {"type": "string", "enum": list(values)}


def obj(fields: dict[str, Schema], *, optional: dict[str, Schema] | None = None) -> Schema:
    """Return an object: fields that are always there, and those that may be."""
    schema: Schema = {"type": "object", "properties": {**fields, **(optional or {})}}
    if fields:
        schema["required"] = list(fields)
    return schema


def ref(name: str) -> Schema:
    """Return a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


STATUS: Final = obj({"status": TEXT})
COUNTS: Final = items(obj({"time": TEXT, "success": WHOLE, "failed": WHOLE}))
COUNTED: Final = {"success": WHOLE, "failed": WHOLE, "recent_requests": COUNTS}
LOSS: Final = obj(
    {"field": TEXT, "reason": TEXT},
    optional={
        "severity": words("info", "warn", "error"),
        "action": words("dropped", "approximated", "moved", "synthesised"),
    },
)
WARNINGS: Final = items(obj({"line": maybe(WHOLE), "path": TEXT, "message": TEXT}))
TOKENS: Final = dict.fromkeys(
    ("input", "cached", "cache_write", "output", "reasoning", "total"), WHOLE
)
_SUMS: Final = {
    "requests": WHOLE,
    "failed": WHOLE,
    "left": WHOLE,
    "tokens": obj(TOKENS),
    "cost_usd": NUMBER,
    "unpriced": WHOLE,
    "seconds": maybe(NUMBER),
    "first_seconds": maybe(NUMBER),
}
_GROUPS: Final = ("provider", "account", "source", "auth_index", "client", "model", "operation",
                  "day", "hour")  # fmt: skip
_USED: Final = ("id", "client", "provider", "account", "source", "auth_index", "model", "served",
                "dialect", "upstream", "endpoint", "operation", "fidelity", "error")  # fmt: skip
NAMED: Final[dict[str, Schema]] = {
    "Error": obj({"error": TEXT}, optional={"message": TEXT, "status": TEXT}),
    "Status": STATUS,
    "Written": obj({"status": TEXT}, optional={"warnings": WARNINGS}),
    "Loss": LOSS,
    "Account": obj(
        {
            "id": TEXT,
            "provider": TEXT,
            "label": TEXT,
            "kind": words("key", "oauth", "service", "linked", "local"),
            "state": words(
                "ok",
                "refreshing",
                "network",
                "limited",
                "needs_login",
                "revoked",
                "disabled",
                "not used",
                "no token",
                "no key",
            ),
            "problem": TEXT,
            "expires": maybe(SECONDS),
            "disabled": FLAG,
            "cooldown": maybe(obj({"reason": TEXT, "until": SECONDS})),
            "base_url": TEXT,
            "prefix": TEXT,
            "project": TEXT,
            "priority": WHOLE,
            "weight": WHOLE,
            "auth_index": TEXT,
            "file": TEXT,
            "running": WHOLE,
            **COUNTED,
        }
    ),
    "ModelServed": obj(
        {
            "id": TEXT,
            "owned_by": TEXT,
            "created": WHOLE,
            "display_name": TEXT,
            "context_length": WHOLE,
            "max_output": WHOLE,
            "accounts": items(obj({"id": TEXT, "label": TEXT, "provider": TEXT, "model": TEXT})),
        },
        optional={
            "type": TEXT,
            "thinking": maybe(OBJECT),
            "input_modalities": items(TEXT),
            "output_modalities": items(TEXT),
        },
    ),
    "Quota": obj(
        {
            "plan": TEXT,
            "windows": items(
                obj(
                    {
                        "id": TEXT,
                        "label": TEXT,
                        "used_percent": maybe(NUMBER),
                        "remaining": maybe(NUMBER),
                        "limit": maybe(NUMBER),
                        "reset_at": maybe(SECONDS),
                        "period_seconds": maybe(NUMBER),
                        "models": items(TEXT),
                    }
                )
            ),
            "credits": OBJECT,
        }
    ),
    "UsageSum": obj(_SUMS, optional=dict.fromkeys(_GROUPS, TEXT)),
    "UsageRequest": obj(
        {
            "row": WHOLE,
            "at": SECONDS,
            "seconds": NUMBER,
            "first_seconds": maybe(NUMBER),
            **dict.fromkeys(_USED, TEXT),
            "stream": FLAG,
            "status": WHOLE,
            "failed": FLAG,
            "attempts": WHOLE,
            "tokens": obj({**TOKENS, "cache_write_1h": WHOLE, "quality": TEXT}),
            "cost_usd": maybe(NUMBER),
        }
    ),
    "LogPage": obj(
        {
            "lines": items(TEXT),
            "line-count": WHOLE,
            "latest-timestamp": WHOLE,
            "next-cursor": TEXT,
        },
        optional={"cursor-reset": FLAG},
    ),
    "AuthFile": obj(
        {
            "id": TEXT,
            "auth_index": TEXT,
            "name": TEXT,
            "type": TEXT,
            "provider": TEXT,
            "label": TEXT,
            "status": words("active", "pending", "refreshing", "error", "disabled", "unknown"),
            "status_message": TEXT,
            "disabled": FLAG,
            "unavailable": FLAG,
            "runtime_only": FLAG,
            "source": words("file", "memory"),
            "size": WHOLE,
            "success": WHOLE,
            "failed": WHOLE,
            "recent_requests": COUNTS,
            "state": TEXT,
            "problem": TEXT,
            "linked": FLAG,
        },
        optional={
            "path": TEXT,
            "email": TEXT,
            "account_type": words("oauth", "api_key"),
            "account": TEXT,
            "project_id": TEXT,
            "plan": TEXT,
            "linked_cli": TEXT,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "modtime": MOMENT,
            "last_refresh": MOMENT,
            "expires_at": MOMENT,
            "next_retry_after": MOMENT,
            "id_token": obj(
                {},
                optional={
                    "chatgpt_account_id": TEXT,
                    "plan_type": TEXT,
                    "chatgpt_subscription_active_start": TEXT,
                    "chatgpt_subscription_active_until": TEXT,
                },
            ),
            "prefix": TEXT,
            "proxy_url": TEXT,
            "priority": WHOLE,
            "weight": WHOLE,
            "note": TEXT,
            "websockets": FLAG,
            "request_retry": WHOLE,
            "cooldowns": items(ref("Cooldown")),
        },
    ),
    "Cooldown": obj(
        {
            "account": TEXT,
            "label": TEXT,
            "model": TEXT,
            "state": TEXT,
            "reason": TEXT,
            "source": TEXT,
            "until": SECONDS,
        },
        optional={
            "scope": words("credential", "model"),
            "model_key": TEXT,
            "retry_at": MOMENT,
            "remaining_seconds": WHOLE,
        },
    ),
    "Attempt": obj(
        {
            "provider": TEXT,
            "account": TEXT,
            "model": TEXT,
            "status": WHOLE,
            "reason": TEXT,
            "message": TEXT,
            "seconds": NUMBER,
            "losses": items(ref("Loss")),
            "told": TEXT,
        }
    ),
    "Request": obj(
        {
            "id": TEXT,
            "running": FLAG,
            "at": SECONDS,
            "seconds": NUMBER,
            "client": TEXT,
            "dialect": TEXT,
            "model": TEXT,
            "stream": FLAG,
            "operation": TEXT,
            "status": WHOLE,
            "fidelity": TEXT,
            "error": TEXT,
            "attempts": items(ref("Attempt")),
            "first_seconds": maybe(NUMBER),
        },
        optional={"bodies": items(ref("LoggedBody"))},
    ),
    "LoggedBody": obj(
        {
            "of": words("request", "upstream request", "upstream answer", "answer"),
            "attempt": WHOLE,
            "head": TEXT,
            "body": TEXT,
            "size": WHOLE,
        }
    ),
    "Choice": obj(
        {
            "provider": TEXT,
            "account": TEXT,
            "label": TEXT,
            "priority": WHOLE,
            "weight": WHOLE,
            "model": TEXT,
            "fidelity": TEXT,
            "method": TEXT,
            "url": TEXT,
            "headers": mapping(TEXT),
            "body": ANY,
            "proxy": TEXT,
            "losses": items(ref("Loss")),
            "error": TEXT,
            "state": TEXT,
            "because": TEXT,
            "until": maybe(SECONDS),
        }
    ),
    "LoginStarted": obj(
        {"status": words("ok"), "url": TEXT, "state": TEXT, "expires_in": WHOLE},
        optional={
            "flow": words("device"),
            "user_code": TEXT,
            "notice": TEXT,
        },
    ),
    "LoginStatus": obj(
        {"status": words("ok", "wait", "error")},
        optional={"error": TEXT, "name": TEXT, "provider": TEXT},
    ),
}

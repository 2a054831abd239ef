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
LOSS: Final = obj({}, optional={"field": TEXT, "reason": TEXT, "severity": TEXT})
NAMED: Final[dict[str, Schema]] = {
    "Error": obj({"error": TEXT}, optional={"message": TEXT, "status": TEXT}),
    "Status": STATUS,
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
        }
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
            "losses": items(LOSS),
            "told": TEXT,
        }
    ),
    "RecentRequest": obj(
        {
            "id": TEXT,
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
            "losses": items(LOSS),
            "error": TEXT,
            "state": TEXT,
            "because": TEXT,
            "until": maybe(SECONDS),
        }
    ),
    "LoginStarted": obj(
        {"status": words("ok"), "url": TEXT, "state": TEXT},
        optional={"flow": words("device"), "user_code": TEXT, "expires_in": WHOLE},
    ),
    "LoginStatus": obj(
        {"status": words("ok", "wait", "error")},
        optional={"error": TEXT, "name": TEXT, "provider": TEXT},
    ),
}

"""The management API, as far as it goes: explain, the latest requests, and cooldowns.

Access is `server/gate.py`'s business; the wire conventions are those of the field's management
clients: errors are `{"error": …}`, and nothing here shows a secret.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cliproxy.app.explain import SAMPLES, explain
from cliproxy.base import json
from cliproxy.base.errors import GatewayError
from cliproxy.base.json import Json, Obj
from cliproxy.server.gate import Gate, ManagementKeys, Refused

if TYPE_CHECKING:
    from cliproxy.app.runtime import Runtime

PREFIX: Final = "/v0/management"
_SHOWN: Final = 100


class Management:
    """Answers management requests of one running proxy."""

    def __init__(self, runtime: Runtime, gate: Gate) -> None:
        self._runtime = runtime
        self._gate = gate

    @property
    def exists(self) -> bool:
        """Whether there is a key; without one its routes do not exist."""
        return self._keys().exist

    async def answer(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        read: Callable[[], Awaitable[bytes]],
        peer: tuple[str, bool],
    ) -> tuple[int, bytes]:
        """Return status and body. `read` gives the request's body; `peer` is address, loopback."""
        address, loopback = peer
        try:
            await self._gate.check(self._keys(), headers, peer=address, loopback=loopback)
            name, _, rest = path.removeprefix(PREFIX).strip("/").partition("/")
            found = _ROUTES.get((method, name))
            if found is None:
                return 404, b""
            body = json.loads(await read()) if method in ("POST", "PUT", "PATCH") else None
            return 200, json.dumps(await found(self._runtime, rest, query, body))
        except Refused as err:
            return err.status, json.dumps({"error": err.error})
        except json.InvalidJson:
            return 400, json.dumps({"error": "invalid body"})
        except GatewayError as err:
            return err.status, json.dumps({"error": err.code or err.kind, "message": err.message})

    def _keys(self) -> ManagementKeys:
        section = self._runtime.config.remote_management
        return ManagementKeys(
            file=section.secret_key.strip(),
            environment=os.environ.get("MANAGEMENT_PASSWORD", "").strip(),
            allow_remote=section.allow_remote,
        )


_Handler = Callable[["Runtime", str, Mapping[str, str], Any], Awaitable[Json]]


async def _explain(runtime: Runtime, rest: str, query: Mapping[str, str], body: Any) -> Json:  # noqa: ARG001
    asked = _object(body)
    model, dialect = asked.get("model"), asked.get("dialect", "openai-chat")
    if not isinstance(model, str) or not model:
        raise Refused(400, "model is missing")
    if dialect not in SAMPLES:
        raise Refused(400, f"dialect must be one of {', '.join(SAMPLES)}")
    given, provider = asked.get("body"), asked.get("provider")
    if not isinstance(given, dict | None) or not isinstance(provider, str | None):
        raise Refused(400, "invalid body")
    choices = explain(
        runtime.app.generation.gateway,
        model,
        dialect=dialect,
        body=given,
        stream=asked.get("stream") is True,
        provider=provider,
    )
    return {"model": model, "dialect": dialect, "choices": msgspec.to_builtins(choices)}


async def _requests(runtime: Runtime, rest: str, query: Mapping[str, str], body: Any) -> Json:  # noqa: ARG001
    if rest:
        found = runtime.app.recent.find(rest)
        if found is None:
            raise Refused(404, "request not found")
        return found
    limit = query.get("limit", "")
    count = int(limit) if limit.isdigit() else _SHOWN
    return {"requests": list[Json](runtime.app.recent.latest(count))}


async def _cooldowns(runtime: Runtime, rest: str, query: Mapping[str, str], body: Any) -> Json:  # noqa: ARG001
    gateway = runtime.app.generation.gateway
    found: dict[tuple[str, str], Json] = {}
    for listed in gateway.registry.list_models():
        for fate in gateway.pool.preview(gateway.registry.resolve(listed.id)).fates:
            if fate.until is None:
                continue
            account, model = fate.candidate.account, fate.candidate.upstream_model
            found[account.id, model] = {
                "account": account.id,
                "label": account.label,
                "model": model,
                "state": fate.code,
                "reason": fate.reason,
                "source": fate.source,
                "until": fate.until,
            }
    return {"cooldowns": list(found.values())}


async def _clear(runtime: Runtime, rest: str, query: Mapping[str, str], body: Any) -> Json:  # noqa: ARG001
    account = rest or query.get("account") or None
    known = {account.id for account in runtime.accounts}
    if account is not None and account not in known:
        raise Refused(404, "account not found")
    return {"cleared": runtime.app.generation.gateway.pool.clear(account)}


def _object(body: Any) -> Obj:
    if not isinstance(body, dict):
        raise Refused(400, "invalid body")
    return body


_ROUTES: Final[dict[tuple[str, str], _Handler]] = {
    ("POST", "explain"): _explain,
    ("GET", "requests"): _requests,
    ("GET", "cooldowns"): _cooldowns,
    ("DELETE", "cooldowns"): _clear,
}

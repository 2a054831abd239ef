"""Failed attempts, for whoever listens: what the upstream said, and how its account stands now."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from cliproxy.account.index import auth_index
from cliproxy.base import json, redact
from cliproxy.base.errors import GatewayError, UpstreamError, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.pipeline.context import reason_of
from cliproxy.pipeline.gateway import Gateway
from cliproxy.routing.cooldown import Belief
from cliproxy.routing.reasons import is_whole
from cliproxy.routing.resolve import Candidate
from cliproxy.usage.snapshot import timestamp

BODY: Final = 4096
"""Characters of an upstream's words that are told."""
_ENDED: Final = frozenset({"needs_login", "revoked"})
_log: Final = logging.getLogger(__name__)


def tell(gateway: Gateway, candidate: Candidate, error: GatewayError, *, retryable: bool) -> None:
    """Tell of an attempt that an upstream failed. Nothing is done while nobody listens.

    `retryable` is whether another account is asked. Never raises.
    """
    if not gateway.failures or not isinstance(error, UpstreamError):
        return
    try:
        told = told_of(gateway, candidate, error, retryable=retryable)
        gateway.failures.tell(json.dumps(told))
    except Exception:  # noqa: BLE001  # logged; the request goes on
        _log.exception("a failed attempt could not be told")


def told_of(
    gateway: Gateway, candidate: Candidate, error: UpstreamError, *, retryable: bool
) -> Obj:
    """Write a failed attempt as listeners read it."""
    account = candidate.account
    credential = account.credential
    folder = getattr(gateway.keeper.store, "folder", None) if gateway.keeper is not None else None
    return {
        "timestamp": timestamp(int(gateway.clock.now() * 1e9)),
        "provider": account.provider,
        "model": candidate.upstream_model,
        "auth_id": credential.name if credential is not None else account.id,
        "auth_index": auth_index(account, Path(folder).absolute() if folder is not None else None),
        "status_code": error.status,
        "body": _body(candidate, error),
        "code": reason_of(error),
        "retryable": retryable,
        "auth_status": _standing(gateway, candidate, error),
    }


def _body(candidate: Candidate, error: UpstreamError) -> str:
    raw = error.raw if isinstance(error, UpstreamRefused) else None
    data = error.message.encode("utf-8", "replace") if raw is None else raw
    account = candidate.account
    secrets = redact.secrets_of(account.base_url, account.headers, answer=data) | {account.token}
    if account.credential is not None:
        secrets.add(account.credential.refresh_token)
        secrets.add(account.credential.access_token)
    # Cut after that: half a secret would not be found.
    return redact.without_bytes(data, secrets - {""}).decode("utf-8", "replace")[:BODY]


def _standing(gateway: Gateway, candidate: Candidate, error: UpstreamError) -> Obj:
    credential = candidate.account.credential
    found = gateway.pool.resting(candidate)
    belief, until = found if found is not None else (None, None)
    retry = None if until is None else timestamp(int(until * 1e9))
    whole = belief is not None and is_whole(belief.reason, error)
    ended = credential is not None and credential.state in _ENDED
    problem = credential.problem if credential is not None else ""
    quota = _quota(belief, retry)
    return {
        "status": "error" if whole or problem else "active",
        "status_message": problem or (belief.reason if belief is not None and whole else ""),
        "disabled": False,
        "unavailable": whole or ended,
        "next_retry_after": retry if whole else None,
        "quota": quota,
        "model": {
            "name": candidate.upstream_model,
            "status": "active" if belief is None else "error",
            "status_message": "" if belief is None else belief.reason,
            "unavailable": belief is not None and belief.hard,
            "next_retry_after": retry,
            "quota": quota,
        },
    }


def _quota(belief: Belief | None, until: str | None) -> Obj:
    limited = belief is not None and belief.reason == "rate_limit"
    return {
        "exceeded": limited,
        "reason": "quota" if limited else "",
        "next_recover_at": until if limited else None,
        "backoff_level": belief.failures - 1 if belief is not None and limited else 0,
    }

"""Cooldowns on the disk, so that a restart does not run into limits that are known already.

One file per account beside the credentials, `<account>.cds`, in the form CLIProxyAPI writes. Only
what an upstream has said is kept, never a guess; what has run out is not read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cliproxy.account.credential import moment
from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.clock import Clock
from cliproxy.base.files import atomic_write, read_file
from cliproxy.base.json import Json, Obj
from cliproxy.routing.cooldown import Kept
from cliproxy.routing.pool import Pool
from cliproxy.routing.reasons import Reason

_log: Final = logging.getLogger("cliproxy.routing")
_MOST: Final = 16 * 1024 * 1024
_REASONS: Final[dict[str, Reason]] = {
    "rate_limit": "rate_limit",
    "quota": "rate_limit",
    "quota_exceeded": "rate_limit",
    "authentication": "authentication",
    "unauthorized": "authentication",
    "billing": "billing",
    "payment_required": "billing",
}


class CooldownFiles:
    """Reads them at the start, and writes those that changed whenever `save` is called."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._written: dict[str, list[Kept]] = {}

    def load(self, pool: Pool, accounts: Iterable[Account]) -> int:
        """Believe what is still in force; remove what is over or nobody's. Returns how many."""
        known = {self._path(account): account for account in accounts}
        count = 0
        for path in sorted(self._folder.rglob("*.cds")) if self._folder.is_dir() else ():
            account = known.get(path)
            kept = [] if account is None else self._read(path, account.id)
            if not kept:
                self._remove(path)
            elif account is not None:
                self._written[account.id] = kept
            count += pool.believe(kept)
        return count

    def save(self, pool: Pool, accounts: Iterable[Account]) -> None:
        """Write what is believed with evidence. A disk that refuses is told of, once per try."""
        beliefs: dict[str, list[Kept]] = {}
        for kept in pool.beliefs():
            beliefs.setdefault(kept.account, []).append(kept)
        for account in accounts:
            now = beliefs.get(account.id, [])
            if now == self._written.get(account.id, []):
                continue
            try:
                if now:
                    content = json.dumps(self._content(account, now))
                    atomic_write(self._path(account), content + b"\n")
                else:
                    self._remove(self._path(account))
            except OSError as err:
                _log.warning("the cooldowns of %s cannot be written: %s", account.label, err)
                return
            self._written[account.id] = now

    def _path(self, account: Account) -> Path:
        folder, _, name = account.id.rpartition("/")
        if any(part in ("", ".", "..") for part in folder.split("/")):
            # The name of a host is anything its owner wrote.
            folder, name = "", account.id
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name.removesuffix(".json")).strip("._-")
        return self._folder / folder / f"{plain or 'account'}.cds"

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as err:
            _log.warning("%s cannot be removed: %s", path, err)

    def _content(self, account: Account, beliefs: list[Kept]) -> Obj:
        now = _stamp(self._clock.now())
        records: list[Json] = []
        for kept in beliefs:
            limit = kept.reason == "rate_limit"
            record: Obj = {
                "provider": account.provider,
                "auth_id": account.id,
                "status": "cooling",
                "next_retry_after": _stamp(kept.until),
                "reason": kept.reason,
                "quota": {
                    "exceeded": limit,
                    "reason": "quota" if limit else "",
                    "next_recover_at": _stamp(kept.until),
                    "backoff_level": kept.failures - 1,
                },
                "source": kept.source,
                "updated_at": now,
            }
            if kept.model:
                record["model"] = kept.model
            records.append(record)
        return {
            "version": 1,
            "auth_id": account.id,
            "provider": account.provider,
            "updated_at": now,
            "records": records,
        }

    def _read(self, path: Path, account: str) -> list[Kept]:
        try:
            value: Any = json.loads(read_file(path, _MOST))
            records = value["records"]
            found = [self._record(record, account) for record in records]
        except (OSError, json.InvalidJson, KeyError, TypeError, AttributeError) as err:
            _log.warning("%s cannot be read, so its cooldowns are forgotten: %s", path, err)
            return []
        return [kept for kept in found if kept is not None]

    def _record(self, record: Any, account: str) -> Kept | None:
        until = moment(record.get("next_retry_after"))
        if until is None or until <= self._clock.now():
            return None
        quota = record.get("quota") or {}
        exceeded = isinstance(quota, dict) and quota.get("exceeded") is True
        reason = _REASONS.get(str(record.get("reason", "")), "rate_limit" if exceeded else None)
        if reason is None:
            return None
        level = quota.get("backoff_level", 0) if isinstance(quota, dict) else 0
        return Kept(
            account=account,
            model=str(record.get("model") or ""),
            reason=reason,
            source="header" if record.get("source") == "header" else "body",
            until=until,
            failures=1 + level if isinstance(level, int) and level > 0 else 1,
        )


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

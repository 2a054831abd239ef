"""Cooldowns on the disk, so that a restart does not run into limits that are known already.

One file per account beside the credentials, `<account>.cds`, in the form CLIProxyAPI writes. Only
what an upstream has said is kept, never a guess; what has run out is not read.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
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
        self._accounts: Sequence[Account] = ()
        self._paths: dict[str, Path] = {}
        """By account id."""

    def load(self, pool: Pool, accounts: Sequence[Account]) -> int:
        """Believe what is still in force; remove what is over or nobody's. Returns how many."""
        self._place(accounts)
        owners = {path: account for account, path in self._paths.items()}
        count = 0
        for path in sorted(self._folder.rglob("*.cds")) if self._folder.is_dir() else ():
            kept = self._read(path, owners.get(path))
            if kept and self._paths[kept[0].account] == path:
                self._written[kept[0].account] = kept
            else:
                self._remove(path)
            count += pool.believe(kept)
        return count

    def save(self, pool: Pool, accounts: Sequence[Account]) -> None:
        """Write what is believed with evidence. A disk that refuses is told of, once per try."""
        self._place(accounts)
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
                    atomic_write(self._paths[account.id], content + b"\n")
                else:
                    self._remove(self._paths[account.id])
            except OSError as err:
                _log.warning("the cooldowns of %s cannot be written: %s", account.label, err)
                return
            self._written[account.id] = now

    def _place(self, accounts: Sequence[Account]) -> None:
        """Give each account a file of its own."""
        if accounts is self._accounts:
            return
        before, self._accounts, self._paths = self._paths, accounts, _paths(self._folder, accounts)
        for account, path in before.items():
            if self._paths.get(account, path) == path or not self._written.pop(account, None):
                continue
            # It has to share its name now, or no longer: it is written anew in its place.
            if path not in self._paths.values():
                self._remove(path)

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

    def _read(self, path: Path, owner: str | None) -> list[Kept]:
        """Return what a file says of the account that it names, or of its owner."""
        try:
            value: Any = json.loads(read_file(path, _MOST))
            named = value.get("auth_id")
            account = named if named in self._paths else owner
            if account is None:
                return []
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


def _paths(folder: Path, accounts: Iterable[Account]) -> dict[str, Path]:
    """Return the file of each account, by its id.

    Odd characters are replaced. Where names come to be the same by that, the one that was so
    already has the name, or the first; the others have a digest behind it.
    """
    found: dict[str, Path] = {}
    owners: dict[Path, str] = {}
    # By name, so that who comes first is the same after a restart.
    for account in sorted(account.id for account in accounts):
        path, same = _path(folder, account)
        owner = owners.setdefault(path, account)
        if owner == account:
            found[owner] = path
            continue
        if same:
            owners[path], found[account] = account, path
        other = owner if same else account
        digest = hashlib.sha256(other.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        found[other] = path.with_name(f"{path.stem}-{digest}.cds")
    return found


def _path(folder: Path, account: str) -> tuple[Path, bool]:
    """Return the file that an account would have alone, and whether that is its very name."""
    within, _, name = account.rpartition("/")
    if any(part in ("", ".", "..") for part in within.split("/")):
        # The name of a host is anything its owner wrote.
        within, name = "", account
    name = name.removesuffix(".json")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")
    return folder / within / f"{plain or 'account'}.cds", plain == name


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

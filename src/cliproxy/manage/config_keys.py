"""Switching keys of the configuration on and off, without taking them away."""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs
from starlette.requests import Request

from cliproxy.base.json import Obj
from cliproxy.config.load import CREDENTIALS, Problem
from cliproxy.config.schema import Config
from cliproxy.manage.document import Document, put
from cliproxy.manage.web import change, control_of
from cliproxy.routing.accounts import accounts_from_config
from cliproxy.server.gate import Refused

ALL: Final = "*"
_PLACE: Final = ("api-key", "base-url", "proxy-url", "prefix", "name")


async def toggle(request: Request, account: str, *, disabled: bool) -> list[Problem] | None:
    """Exclude all models of the entry behind an account, or no longer; None = there is none."""
    if ":" not in account:
        return None
    found = _entry_of(control_of(request).config, account)
    if found is None:
        raise Refused(404, "config api key entry not found")
    name, entry = found

    def edit(text: str) -> str:
        entries = Document(text).entries(name)
        at = next((n for n, e in enumerate(entries) if _same(e, entry)), None)
        if at is None:
            raise Refused(404, "config api key entry not found")
        patterns = [p for p in entries[at].get("excluded-models") or [] if p != ALL]
        changed = {**entries[at], "excluded-models": [*patterns, *([ALL] if disabled else [])]}
        if not disabled:
            changed.pop("disabled", None)
        if not changed["excluded-models"]:
            del changed["excluded-models"]
        return put(text, name, [*entries[:at], changed, *entries[at + 1 :]])

    return await change(request, edit)


def _entry_of(config: Config, account: str) -> tuple[str, Any] | None:
    # A second entry with the same facts has the same id and a number behind it.
    bare, dash, number = account.rpartition("-")
    wanted = {account, bare} if dash and number.isdecimal() else {account}
    for name in CREDENTIALS:
        attribute = name.replace("-", "_")
        for entry in getattr(config, attribute):
            alone = structs.replace(
                Config(), **{attribute: (structs.replace(entry, disabled=False),)}
            )
            if any(a.id in wanted for a in accounts_from_config(alone)):
                return name, entry
    return None


def _same(shown: Obj, entry: Any) -> bool:
    for key in _PLACE:
        value = str(getattr(entry, key.replace("-", "_"), "") or "")
        if str(shown.get(key) or "").strip() != value.strip():
            return False
    return True

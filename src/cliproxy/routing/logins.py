"""Logins → accounts: what a credential file and the configuration say about one, together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import structs

from cliproxy import providers
from cliproxy.account.credential import Credential, claims
from cliproxy.account.model import Account, ModelFound, ModelRule
from cliproxy.base.json import text_in
from cliproxy.config.schema import Config

_log: Final = logging.getLogger("cliproxy.accounts")
MOST_WEIGHT: Final = 1_000_000
_OPENAI: Final = "https://api.openai.com/auth"
_USUAL_HOSTS: Final = {"xai": ("https://api.x.ai/v1",)}
_KINDS: Final[dict[str, str]] = {"vertex": "service"}


def accounts_of(
    credential: Credential, config: Config, found: tuple[ModelFound, ...] = ()
) -> list[Account]:
    """Return the accounts of a login: one, or one for each of its projects; none if disabled.

    `found` are the models its provider has listed for it.
    """
    provider = credential.provider
    if credential.flag("disabled") or not providers.known(provider):
        return []
    weight = _whole(credential.fields.get("weight"), 1)
    if weight is None or not 1 <= weight <= MOST_WEIGHT:
        _log.warning(
            "%s: weight must be a whole number from 1 to %d; the login is not used",
            credential.name,
            MOST_WEIGHT,
        )
        return []
    endpoints = config.endpoints.get(provider)
    override = endpoints.get("api", "") if isinstance(endpoints, Mapping) else ""
    account = Account(
        id=credential.name,
        provider=provider,
        label=credential.label,
        kind="linked"
        if credential.text("linked_file")
        else "service"
        if _KINDS.get(provider) == "service"
        else "oauth",
        base_url=(_own_host(credential) or str(override)).rstrip("/"),
        proxy_url=_either(credential, "proxy_url") or None,
        headers=_headers(credential.fields.get("headers")),
        aliases=aliases_of(credential, config),
        excluded=_patterns(
            _either_list(credential, "excluded_models"),
            _of_channel(config.oauth_excluded_models, provider),
        ),
        prefix=_prefix(credential.text("prefix")),
        priority=_whole(credential.fields.get("priority"), 0) or 0,
        weight=weight,
        credential=credential,
        plan=plan_of(credential),
        draws_with=config.gpt_image_2_base_model if provider == "codex" else "",
        found=found,
        websockets=credential.flag("websockets"),
    )
    projects = _projects(credential)
    if not config.quota_exceeded.switch_project:
        projects = projects[:1]
    if len(projects) < 2:
        return [structs.replace(account, project=projects[0] if projects else "")]
    return [
        structs.replace(
            account,
            id=f"{credential.name}::{_plain(project)}",
            label=f"{credential.label} ({project})",
            project=project,
        )
        for project in projects
    ]


def aliases_of(credential: Credential, config: Config) -> tuple[ModelRule, ...]:
    """Return the other names of a login's models: its own, then those of all of its provider."""
    found: dict[str, ModelRule] = {}
    for written in (
        _either_list(credential, "model_aliases"),
        _of_channel(config.oauth_model_alias, credential.provider),
    ):
        for row in written if isinstance(written, list | tuple) else ():
            if not isinstance(row, Mapping):
                continue
            name, alias = text_in(row, "name"), text_in(row, "alias")
            if not name or not alias or name.lower() == alias.lower():
                continue
            found.setdefault(
                alias.lower(),
                ModelRule(
                    name=name,
                    alias=alias,
                    display_name=text_in(row, "display-name", "display_name"),
                    force_mapping=_yes(row, "force-mapping") or _yes(row, "force_mapping"),
                    fork=_yes(row, "fork"),
                ),
            )
    return tuple(found.values())


def plan_of(credential: Credential) -> str:
    """Return the plan a login is on, in lower case, where its own tokens or file say."""
    auth = claims(credential.text("id_token")).get(_OPENAI)
    told = auth.get("chatgpt_plan_type") if isinstance(auth, Mapping) else None
    return str(told or credential.text("plan_type")).strip().lower()


def _own_host(credential: Credential) -> str:
    written = _either(credential, "base_url").rstrip("/")
    # CLIProxyAPI writes the usual host into every file of xAI's; nobody has chosen it.
    return "" if written in _USUAL_HOSTS.get(credential.provider, ()) else written


def _of_channel(written: Mapping[str, Any], provider: str) -> Any:
    """Return what is written for a provider, in whatever case."""
    return next((v for k, v in written.items() if k.strip().lower() == provider), None)


def _projects(credential: Credential) -> list[str]:
    written = credential.text("project_id") or credential.text("project")
    return list(dict.fromkeys(p for part in written.split(",") if (p := part.strip())))


def _either(credential: Credential, key: str) -> str:
    return credential.text(key) or credential.text(key.replace("_", "-"))


def _either_list(credential: Credential, key: str) -> Any:
    fields = credential.fields
    return fields[key] if key in fields else fields.get(key.replace("_", "-"))


def _whole(value: object, usual: int) -> int | None:
    """Return a whole number, also of text; `usual` without one, None when it is something else."""
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _prefix(value: str) -> str:
    prefix = value.strip("/")
    return "" if "/" in prefix else prefix


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {
        str(k).strip(): v.strip()
        for k, v in value.items()
        if isinstance(v, str) and v.strip() and str(k).strip()
    }


def _patterns(*lists: object) -> tuple[str, ...]:
    found: set[str] = set()
    for written in lists:
        rows: Iterable[object] = written if isinstance(written, list | tuple) else ()
        found.update(str(row).strip().lower() for row in rows if str(row).strip())
    return tuple(sorted(found))


def _yes(row: Mapping[str, Any], key: str) -> bool:
    value = row.get(key)
    return (
        value.strip().lower() in {"true", "yes", "on", "1"}
        if isinstance(value, str)
        else bool(value)
    )


def _plain(project: str) -> str:
    return project.replace("/", "_").replace("\\", "_").replace(" ", "_")

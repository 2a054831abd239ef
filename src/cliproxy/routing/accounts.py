"""Configuration entries → accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct, structs

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account, ModelFound, ModelRule, ThinkingRule, stable_id
from cliproxy.base.redact import Secret
from cliproxy.config.schema import Compat, Config, Entry, Model
from cliproxy.routing.cooldown import TRANSIENT, Limits, Rule, error_rules
from cliproxy.routing.logins import accounts_of

LOCAL_NAME = "smollm2"


Found = Callable[[Credential], tuple[ModelFound, ...]]
"""Which models a provider has listed for a login."""


def nothing(credential: Credential) -> tuple[ModelFound, ...]:
    """Return that nothing was ever listed."""
    del credential
    return ()


class _Own(Struct, frozen=True):
    """What an account says about its failures; None = as in general."""

    disable_cooling: bool | None = None
    request_retry: int | None = None
    errors: Sequence[Any] = ()


def accounts_from_config(
    config: Config, logins: Sequence[Credential] = (), found: Found = nothing
) -> list[Account]:
    """Return the configuration's accounts in its order, then the logins', each with its own id."""
    return _distinct([account for account, _ in _written(config, logins, found)])


def limits_from_config(config: Config, logins: Sequence[Credential] = ()) -> Limits:
    """Return how long and how often failing accounts are left alone or asked again."""
    rule = Rule(cooling=not config.disable_cooling, retries=max(0, config.request_retry))
    written = list(_written(config, logins))
    rules: dict[str, Rule] = {}
    for account, (_, entry) in zip(_distinct([a for a, _ in written]), written, strict=True):
        off, retries = entry.disable_cooling, entry.request_retry
        own = Rule(
            cooling=rule.cooling if off is None else not off,
            retries=rule.retries if retries is None or retries < 0 else retries,
            errors=error_rules(entry.errors),
        )
        if own != rule:
            rules[account.id] = own
    pause = config.transient_error_cooldown_seconds
    return Limits(
        most=config.max_cooldown,
        transient=float(pause) if pause > 0 else 0.0 if pause < 0 else TRANSIENT,
        interval=max(0.0, config.max_retry_interval),
        credentials=config.max_retry_credentials,
        rule=rule,
        rules=rules,
    )


def _written(
    config: Config, logins: Sequence[Credential] = (), found: Found = nothing
) -> Iterator[tuple[Account, _Own]]:
    for provider, entries in (
        ("gemini", config.gemini_api_key),
        ("gemini-interactions", config.interactions_api_key),
        ("claude", config.claude_api_key),
        ("codex", config.codex_api_key),
        ("xai", config.xai_api_key),
        ("vertex", config.vertex_api_key),
    ):
        unnamed = sum(not entry.name for entry in entries)
        for number, entry in enumerate(entries, 1):
            if not entry.disabled:
                label = entry.name or _counted(f"{provider}-apikey", number, unnamed)
                yield _of_entry(provider, entry, config, label), _own(entry)
    for host in config.openai_compatibility:
        if not host.disabled:
            for account in _of_host(host):
                yield account, _own(host)
    for credential in logins:
        own = _own_of(credential, config)
        for account in accounts_of(credential, config, found(credential)):
            yield account, own


def _own(entry: Entry | Compat) -> _Own:
    return _Own(entry.disable_cooling, entry.request_retry, entry.request_scoped_errors)


def _own_of(credential: Credential, config: Config) -> _Own:
    fields = credential.fields
    retries = fields.get("request_retry", fields.get("request-retry"))
    errors = fields.get("request_scoped_errors", fields.get("request-scoped-errors"))
    general = config.oauth_request_scoped_errors.get(credential.provider)
    cooling = "disable_cooling" in fields or "disable-cooling" in fields
    return _Own(
        (credential.flag("disable_cooling") or credential.flag("disable-cooling"))
        if cooling
        else None,
        retries if isinstance(retries, int) and not isinstance(retries, bool) else None,
        [
            *(errors if isinstance(errors, list) else ()),
            *(general if isinstance(general, list | tuple) else ()),
        ],
    )


def local_account(config: Config) -> Account:
    """Return the account of the embedded model."""
    name = LOCAL_NAME if not config.local_model.model else "model"
    return Account(
        id=stable_id("local", config.local_model.model),
        provider="local",
        label="embedded model",
        kind="local",
        models=(
            ModelRule(
                name=name,
                alias=f"local/{name}",
                display_name="SmolLM2 135M (embedded)" if name == LOCAL_NAME else name,
                max_context=config.local_model.context,
                input_modalities=("text",),
                output_modalities=("text",),
            ),
        ),
        # Only when nothing else has a claim on the name.
        priority=-1000,
    )


def _counted(what: str, number: int, of: int) -> str:
    """Return a label; where several would have it, with the place in the list."""
    return f"{what} #{number}" if of > 1 else what


def _of_entry(provider: str, entry: Entry, config: Config, label: str) -> Account:
    base, proxy, prefix = (
        entry.base_url.strip().rstrip("/"),
        entry.proxy_url.strip(),
        _prefix(entry.prefix),
    )
    return Account(
        id=stable_id(
            f"{provider}:apikey", entry.api_key.strip(), base, proxy, prefix, *_flat(entry.headers)
        ),
        provider=provider,
        label=label,
        secret=Secret(entry.api_key.strip()),
        base_url=base or _mirror(config, provider),
        proxy_url=proxy or None,
        headers=_headers(entry.headers),
        models=_models(entry.models),
        excluded=_patterns(entry.excluded_models),
        prefix=prefix,
        priority=entry.priority,
        weight=entry.weight,
        names=(entry.name,) if entry.name else (),
        system_first=entry.rebuild_mid_system_message,
        websockets=entry.websockets,
        alpha_search=entry.alpha_search,
    )


def _mirror(config: Config, provider: str) -> str:
    """Return the owner's address of a provider's API; "" = the usual one."""
    endpoints = config.endpoints.get(provider)
    api = endpoints.get("api") if isinstance(endpoints, dict) else None
    return api.strip().rstrip("/") if isinstance(api, str) else ""


def _of_host(host: Compat) -> list[Account]:
    name = host.name.strip().lower()
    base, prefix = host.base_url.strip().rstrip("/"), _prefix(host.prefix)
    keys = [(e.api_key.strip(), e.proxy_url.strip(), e.weight) for e in host.api_key_entries]
    keys = keys or [("", "", 1)]
    return [
        Account(
            id=stable_id(
                f"openai-compatibility:{name}", key, base, proxy, prefix, *_flat(host.headers)
            ),
            provider=f"openai-compatible-{name}",
            label=_counted(host.name.strip(), number, len(keys)),
            secret=Secret(key),
            base_url=base,
            proxy_url=proxy or None,
            headers=_headers(host.headers),
            prompt_cache_key=host.support_prompt_cache_key,
            models=_models(host.models),
            excluded=_patterns(host.excluded_models),
            prefix=prefix,
            priority=host.priority,
            weight=weight,
            names=(name,),
        )
        for number, (key, proxy, weight) in enumerate(keys, 1)
    ]


def _distinct(accounts: list[Account]) -> list[Account]:
    seen: dict[str, int] = {}
    out: list[Account] = []
    for account in accounts:
        count = seen.get(account.id, 0)
        seen[account.id] = count + 1
        out.append(structs.replace(account, id=f"{account.id}-{count}") if count else account)
    return out


def _models(models: Iterable[Model]) -> tuple[ModelRule, ...]:
    return tuple(
        ModelRule(
            name=m.name.strip(),
            alias=m.alias.strip(),
            display_name=m.display_name,
            max_context=m.max_context_length,
            force_mapping=m.force_mapping,
            fork=m.fork,
            image=m.image,
            input_modalities=m.input_modalities,
            output_modalities=m.output_modalities,
            thinking=ThinkingRule(
                m.thinking.min,
                m.thinking.max,
                m.thinking.zero_allowed,
                m.thinking.dynamic_allowed,
                tuple(level.lower() for level in m.thinking.levels),
            )
            if m.thinking
            else None,
        )
        for m in models
        if m.name.strip()
    )


def _prefix(value: str) -> str:
    prefix = value.strip().strip("/")
    return "" if "/" in prefix else prefix


def _patterns(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({v.strip().lower() for v in values if v.strip()}))


def _headers(headers: dict[str, str]) -> dict[str, str]:
    return {k.strip(): v.strip() for k, v in headers.items() if k.strip() and v.strip()}


def _flat(headers: dict[str, str]) -> list[str]:
    return [f"{k}={v}" for k, v in sorted(_headers(headers).items())]

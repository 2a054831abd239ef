"""Client-visible model name → the accounts that can serve it, and under which upstream name.

Rules: a thinking suffix is split off; `prefix/model` means the accounts with that prefix; an
account's own model list replaces its provider's catalogue; several upstream names behind one alias
are a pool; excluded patterns hide; `provider/model` pins a provider.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from msgspec import Struct, structs

from cliproxy.account.model import Account, ModelRule
from cliproxy.base.errors import BadRequest, GatewayError, NotFound, Unavailable
from cliproxy.base.wildcard import matches
from cliproxy.config.fallback import Fallbacks, Step
from cliproxy.config.schema import Config
from cliproxy.ir.caps import Caps, Makes, ThinkingCaps
from cliproxy.ir.thinking import split_suffix
from cliproxy.routing import catalog

_NAMED: Final = 10
"""How many models a "no such model" message names."""
_HOSTED: Final = "openai-compatible-"
_ROUTES: Final[dict[Makes, str]] = {
    "image": "/v1/images/generations and /v1/images/edits",
    "video": "/v1/videos and /openai/v1/videos",
}
"""Where models are asked with which one cannot converse."""
_AUTO: Final = "auto"
"""The name that means the newest model there is."""


class Candidate(Struct, frozen=True):
    """One way to serve a request."""

    account: Account
    upstream_model: str
    client_model: str
    """The name the client asked for, without suffix."""
    caps: Caps
    suffix: str = ""
    """The thinking suffix, brackets included: the configured name's own, else the client's."""
    force_name: bool = False
    """Answers show the client's name of the model, also where its bytes pass unread."""


class ListedModel(Struct, frozen=True):
    """A model as the lists show it."""

    id: str
    owned_by: str
    created: int = 0
    display_name: str = ""
    context_length: int = 0
    max_output: int = 0
    thinking: ThinkingCaps | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    type: str = ""


class _Offer(Struct, frozen=True):
    account: Account
    upstream: str
    listed: ListedModel
    caps: Caps
    suffix: str = ""
    force_name: bool = False
    makes: Makes = "text"


_Made = tuple[Account, tuple[tuple[str, _Offer], ...]]


class Registry:
    """Who serves what. Built once per configuration; never changes.

    What `before` has made of accounts that are as they were, by the same configuration, is used
    again: of thousands of logins mostly one changes.
    """

    def __init__(
        self, accounts: Sequence[Account], config: Config, before: Registry | None = None
    ) -> None:
        self._config: Final = config
        self._made: dict[str, _Made] = {}
        known = before.made(config) if before is not None else {}
        for account in accounts:
            made = known.get(account.id)
            if made is None or made[0] != account:
                made = account, tuple(_offers(account, config))
            self._made[account.id] = made
        self.accounts: Final = tuple(accounts)
        self._fallbacks = Fallbacks(config.fallback, self._pinnable)
        self._previews = config.quota_exceeded.switch_preview_model
        self._everywhere = _flat_aliases(config.oauth_model_alias)
        self._offers: dict[str, list[_Offer]] = {}
        self._by_use: Final[dict[Makes, dict[str, list[_Offer]]]] = {
            "text": self._offers, "image": {}, "video": {}
        }  # fmt: skip
        self._draws: Final = config.disable_image_generation is not True
        for _, offers in self._made.values():
            for name, offer in offers:
                if offer.makes == "image" and not self._draws:
                    continue
                self._by_use[offer.makes].setdefault(name, []).append(offer)

    def made(self, config: Config) -> Mapping[str, _Made]:
        """Return what was made of each account, where another configuration changes nothing."""
        return self._made if config is self._config else {}

    def resolve(
        self,
        model: str,
        *,
        provider: str | None = None,
        account: str | None = None,
        makes: Makes = "text",
    ) -> list[Candidate]:
        """Return the candidates for a model name as the client wrote it.

        `provider` and `account` pin; `makes` is what the route is for. Raises `NotFound` naming
        models that exist, `BadRequest` for a pin that names nothing, `Unavailable` for a model
        that is asked elsewhere.
        """
        if makes == "image" and not self._draws:
            raise NotFound("Making images is switched off here (disable-image-generation).")
        table = self._by_use[makes]
        if provider is not None and not self._pinnable(provider):
            raise BadRequest(
                f"There is no provider {provider!r}; there are {', '.join(self._providers())}.",
                code="unknown_provider",
            )
        # A name may literally hold parentheses, so the whole of it is looked up first.
        base, suffix = model, ""
        offers = table.get(model)
        if offers is None:
            base, _ = split_suffix(model)
            suffix = model[len(base) :]
            offers = table.get(base)
        pins = [provider] if provider is not None else []
        wanted = base
        if offers is None:
            pin, slash, rest = base.partition("/")
            if slash and self._pinnable(pin):
                pins.append(pin)
                wanted, offers = rest, table.get(rest)
        if offers is None and (meant := self._everywhere.get(wanted.lower())) is not None:
            name, asks = split_suffix(meant)
            offers = table.get(meant) or table.get(name)
            suffix = meant[len(name) :] if asks is not None else suffix

        def allowed(offer: _Offer) -> bool:
            return all(_is(offer.account, pin) for pin in pins) and (
                account is None or offer.account.id == account
            )

        if offers is None and wanted == _AUTO:
            offers = self._newest(table, allowed)
        offers = [offer for offer in offers or () if allowed(offer)]
        if not offers:
            raise self._elsewhere(model, wanted, makes) or self.unknown_model_error(
                base, pins[0] if pins else None
            )
        return [_candidate(o, base, suffix) for o in offers]

    def serving(self, name: str, *, account: str | None = None) -> list[Candidate]:
        """Return the candidates for a listed name, on whatever routes it is asked."""
        return [
            _candidate(o, name)
            for table in self._by_use.values()
            for o in table.get(name, ())
            if account is None or o.account.id == account
        ]

    def makers(self, makes: Makes) -> list[Candidate]:
        """Return one candidate of each account that makes something."""
        found: dict[str, Candidate] = {}
        for name, offers in self._by_use[makes].items():
            for o in offers:
                found.setdefault(o.account.id, _candidate(o, name))
        return list(found.values())

    def running(self, agent: str, *, provider: str, account: str | None = None) -> list[Candidate]:
        """Return the candidates for an agent, which no list of models names.

        Raises `NotFound` when no account of the provider may be asked for it.
        """
        found = [
            Candidate(a, agent, agent, catalog.caps_of(a, None, agent))
            for a in self.accounts
            if a.provider == provider
            and (account is None or a.id == account)
            and not any(matches(p, agent, ignore_case=True) for p in a.excluded)
        ]
        if not found:
            raise NotFound(
                f"The agent {agent!r} cannot be asked: agents run at {provider}, and no account of "
                "it is configured for this one.",
                code="agent_not_found",
                param="agent",
            )
        return found

    def instead_of(self, model: str) -> list[Step]:
        """Return what its owner wants tried where a model, pinned or not, can serve nobody."""
        pin, slash, rest = model.partition("/")
        if model in self._offers or not slash or not self._pinnable(pin):
            return [*self._previews_of(model), *self._fallbacks.after(model)]
        return [step for step in self._fallbacks.after(rest) if step != Step(rest, pin)]

    def _previews_of(self, model: str) -> list[Step]:
        if not self._previews or "-preview" in model:
            return []
        # Newest first: their names end in a date, or in nothing.
        found = [name for name in self._offers if name.startswith(f"{model}-preview")]
        return [Step(name) for name in sorted(found, reverse=True)]

    def list_models(self, provider: str | None = None) -> list[ListedModel]:
        """Return every model once, in a stable order."""
        found: list[ListedModel] = []
        # One name may stand for a model that converses and, elsewhere, for one that draws.
        named = list(dict.fromkeys(chain.from_iterable(self._by_use.values())))
        for name in named:
            for offer in chain.from_iterable(t.get(name, ()) for t in self._by_use.values()):
                if provider is None or _is(offer.account, provider) or not self._pinnable(provider):
                    found.append(offer.listed)
                    break
        return found

    def unknown_model_error(self, name: str, provider: str | None = None) -> NotFound:
        """Return the error for a name nobody serves, with names that would work."""
        known = [m.id for m in self.list_models(provider)]
        if not known:
            return NotFound(
                f"The model {name!r} does not exist: no account is configured"
                f"{f' for {provider}' if provider else ''}.",
                code="model_not_found",
                param="model",
            )
        near = difflib.get_close_matches(name, known, n=_NAMED, cutoff=0.5)
        shown = near + [m for m in known if m not in near][: _NAMED - len(near)]
        more = (
            f" and {len(known) - len(shown)} more (GET /v1/models)"
            if len(known) > len(shown)
            else ""
        )
        return NotFound(
            f"The model {name!r} does not exist. There are: {', '.join(shown)}{more}.",
            code="model_not_found",
            param="model",
        )

    def _pinnable(self, provider: str) -> bool:
        return any(_is(account, provider) for account in self.accounts)

    def _providers(self) -> list[str]:
        names = [name for a in self.accounts for name in (a.names or (a.provider,))]
        return list(dict.fromkeys(names))

    def _elsewhere(self, model: str, wanted: str, makes: Makes) -> GatewayError | None:
        """Return the error for a model that there is, for other routes than the one asked on."""
        for use, table in self._by_use.items():
            if use == makes or (model not in table and wanted not in table):
                continue
            if makes == "text":
                return Unavailable(
                    f"model {wanted} is only supported on {_ROUTES[use]}",
                    code="internal_server_error",
                )
            some = ", ".join(list(self._by_use[makes])[:_NAMED])
            there = f"; there are: {some}" if some else f", and no account has one for {makes}s"
            return BadRequest(
                f"The model {wanted!r} is not supported on {_ROUTES[makes]}{there}.",
                param="model",
                code="unsupported_model",
            )
        return None

    def _newest(
        self, table: Mapping[str, list[_Offer]], allowed: Callable[[_Offer], bool]
    ) -> list[_Offer]:
        possible = [[o for o in offers if allowed(o)] for offers in table.values()]
        return max(possible, key=lambda o: o[0].listed.created if o else -1, default=[])


def _candidate(o: _Offer, name: str, suffix: str = "") -> Candidate:
    return Candidate(o.account, o.upstream, name, o.caps, o.suffix or suffix, o.force_name)


def _flat_aliases(written: Mapping[str, Any]) -> dict[str, str]:
    """Return the aliases that hold for every provider: those written as plain strings."""
    return {
        str(alias).strip().lower(): model.strip()
        for alias, model in written.items()
        if isinstance(model, str) and model.strip()
    }


def _is(account: Account, provider: str) -> bool:
    wanted = provider.lower()
    if wanted in ("google", "anthropic", "openai"):
        vendor = {"google": "gemini", "anthropic": "claude", "openai": "codex"}[wanted]
        if account.provider == vendor:
            return True
    names = (account.provider, account.prefix.lower(), *(name.lower() for name in account.names))
    return bool(wanted) and wanted in names


def _offers(account: Account, config: Config) -> Iterable[tuple[str, _Offer]]:
    force_prefix, caching = config.force_model_prefix, config.prompt_caching
    for visible, written, rule in _models(account):
        upstream, asks = split_suffix(written)
        if asks is None:
            # Brackets that ask for no thinking are part of the name.
            upstream = written
        if any(
            matches(p, name, ignore_case=True)
            for p in account.excluded
            for name in (visible, written)
        ):
            continue
        names = [visible]
        if account.prefix:
            prefixed = f"{account.prefix}/{visible}"
            names = (
                [prefixed] if force_prefix and visible != account.prefix else [visible, prefixed]
            )
        makes = catalog.makes_of(account, rule, upstream)
        for name in names:
            yield name, _Offer(
                account, upstream, _listed(account, name, upstream, rule),
                structs.replace(
                    catalog.caps_of(account, rule, upstream),
                    cache_breakpoints=caching.ttl if caching.breakpoints else "",
                    draws=makes == "image",
                ),
                written[len(upstream) :],
                rule is not None and rule.force_mapping,
                makes,
            )  # fmt: skip


def _models(account: Account) -> Iterable[tuple[str, str, ModelRule | None]]:
    if account.models:
        # The same line twice is one way to serve the model, not two.
        rules: dict[tuple[str, str], ModelRule] = {}
        for rule in account.models:
            rules.setdefault((rule.visible, rule.name), rule)
        for rule in rules.values():
            yield rule.visible, rule.name, rule
            if rule.fork and rule.visible != rule.name and (rule.name, rule.name) not in rules:
                yield rule.name, rule.name, rule
    elif not account.provider.startswith("openai-compatible"):
        names = catalog.of_account(account)
        renamed: dict[str, bool] = {}
        for rule in account.aliases:
            renamed[rule.name] = renamed.get(rule.name, False) or rule.fork
        for name in names:
            if renamed.get(name, True):
                yield name, name, None
        for rule in account.aliases:
            yield rule.alias, rule.name, rule


def _owner(account: Account, info: catalog.ModelInfo | None) -> str:
    """Return whose a model is: its host's where hosts serve other people's, else its vendor's."""
    if account.provider.startswith(_HOSTED):
        return account.provider.removeprefix(_HOSTED)
    return (info.owned_by if info is not None else "") or account.provider


def _listed(account: Account, name: str, upstream: str, rule: ModelRule | None) -> ListedModel:
    info = catalog.info_of(account, upstream)
    caps = catalog.caps_of(account, rule, upstream)
    modalities = info.modalities if info else {}
    return ListedModel(
        id=name,
        owned_by=_owner(account, info),
        created=info.created if info else 0,
        display_name=(rule.display_name if rule else "")
        or (info.display_name if info else "")
        or name,
        context_length=(rule.max_context if rule else 0) or (info.context_length if info else 0),
        max_output=info.max_output_tokens if info else 0,
        thinking=caps.thinking,
        input_modalities=(rule.input_modalities if rule else ())
        or tuple(modalities.get("input", ())),
        output_modalities=(rule.output_modalities if rule else ())
        or (("image",) if rule is not None and rule.image else ())
        or tuple(modalities.get("output", ())),
        type=info.type if info else account.provider,
    )

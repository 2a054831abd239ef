"""An account: a provider, a way to prove who we are, and its owner's settings."""

from __future__ import annotations

import hashlib
from typing import Literal

from msgspec import Struct, field

from cliproxy.account.credential import Credential
from cliproxy.base.redact import Secret

Kind = Literal["key", "oauth", "service", "linked", "local"]


class ThinkingRule(Struct, frozen=True):
    """What a configured model can do about reasoning."""

    min: int = 0
    max: int = 0
    zero_allowed: bool = False
    dynamic_allowed: bool = False
    levels: tuple[str, ...] = ()


class ModelRule(Struct, frozen=True):
    """One model an account serves: `name` upstream, `alias` (or the same name) for clients."""

    name: str
    alias: str = ""
    display_name: str = ""
    max_context: int = 0
    force_mapping: bool = False
    fork: bool = False
    """The model keeps its own name beside the alias."""
    image: bool = False
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    thinking: ThinkingRule | None = None

    @property
    def visible(self) -> str:
        """The name clients use."""
        return self.alias or self.name


class ModelFound(Struct, frozen=True):
    """A model that a provider says the account may use. Zero and "" where it says nothing."""

    id: str
    display_name: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    owned_by: str = ""
    created: int = 0


class Account(Struct, frozen=True):
    """One account.

    Attributes:
        id: stable over restarts; derived from what identifies the account, not from its order.
        provider: provider key (`claude`, `openai-compatible-openrouter`…).
        label: how the owner calls it.
        secret: the key or token; empty for hosts that want none.
        models: what it serves; empty = the provider's catalogue.
        excluded: patterns (`*`, any case) of models it does not serve.
        prefix: namespace, so that `prefix/model` means this account.
    """

    id: str
    provider: str
    label: str
    kind: Kind = "key"
    secret: Secret = Secret("")
    base_url: str = ""
    proxy_url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    models: tuple[ModelRule, ...] = ()
    excluded: tuple[str, ...] = ()
    prefix: str = ""
    priority: int = 0
    weight: int = 1
    names: tuple[str, ...] = ()
    """Other names a client may pin it by: its entry's name."""
    credential: Credential | None = None
    """The login behind it, whose tokens change while it is used; None for keys."""
    project: str = ""
    """The cloud project its requests are made in, where the provider has projects."""
    plan: str = ""
    """The subscription, where it decides which models there are."""
    system_first: bool = False
    """Its host takes instructions at the beginning only, and not between messages."""
    prompt_cache_key: bool = False
    """The host takes a name of the conversation for its prompt cache."""
    websockets: bool = False
    """It may be asked over a websocket, where the client came by one."""
    alpha_search: bool = False
    """The host of its key has Codex's search route."""
    draws_with: str = ""
    """The model that is given the tool that makes pictures, where that is asked in their place."""
    aliases: tuple[ModelRule, ...] = ()
    """Other names for models of the provider's catalogue."""
    found: tuple[ModelFound, ...] = ()
    """Models that the provider has listed for it."""

    def __repr__(self) -> str:
        return f"Account({self.id!r}, {self.label!r})"

    @property
    def place(self) -> str:
        """The project its requests are made in: this account's, else the one its login names."""
        if self.project or self.credential is None:
            return self.project
        named = self.credential.text("project_id") or self.credential.text("project")
        return named.partition(",")[0].strip()

    @property
    def token(self) -> str:
        """What proves who we are now: the login's access token, else the key."""
        if self.credential is not None:
            return self.credential.token
        return self.secret.reveal()


def stable_id(kind: str, *facts: str) -> str:
    """Return `kind:` and twelve hex digits that stand for the facts."""
    digest = hashlib.sha256("\0".join((kind, *facts)).encode()).hexdigest()[:12]
    return f"{kind}:{digest}"

"""Every configuration key, its type and its default. Descriptions are in `config.example.yaml`.

Keys are kebab-case in YAML. A struct here describes a *value that is already right*; turning what
people write (durations, yes/no, old spellings) into that is the loader's work.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct, field

from cliproxy.base.redact import Hidden

BASE_MODEL: Final = "gpt-5.4-mini"
"""What Codex logins ask to have a picture made."""
IMAGE_WORDS: Final = frozenset({"chat", "passthrough"})
"""Words for `disable-image-generation`; no tool is ever added here, so they change nothing."""


class Section(Hidden, Struct, frozen=True, rename="kebab"):
    """Base of all sections."""


class Tls(Section, frozen=True):
    """HTTPS."""

    enable: bool = False
    cert: str = ""
    key: str = ""


class RemoteManagement(Section, frozen=True):
    """The management API."""

    allow_remote: bool = False
    secret_key: str = ""
    disable_control_panel: bool = False
    disable_auto_update_panel: bool = False
    panel_github_repository: str = ""


class Pprof(Section, frozen=True):
    """The debug endpoint."""

    enable: bool = False
    addr: str = "127.0.0.1:8316"


class QuotaExceeded(Section, frozen=True):
    """What to try when a quota is used up."""

    switch_project: bool = True
    """Use all projects of a Google login; otherwise the first one alone."""
    switch_preview_model: bool = False
    """Where a model can serve nobody, try its preview versions."""
    antigravity_credits: bool = False


class Routing(Section, frozen=True):
    """How accounts are chosen."""

    strategy: str = "round-robin"
    max_in_flight: int = 0
    session_affinity: bool = True
    session_affinity_ttl: float = 3600.0


class Streaming(Section, frozen=True):
    """Streams."""

    keepalive_seconds: float = 0.0
    bootstrap_retries: int = 0
    commit: Literal["semantic", "first-byte"] = "semantic"
    commit_timeout: float = 2.0


class SpecialTimeouts(Section, frozen=True):
    """What differs for one provider or model; None = as in general."""

    connect: float | None = None
    first_event: float | None = None
    idle: float | None = None
    total: float | None = None


class Timeouts(Section, frozen=True):
    """Seconds to wait for upstreams; 0 = for ever."""

    connect: float = 10.0
    first_event: float = 300.0
    idle: float = 300.0
    total: float = 0.0
    special: dict[str, SpecialTimeouts] = field(default_factory=dict)
    """By `provider`, `provider/model` or `*/model`."""


class Responses(Section, frozen=True):
    """What is kept for `previous_response_id` and `conversation`, in memory."""

    store: bool = True
    max_size_mb: float = 64.0
    ttl: float = 2592000.0


class Media(Section, frozen=True):
    """Pictures and files that a client names by URL, for upstreams that take no URLs."""

    fetch: bool = True
    max_size_mb: float = 20.0
    timeout: float = 20.0
    allow_hosts: tuple[str, ...] = ()
    """Hosts that may be fetched from although they are private."""


class PromptCaching(Section, frozen=True):
    """Cache breakpoints for Claude, where the client's dialect cannot set any."""

    breakpoints: bool = True
    ttl: Literal["5m", "1h"] = "5m"


class Kept(Section, frozen=True):
    """How much is kept of what was used. Days are kept for ever."""

    max_requests: int = 50_000
    requests_ttl: float = 2592000.0
    hours_ttl: float = 7776000.0
    max_size_mb: float = 64.0


class Price(Section, frozen=True):
    """What a model costs, in USD per million tokens; None = as `input`, or as what is below."""

    input: float = 0.0
    cached: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    output: float = 0.0
    above: int = 0
    """Input tokens from which on the following apply; 0 = never."""
    above_input: float | None = None
    above_cached: float | None = None
    above_cache_write: float | None = None
    above_output: float | None = None


class LocalModel(Section, frozen=True):
    """The embedded model. `enable` None = only when nothing else is configured."""

    enable: bool | None = None
    model: str = ""
    context: int = 8192
    parallel: int = 2


class Thinking(Section, frozen=True):
    """What a configured model can do about reasoning."""

    min: int = 0
    max: int = 0
    zero_allowed: bool = False
    dynamic_allowed: bool = False
    levels: tuple[str, ...] = ()


class Model(Section, frozen=True):
    """One model of one entry: `name` at the upstream, `alias` for clients."""

    name: str
    alias: str = ""
    display_name: str = ""
    max_context_length: int = 0
    force_mapping: bool = False
    image: bool = False
    is_compat: bool = False
    fork: bool = False
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    thinking: Thinking | None = None


class Entry(Section, frozen=True):
    """A credential of one of the `*-api-key` lists."""

    api_key: str = ""
    disabled: bool = False
    priority: int = 0
    weight: int = 1
    prefix: str = ""
    base_url: str = ""
    proxy_url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    models: tuple[Model, ...] = ()
    excluded_models: tuple[str, ...] = ()
    disable_cooling: bool | None = None
    request_retry: int | None = None
    request_scoped_errors: tuple[Any, ...] = ()
    name: str = ""
    """From the short `providers:` form."""
    websockets: bool = False
    alpha_search: bool = False
    rebuild_mid_system_message: bool = False
    cloak: Any = None
    fingerprint_profile: Any = None
    experimental_cch_signing: Any = None


class KeyEntry(Section, frozen=True):
    """One key of an OpenAI-compatible host."""

    api_key: str = ""
    proxy_url: str = ""
    weight: int = 1


class Compat(Section, frozen=True):
    """An OpenAI-compatible host."""

    name: str
    base_url: str
    disabled: bool = False
    priority: int = 0
    prefix: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    api_key_entries: tuple[KeyEntry, ...] = ()
    models: tuple[Model, ...] = ()
    excluded_models: tuple[str, ...] = ()
    disable_cooling: bool | None = None
    request_retry: int | None = None
    request_scoped_errors: tuple[Any, ...] = ()
    support_prompt_cache_key: bool = False


class Config(Section, frozen=True):
    """The whole file."""

    host: str = "127.0.0.1"
    port: int = 8317
    tls: Tls = Tls()
    auth_dir: str = "~/.cli-proxy-api"
    api_keys: tuple[str, ...] = ()
    allow_unauthenticated: bool = False
    trusted_proxies: tuple[str, ...] = ()
    max_body_size: float = 64.0
    remote_management: RemoteManagement = RemoteManagement()
    debug: bool = False
    pprof: Pprof = Pprof()
    commercial_mode: bool = False
    logging_to_file: bool = False
    logs_max_total_size_mb: int = 0
    error_logs_max_files: int = 10
    request_log: bool = False
    usage_statistics_enabled: bool = True
    redis_usage_queue_retention_seconds: int = 60
    usage: Kept = Kept()
    prices: dict[str, Price] = field(default_factory=dict)
    """By model, `provider/model` or a pattern of either."""
    proxy_url: str = ""
    force_model_prefix: bool = False
    passthrough_headers: bool = False
    expose_routing_headers: bool = False
    fidelity: Literal["report", "strict"] = "report"
    request_retry: int = 0
    max_retry_credentials: int = 0
    max_retry_interval: float = 30.0
    disable_cooling: bool = False
    max_cooldown: float = 43200.0
    save_cooldown_status: bool = False
    transient_error_cooldown_seconds: int = 0
    auth_auto_refresh_workers: int = 0
    models_refresh: float = 21600.0
    """Seconds after which providers are asked again which models there are; 0 = never."""
    quota_exceeded: QuotaExceeded = QuotaExceeded()
    routing: Routing = Routing()
    ws_auth: bool = True
    nonstream_keepalive_interval: float = 0.0
    streaming: Streaming = Streaming()
    timeouts: Timeouts = Timeouts()
    responses: Responses = Responses()
    media: Media = Media()
    prompt_caching: PromptCaching = PromptCaching()
    local_model: LocalModel = LocalModel()
    disable_image_generation: bool | str = False
    gpt_image_2_base_model: str = BASE_MODEL
    video_result_auth_cache_ttl: float = 10800.0
    codex: dict[str, Any] = field(default_factory=dict)
    xai: dict[str, Any] = field(default_factory=dict)
    claude_code: dict[str, Any] = field(default_factory=dict)
    antigravity: dict[str, Any] = field(default_factory=dict)
    antigravity_signature_cache_enabled: bool = True
    antigravity_signature_bypass_strict: bool = False
    disable_claude_cloak_mode: bool = False
    claude_header_defaults: dict[str, Any] = field(default_factory=dict)
    codex_header_defaults: dict[str, Any] = field(default_factory=dict)
    plugins: dict[str, Any] = field(default_factory=dict)
    credential_concurrency: Any = None
    credential_in_flight: Any = None
    gemini_api_key: tuple[Entry, ...] = ()
    interactions_api_key: tuple[Entry, ...] = ()
    codex_api_key: tuple[Entry, ...] = ()
    xai_api_key: tuple[Entry, ...] = ()
    claude_api_key: tuple[Entry, ...] = ()
    vertex_api_key: tuple[Entry, ...] = ()
    openai_compatibility: tuple[Compat, ...] = ()
    oauth_model_alias: dict[str, Any] = field(default_factory=dict)
    oauth_excluded_models: dict[str, Any] = field(default_factory=dict)
    oauth_request_scoped_errors: dict[str, Any] = field(default_factory=dict)
    oauth_clients: dict[str, Any] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)
    ampcode: dict[str, Any] = field(default_factory=dict)
    fallback: Any = None


STRATEGIES: Final = frozenset(
    {"round-robin", "roundrobin", "rr", "fill-first", "fillfirst", "ff",
     "weighted-round-robin", "weightedroundrobin", "wrr", "least-in-flight", "quota-aware"}
)  # fmt: skip
"""Words for `routing.strategy`."""

BY_DESIGN: Final = {
    "plugins": "there are no plugins",
    "credential-concurrency": "it belongs to clusters of CLIProxyAPI",
    "credential-in-flight": "it belongs to clusters of CLIProxyAPI",
    "claude-code": "cliproxy does not imitate other clients",
    "antigravity": "cliproxy does not hide words",
}
"""Keys that load and will never have an effect here, and why."""

NOT_BUILT: Final[dict[type[Section], frozenset[str]]] = {
    Config: frozenset(
        {"ws-auth",
         "codex", "xai", "antigravity-signature-cache-enabled",
         "antigravity-signature-bypass-strict",
         "ampcode",
        }
    ),
    QuotaExceeded: frozenset({"antigravity-credits"}),
    RemoteManagement: frozenset(
        {"disable-auto-update-panel", "panel-github-repository"}
    ),
    Model: frozenset({"is-compat"}),
}  # fmt: skip
"""Keys that load and have no effect yet. Whoever builds one takes it out of here."""

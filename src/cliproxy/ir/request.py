"""The request: what a client asked for, in words no dialect owns.

`UNSET` means the client did not say; it is different from an explicit null or false, and no
default is ever invented here (a builder adds the few its target forces it to). Every struct is
frozen: transforms return new values (`msgspec.structs.replace`).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType, field

from cliproxy.base import json

DialectId = Literal[
    "openai-chat", "openai-responses", "anthropic", "gemini", "openai-completions", "code-assist",
    "openai-images", "openai-image-edits",
    "openai-videos", "xai-videos", "xai-video-edits", "xai-video-extensions",
    "interactions",
]  # fmt: skip
"""Who wrote or will read the wire form. `openai-completions` exists on the client side only;
`code-assist` is Gemini in an envelope, and a request's source is then `gemini`. In those with
images and videos in their names nobody converses."""

Family = Literal["claude", "gemini", "gpt", "grok", "kimi", "qwen", "unknown", "dummy"]
"""Which line of models issued an artefact that only its issuer understands."""


# ---- leaves -----------------------------------------------------------------------------------
class Cache(Struct, frozen=True):
    """A prompt-cache breakpoint after the thing that carries it. `ttl`: `5m`, `1h`, … or None."""

    ttl: str | None = None


class Sig(Struct, frozen=True):
    """A signature or encrypted blob that only its issuer can read."""

    value: str
    family: Family = "unknown"
    model: str | None = None


class Inline(Struct, frozen=True, tag="inline"):
    """Bytes in the request: clean standard base64 (no whitespace, padded)."""

    mime: str
    b64: str


class Url(Struct, frozen=True, tag="url"):
    """A remote resource the upstream is to fetch."""

    url: str
    mime: str | None = None


class FileId(Struct, frozen=True, tag="file"):
    """A file uploaded to one provider; `dialect` says in which family the id means anything."""

    id: str
    dialect: DialectId
    mime: str | None = None


class PlainText(Struct, frozen=True, tag="text"):
    """A document given as text."""

    text: str


Media = Inline | Url | FileId | PlainText


# ---- parts ------------------------------------------------------------------------------------
class Text(Struct, frozen=True, tag="text"):
    """Visible text. `citations` are neutral dicts, see `events.Citation`."""

    text: str
    citations: tuple[dict[str, Any], ...] = ()
    signature: Sig | None = None
    """Gemini may sign visible text; it stays visible text."""
    cache: Cache | None = None
    extras: dict[str, Any] | None = None


class Image(Struct, frozen=True, tag="image"):
    """A picture. `detail`: OpenAI's `auto|low|high|original`."""

    media: Inline | Url | FileId
    detail: str | None = None
    cache: Cache | None = None
    extras: dict[str, Any] | None = None


class Document(Struct, frozen=True, tag="document"):
    """A PDF, text file or other document. `blocks` holds Anthropic `content` sources."""

    media: Media
    title: str | None = None
    """Title or file name."""
    context: str | None = None
    citations_enabled: bool | None = None
    blocks: tuple[Part, ...] = ()
    cache: Cache | None = None
    extras: dict[str, Any] | None = None


class Audio(Struct, frozen=True, tag="audio"):
    """Sound, inline (`audio/wav`, `audio/mpeg`, …) or by reference."""

    media: Inline | Url | FileId
    extras: dict[str, Any] | None = None


class Video(Struct, frozen=True, tag="video"):
    """Moving pictures."""

    media: Inline | Url | FileId
    meta: dict[str, Any] | None = None
    extras: dict[str, Any] | None = None


class Thinking(Struct, frozen=True, tag="thinking"):
    """The model's reasoning, whole or summarised.

    `paragraphs` are the summary parts where the dialect has them; `text` is their join with a
    blank line. `redacted` reasoning has no text, only `signature` (its opaque data).
    """

    text: str = ""
    signature: Sig | None = None
    redacted: bool = False
    paragraphs: tuple[str, ...] = ()
    item_id: str | None = None
    raw: bool = False
    """True for unsummarised reasoning (`reasoning_text` of open-weight models)."""
    extras: dict[str, Any] | None = None


ToolKind = Literal["function", "custom", "server"]


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """The model calls a tool.

    `args` is the exact text the model produced: JSON for functions (may be invalid, that is the
    model's doing), free text for custom tools.
    """

    id: str
    name: str
    args: str = ""
    kind: ToolKind = "function"
    namespace: str | None = None
    signature: Sig | None = None
    item_id: str | None = None
    server_kind: str | None = None
    """For `kind="server"`: `web_search`, `code_execution`, … (`ServerTool.kind`)."""
    cache: Cache | None = None
    extras: dict[str, Any] | None = None


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What a tool answered. `parts` are Text, Image, Document (or Opaque) in order."""

    call_id: str
    parts: tuple[Part, ...] = ()
    is_error: bool | None = None
    name: str | None = None
    kind: ToolKind = "function"
    cache: Cache | None = None
    extras: dict[str, Any] | None = None


class ServerResult(Struct, frozen=True, tag="server_result"):
    """What a tool run by the provider answered (search results, code output).

    `kind` is the `ServerTool.kind`; `payload` is neutral:
    web_search: `{"results": [{"url", "title", "page_age"?, "encrypted_content"?}], "error"?: str}`;
    web_fetch: `{"url", "error"?: str}`, and its call's arguments are `{"url"}`;
    code_execution: `{"stdout", "stderr", "return_code", "error"?: str, "files"?: int}`; its call's
    arguments are `{"code"}` (Python), or `{"command"}` (shell); mcp: `{"output", "error"?: str}`,
    and its call's `namespace` is the server; others: the issuer's own JSON.
    """

    call_id: str
    kind: str
    payload: Any = None
    dialect: DialectId | None = None
    """Whose JSON `native` is."""
    native: Any = None
    """The issuer's own block, replayed only to the same dialect."""


class Refusal(Struct, frozen=True, tag="refusal"):
    """The model's own words for declining."""

    text: str


class Opaque(Struct, frozen=True, tag="opaque"):
    """Something we do not understand: replayed to the same dialect only, reported elsewhere."""

    dialect: DialectId
    value: Any
    kind: str = ""
    """Its wire type, for the loss report."""


Part = (
    Text
    | Image
    | Document
    | Audio
    | Video
    | Thinking
    | ToolCall
    | ToolResult
    | ServerResult
    | Refusal
    | Opaque
)


# ---- messages and tools -----------------------------------------------------------------------
class Message(Struct, frozen=True):
    """One turn. `system` in here is an instruction at its position in the conversation."""

    role: Literal["user", "assistant", "system"]
    parts: tuple[Part, ...]
    name: str | None = None
    developer: bool = False
    """For role system: the client wrote `developer`."""
    id: str | None = None
    extras: dict[str, Any] | None = None


class SystemText(Struct, frozen=True):
    """One block of the leading instructions."""

    text: str
    developer: bool = False
    instructions: bool = False
    """It came from the Responses `instructions` field."""
    cache: Cache | None = None
    extras: dict[str, Any] | None = None


class Function(Struct, frozen=True, tag="function"):
    """A tool the client runs. `schema` None means no arguments."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    namespace: str | None = None
    output_schema: dict[str, Any] | None = None
    cache: Cache | None = None
    extras: dict[str, Any] | None = None


class Custom(Struct, frozen=True, tag="custom"):
    """A freeform tool: input is text, perhaps bound by a grammar.

    `format`: None or `{"type": "text"}` or `{"type": "grammar", "syntax", "definition"}` (flat).
    """

    name: str
    description: str | None = None
    format: dict[str, Any] | None = None
    namespace: str | None = None
    extras: dict[str, Any] | None = None


class ServerTool(Struct, frozen=True, tag="server"):
    """A tool known by type: run by the provider, or by the client with a fixed schema.

    `kind`: web_search, web_fetch, code_execution, image_generation, file_search, computer, mcp,
    tool_search, maps, shell, apply_patch, bash, text_editor, memory, … or the wire type itself.
    `config` is neutral where two dialects share the tool — web_search: `allowed_domains`,
    `blocked_domains`, `max_uses`, `user_location{city,region,country,timezone}`, `context_size` —
    and otherwise empty; `native` is the issuer's own declaration. image_generation, asked for by
    itself: OpenAI's words for size, quality and so on, `action` and `input_image_mask`.
    """

    kind: str
    name: str
    dialect: DialectId
    config: dict[str, Any] = field(default_factory=dict)
    native: Any = None
    cache: Cache | None = None
    calls: str = ""
    """What a call of it is in the issuer's dialect, for one that the client runs; else empty."""


Tool = Function | Custom | ServerTool


class ToolKey(Struct, frozen=True):
    """How a choice names a tool."""

    name: str
    namespace: str | None = None
    kind: ToolKind = "function"


class ToolChoice(Struct, frozen=True):
    """`auto`, `none`, `required`, `named` (one key), `allowed` (a set, with `required_one`)."""

    mode: Literal["auto", "none", "required", "named", "allowed"]
    keys: tuple[ToolKey, ...] = ()
    required_one: bool = False
    """For `allowed`: one of the set must be called."""


# ---- scalars ----------------------------------------------------------------------------------
class Sampling(Struct, frozen=True):
    """How tokens are drawn and when to stop. All optional."""

    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    max_output: int | UnsetType = UNSET
    stop: tuple[str, ...] = ()
    seed: int | UnsetType = UNSET
    n: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    logprobs: bool | UnsetType = UNSET
    top_logprobs: int | UnsetType = UNSET
    logit_bias: dict[str, Any] | UnsetType = UNSET


class ThinkingConfig(Struct, frozen=True):
    """How much the model should think, and whether to show it.

    `mode`: `unset`; `off`; `auto` (model decides); `level` (`minimal`…`max`); `budget` (tokens).
    `visible`: None = the client did not say.
    """

    mode: Literal["unset", "off", "auto", "level", "budget"] = "unset"
    level: str | None = None
    budget: int | None = None
    visible: bool | None = None
    detail: str | None = None
    """`auto|concise|detailed`."""
    origin: Literal["body", "suffix"] = "body"
    effort_only: bool = False
    """Anthropic `output_config.effort` without `thinking`: a hint, does not switch thinking on."""
    adaptive: bool = False
    """The client wrote Anthropic's `adaptive`."""


class OutputFormat(Struct, frozen=True):
    """What shape the answer must have."""

    kind: Literal["unset", "text", "json", "json_schema"] = "unset"
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    verbosity: str | None = None
    modalities: tuple[str, ...] = ()


class Meta(Struct, frozen=True):
    """Everything about the request that is not its content. All optional."""

    end_user: str | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    store: bool | None = None
    prompt_cache_key: str | None = None
    previous_response_id: str | None = None
    conversation: str | None = None
    session: str | None = None
    """A session id found in the body (not in headers)."""
    kept: bool = False
    """Responses: the proxy keeps the answer, as the client asked."""
    continues: str | None = None
    """Responses: the earlier answer that was written out in `messages`."""


class IRRequest(Struct, frozen=True):
    """A request, whole.

    Attributes:
        model: as the client wrote it, thinking suffix included; the router resolves it.
        source: the dialect it was written in.
        raw: the decoded body as received; for byte-faithful echoing and same-dialect extras.
            Never mutated.
        extras: unknown or dialect-only fields by name, re-emitted only to the same dialect and
            reported as losses elsewhere.
        unused: paths of fields that were understood to be irrelevant everywhere (no report).
    """

    model: str
    source: DialectId
    messages: tuple[Message, ...]
    system: tuple[SystemText, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    sampling: Sampling = Sampling()
    thinking: ThinkingConfig = ThinkingConfig()
    output: OutputFormat = OutputFormat()
    stream: bool = False
    stream_usage: bool = False
    """The client asked for a usage chunk (chat `stream_options.include_usage`)."""
    meta: Meta = Meta()
    safety: tuple[dict[str, Any], ...] = ()
    """Gemini `safetySettings`."""
    cache: Cache | None = None
    """Anthropic top-level `cache_control`: mark the last cacheable block."""
    extras: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Request headers that carry protocol meaning (`anthropic-beta`…), lower-case names."""


EMPTY_OBJECT: Final = "{}"


def args_object(args: str) -> dict[str, Any] | None:
    """Parse argument text as an object: `{}` for blank text, None when it is no JSON object."""
    if not args or args.isspace():
        return {}
    return json.loads_object(args)

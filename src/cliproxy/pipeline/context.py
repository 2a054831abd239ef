"""What is known about one request while it runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import UNSET, Raw, Struct, UnsetType, field, structs

from cliproxy import dialects
from cliproxy.base import json
from cliproxy.base.errors import BadRequest, GatewayError
from cliproxy.base.json import Obj
from cliproxy.base.multipart import Form
from cliproxy.base.redact import Hidden
from cliproxy.dialects import Dialect, Framing, Operation, ParseMeta
from cliproxy.ir.caps import Makes
from cliproxy.ir.loss import Loss
from cliproxy.ir.request import Inline, IRRequest
from cliproxy.ir.usage import IRUsage
from cliproxy.observe.request_log import Entry
from cliproxy.pipeline.meter import Meter
from cliproxy.routing.affinity import Session

if TYPE_CHECKING:
    from cliproxy.pipeline.lines import Lines

Fidelity = Literal["verbatim", "exact", "lossy", ""]


class Peeked(Hidden, Struct):
    """The fields of a body that routing needs: two as values, the rest as they stand there."""

    model: Any = None
    stream: Any = None
    prompt_cache_key: Any = None
    previous_response_id: Any = None
    previous_interaction_id: Any = None
    background: Any = None
    agent: Any = None
    conversation: Any = None
    store: Any = None
    session_id: Any = None
    metadata: Raw | UnsetType = UNSET
    system: Raw | UnsetType = UNSET
    instructions: Raw | UnsetType = UNSET
    system_instruction: Raw | UnsetType = field(default=UNSET, name="systemInstruction")
    messages: Raw | UnsetType = UNSET
    input: Raw | UnsetType = UNSET
    contents: Raw | UnsetType = UNSET
    request: Raw | UnsetType = UNSET
    """Code Assist: the request inside its envelope."""


class Continued(Hidden, Struct):
    """What a request leans on, found and written out."""

    body: Obj
    """The request with all that came before in its input."""
    account: str = ""
    """Whose upstream knows it by its id, as long as it does."""
    previous: str | None = None
    conversation: str | None = None
    session: Session | None = None
    only: bool = False
    """Nobody else can be told what came before: only that account knows it."""


class Attempt(Struct):
    """One try on one account, for the attempt log."""

    provider: str
    account: str
    model: str
    status: int = 0
    reason: str = ""
    message: str = ""
    seconds: float = 0.0
    losses: tuple[Loss, ...] = ()
    """What the translation for this upstream could not carry."""
    told: Literal["header", "body"] = "body"
    """Where a failed upstream said when to come back, if it did."""


class Request(Hidden, Struct):
    """A client's request as the server received it.

    `body` is decoded from its content-encoding, not parsed. `model` and `stream` come from the
    URL where the dialect puts them there, else from a peek into the body.
    """

    id: str
    dialect_id: str
    operation: Operation
    body: bytes
    headers: Mapping[str, str]
    model: str
    stream: bool
    framing: Framing = "sse"
    query: str = ""
    model_in_path: bool = False
    makes: Makes = "text"
    """What kind of model may answer on its route."""
    form: Form | None = None
    """Its body, where that is a form and not JSON."""
    resource: str = ""
    """The job that it asks about."""
    pin_provider: str | None = None
    pin_account: str | None = None
    agent: bool = False
    """`model` names an agent, which is in no list of models."""
    strict: bool = False
    connection: str = ""
    """A name for the websocket that it came by: one conversation, if nothing says more."""
    lines: Lines | None = None
    """The upstream websockets of that one."""
    short: bytes = b""
    """What is new in it, for whoever has heard the rest."""
    previous: str = ""
    """The response that it goes on from, as that one knows it."""
    pinged: bool = False
    """Its connection shows signs of life by itself; the stream needs none."""
    client: str = ""
    """Which client key, as a label (never the key)."""
    attempts: list[Attempt] = field(default_factory=list)
    fidelity: Fidelity = ""
    """How the answering upstream was asked."""
    entry: Entry | None = None
    """Where the request is logged in full, if it is."""
    parsed: IRRequest | None = None
    peeked: Peeked | None = None
    """The peek into the body, by whoever took it."""
    fetched: dict[str, Inline] = field(default_factory=dict)
    """Files named by address, by address."""
    continued: Continued | None = None
    refers: bool = False
    """Whether it may refer to items that somebody keeps; known once it was continued."""
    shown_model: str | None = None
    """The model that answers in place of the one that was asked for."""
    session: Session | None = None
    """The conversation it belongs to, where that decides who is asked."""
    kept: bool = False
    """The answer will be kept for later requests to lean on."""
    meter: Meter = field(default_factory=Meter)
    """What it used."""

    @property
    def usage(self) -> IRUsage:
        """Tokens as far as the upstream told them; complete when the request is over."""
        return self.meter.read()

    @property
    def first_token_at(self) -> float | None:
        """Monotonic seconds when its stream got going, None before and for whole answers."""
        return self.meter.first_token_at

    @property
    def dialect(self) -> Dialect:
        """The dialect the client speaks."""
        return dialects.get(self.dialect_id)

    def ir(self) -> IRRequest:
        """Parse the body, once. Raises `BadRequest` naming the field."""
        if self.parsed is None:
            shown = self.shown_model
            continued = self.continued
            if self.form is not None:
                body = self.form.values()
            else:
                body = decode_object(self.body) if continued is None else continued.body
            meta = ParseMeta(
                headers=self.headers,
                model=self.model if self.model_in_path else None,
                stream=self.stream if self.model_in_path else None,
                operation=self.operation,
            )
            parsed = self.dialect.parse(body, meta)
            if parsed.stream != self.stream:
                parsed = structs.replace(parsed, stream=self.stream)
            if self.kept or continued is not None:
                parsed = structs.replace(
                    parsed,
                    meta=structs.replace(
                        parsed.meta,
                        # Keeping is done here; no upstream needs to.
                        store=None if self.kept else parsed.meta.store,
                        kept=self.kept,
                        continues=continued.previous if continued is not None else None,
                    ),
                )
            if shown is not None:
                parsed = structs.replace(parsed, model=shown)
            self.parsed = parsed
        return self.parsed

    def serve_as(self, model: str) -> None:
        """Answer in the name of another model than the one that was asked for."""
        self.shown_model = model
        if self.parsed is not None:
            self.parsed = structs.replace(self.parsed, model=model)


class Reply(Hidden, Struct):
    """What goes back: either `body` or `chunks`, never both."""

    status: int
    content_type: str
    body: bytes = b""
    chunks: AsyncGenerator[bytes, None] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    fidelity: Fidelity = ""
    losses: tuple[Loss, ...] = ()
    abandon: Callable[[], None] | None = None
    """Lets go of the upstream when not even the beginning could be sent."""


def decode_object(body: bytes) -> json.Obj:
    """Decode a body that must be a JSON object. Raises `BadRequest`."""
    try:
        value = json.loads(body)
    except json.InvalidJson as err:
        raise BadRequest(f"The request body is not valid JSON: {err}", code="invalid_json") from err
    if not isinstance(value, dict):
        raise BadRequest(
            f"The request body must be a JSON object, not {json_type(value)}.", code="invalid_json"
        )
    return value


def json_type(value: object) -> str:
    """Name the JSON type of a value, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "a number"


def reason_of(err: GatewayError) -> str:
    """Return the reason code the attempt log keeps for a failure."""
    return err.code or err.kind

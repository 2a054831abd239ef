"""Lists: client keys, and the credentials that stand in the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base.json import Json, Obj, text_in
from cliproxy.config.load import Loaded, Problem
from cliproxy.manage import shapes
from cliproxy.manage.document import (
    BadValue,
    Document,
    checked,
    entry_kind,
    put,
    remark,
    remarks,
)
from cliproxy.manage.entries import clean, indexed, patched, unwanted
from cliproxy.manage.web import (
    Endpoint,
    body_of,
    change,
    control_of,
    loose_object,
    named,
    object_of,
    reply,
    written,
)
from cliproxy.server.gate import Refused

KEYS: Final = "api-keys"


class Convention(Struct, frozen=True):
    """How one list is patched and what is taken out of it by key."""

    name: str
    own: tuple[str, ...]
    """Fields a PATCH may set, beside those of all lists."""
    vanishes: tuple[str, ...] = ()
    """An entry goes when a PATCH leaves all of these empty."""
    strict: bool = False
    """More than one hit is refused, and none is not found."""

    @property
    def identity(self) -> str:
        """The field entries are found by."""
        return "name" if self.name == "openai-compatibility" else "api-key"

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that make an object an entry of this list."""
        return ("name", "base-url") if self.identity == "name" else ("api-key",)


_PATCH: Final = frozenset({"value", "index", "match"})
"""Keys of a body that patches one entry; without them it is an entry itself."""
_BASIC: Final = ("api-key", "prefix", "base-url", "proxy-url", "headers", "excluded-models")
_ERRORS: Final = (*_BASIC, "request-scoped-errors")
_OWN: Final = ("models", "priority", "name", "disabled")
_MODELS: Final = (*_ERRORS, *_OWN)

LISTS: Final = (
    Convention("gemini-api-key", _MODELS, ("api-key", "base-url"), strict=True),
    Convention("interactions-api-key", _MODELS, ("api-key", "base-url"), strict=True),
    Convention("claude-api-key",
               (*_MODELS, "rebuild-mid-system-message", "fingerprint-profile", "cloak")),
    Convention("codex-api-key", (*_MODELS, "alpha-search", "websockets"), ("base-url",)),
    Convention("xai-api-key", (*_MODELS, "websockets"), ("base-url",)),
    Convention("vertex-api-key", (*_BASIC, *_OWN), ("api-key",)),
    Convention("openai-compatibility",
               ("name", "prefix", "disabled", "base-url", "api-key-entries", "models", "headers",
                "support-prompt-cache-key", "request-scoped-errors", "excluded-models",
                "priority"), ("base-url",)),
)  # fmt: skip


# ---- client keys --------------------------------------------------------------------------------
async def get_keys(request: Request) -> Response:
    """Return the client keys, by what each is known in what was used, and what it is called."""
    document, usage = _document(request), control_of(request).usage
    keys = document.shown(KEYS) or []
    listed = [str(key) for key in keys] if isinstance(keys, list) else []
    names = remarks(document.text, KEYS)
    return reply(
        {
            KEYS: keys,
            "value": keys,
            "marks": [usage.marks(key) for key in listed],
            "names": list[Json](names if len(names) == len(listed) else [""] * len(listed)),
        },
        headers=named(document.text),
    )


async def put_keys(request: Request) -> Response:
    """Replace the client keys."""
    value = _listed(await body_of(request))
    if not all(isinstance(item, str) for item in value):
        raise Refused(400, "invalid body")
    return await _keys(request, lambda _: [str(item).strip() for item in value])


async def patch_keys(request: Request) -> Response:
    """Replace one client key by its place or its value, or add one; `name` is what to call it."""
    body = await object_of(request)
    index, value, old, new = (body.get(name) for name in ("index", "value", "old", "new"))
    said = body.get("name")
    texts = (value, old, new, said)
    if not all(isinstance(v, str | None) for v in texts) or not _is_place(index):
        raise Refused(400, "invalid body")

    def patched_keys(keys: list[str]) -> list[str]:
        if index is not None and value is not None and 0 <= index < len(keys):
            return [*keys[:index], value, *keys[index + 1 :]]
        if old is not None and new is not None:
            if old not in keys:
                return [*keys, new]
            at = keys.index(old)
            return [*keys[:at], new, *keys[at + 1 :]]
        if value and set(body) == {"value"}:
            # One client adds a key so.
            return keys if value in keys else [*keys, value]
        raise Refused(400, "missing fields")

    return await _keys(request, patched_keys, None if said is None else (new or value or "", said))


async def delete_keys(request: Request) -> Response:
    """Remove client keys by place or value."""
    query: dict[str, Any] = dict(request.query_params) or await loose_object(request)
    index, value = _number(str(query.get("index", ""))), text_in(query, "value")

    def left(keys: list[str]) -> list[str]:
        if index is not None and 0 <= index < len(keys):
            return [key for n, key in enumerate(keys) if n != index]
        if value:
            return [key for key in keys if key.strip() != value]
        raise Refused(400, "missing index or value")

    return await _keys(request, left)


async def _keys(
    request: Request,
    made: Callable[[list[str]], list[str]],
    called: tuple[str, str] | None = None,
) -> Response:
    """Write other client keys; `called` is one of them and its name, a comment behind it."""

    def edit(text: str) -> str:
        shown = Document(text).shown(KEYS)
        keys = made([str(k) for k in shown] if isinstance(shown, list) else [])
        text = put(text, KEYS, list[Json](keys) or None)
        if called is not None and called[0] in keys:
            text = remark(text, KEYS, keys.index(called[0]), called[1])
        return text

    return written(await change(request, edit))


# ---- credentials --------------------------------------------------------------------------------
def _endpoints(list_: Convention) -> list[Endpoint]:
    name = list_.name

    async def get(request: Request) -> Response:
        document = _document(request)
        entries = indexed(name, document.entries(name), control_of(request).accounts)
        return reply({name: entries, "value": entries}, headers=named(document.text))

    async def replace(request: Request) -> Response:
        value = _listed(await body_of(request))
        entries = [_right(name, item, f"{name}[{n}]") for n, item in enumerate(value)]
        for n, entry in enumerate(entries):
            unwanted(name, entry, f"{name}[{n}]")
        kept = clean(name, entries)
        return await _write(request, lambda _: kept)

    async def add(request: Request, entry: Obj) -> Response:
        new = _right(name, entry, name)
        if not (added := clean(name, [new])):
            raise Refused(400, "base-url is required")
        return await _write(request, lambda entries: [*entries, *added])

    async def patch(request: Request) -> Response:
        body = await object_of(request)
        value, index = body.get("value"), body.get("index")
        bare = _dashed(body)
        if not body.keys() & _PATCH and all(text_in(bare, k) for k in list_.required):
            return await add(request, bare)
        if not isinstance(value, dict) or not _is_place(index):
            raise Refused(400, "invalid body")
        wanted = body.get("name" if list_.identity == "name" else "match")
        if not isinstance(wanted, str | None):
            raise Refused(400, "invalid body")
        new = _right(name, value, "", nulls=True)
        base = request.query_params.get("base-url")

        def edit(entries: list[Obj]) -> list[Obj]:
            at = _find(list_, entries, index, wanted, base)
            entry = patched(entries[at], new, list_.own)
            gone = bool(list_.vanishes) and not any(entry.get(k) for k in list_.vanishes)
            return [*entries[:at], *([] if gone else [entry]), *entries[at + 1 :]]

        return await _write(request, edit)

    async def delete(request: Request) -> Response:
        query: dict[str, Any] = dict(request.query_params)
        if not query:
            body = _dashed(await loose_object(request))
            query = {k: v for k, v in body.items() if v is not None}
        wanted = str(query.get(list_.identity, "")).strip()
        index, base = _number(str(query.get("index", ""))), query.get("base-url")

        def edit(entries: list[Obj]) -> list[Obj]:
            if not wanted:
                if index is None or not 0 <= index < len(entries):
                    raise Refused(400, f"missing {list_.identity} or index")
                return [e for n, e in enumerate(entries) if n != index]
            hits = _hits(list_, entries, wanted, None if base is None else str(base))
            _judge(list_, len(hits), narrowed=base is not None)
            return [e for n, e in enumerate(entries) if n not in hits]

        return await _write(request, edit)

    async def _write(request: Request, edit: Callable[[list[Obj]], list[Obj]]) -> Response:
        def edited(text: str) -> str:
            entries: list[Json] = [_full(e) for e in edit(Document(text).entries(name))]
            return put(text, name, entries or None)

        def accept(loaded: Loaded, before: Loaded | None) -> None:
            known = {(p.message, p.cure) for p in before.problems} if before else set()
            for problem in loaded.problems:
                if _is_fault(problem, name) and (problem.message, problem.cure) not in known:
                    what, _, _ = problem.message.partition("; this entry")
                    raise Refused(400, f"{problem.path} {what}")

        return written(await change(request, edited, accept=accept))

    entry = shapes.ref(entry_kind(name).__name__)
    shown = shapes.obj({name: shapes.items(entry), "value": shapes.items(entry)})
    all_of = shapes.one_of(shapes.items(entry), shapes.obj({"items": shapes.items(entry)}))
    one = shapes.obj(
        {"value": entry | {}},
        optional={
            "index": shapes.WHOLE,
            "name" if list_.identity == "name" else "match": shapes.TEXT,
        },
    )
    done, what = shapes.ref("Written"), f"The list `{name}` of the configuration."
    return [
        Endpoint("GET", f"/{name}", get, what, shown),
        Endpoint("PUT", f"/{name}", replace, what, done, all_of, refuses=(412,)),
        Endpoint("PATCH", f"/{name}", patch, what, done, one, {"base-url": "Which of several."},
                 refuses=(404, 412)),
        Endpoint("DELETE", f"/{name}", delete, what, done, None,
                 {list_.identity: "Which entry.", "base-url": "Which of several.",
                  "index": "Its place."}, refuses=(404, 412)),
    ]  # fmt: skip


def _dashed(value: Obj) -> Obj:
    """Return an object with our spelling of its keys: one client writes `api_key`."""

    def inner(found: Json) -> Json:
        if isinstance(found, list):
            return [inner(item) for item in found]
        return _dashed(found) if isinstance(found, dict) else found

    named = ("api-key-entries", "models")
    keys = {key: key.replace("_", "-") for key in value}
    return {keys[k]: inner(v) if keys[k] in named else v for k, v in value.items()}


def _full(entry: Obj) -> Obj:
    """Return an entry without its lists that hold nothing."""
    return {k: v for k, v in entry.items() if v != []}


def _find(
    list_: Convention, entries: list[Obj], index: int | None, wanted: str | None, base: str | None
) -> int:
    if index is not None and 0 <= index < len(entries):
        return index
    hits = _hits(list_, entries, (wanted or "").strip(), base if list_.strict else None)
    if wanted is None or not hits:
        raise Refused(404, "item not found")
    if list_.strict and len(hits) > 1:
        raise Refused(400, "multiple items match; index is required")
    return hits[0]


def _hits(list_: Convention, entries: list[Obj], wanted: str, base: str | None) -> list[int]:
    return [
        n
        for n, entry in enumerate(entries)
        if str(entry.get(list_.identity) or "").strip() == wanted
        and (base is None or _base(entry) == base.strip().rstrip("/"))
    ]


def _judge(list_: Convention, hits: int, *, narrowed: bool) -> None:
    if list_.identity == "name":
        return
    if list_.strict and not hits:
        raise Refused(404, "item not found")
    if hits > 1 and not narrowed:
        raise Refused(400, "multiple items match api-key; base-url is required")
    if hits > 1 and list_.strict:
        raise Refused(400, "multiple items match; index is required")


def _base(entry: Obj) -> str:
    return str(entry.get("base-url") or "").strip().rstrip("/")


def _right(name: str, value: Json, path: str, *, nulls: bool = False) -> Obj:
    if not isinstance(value, dict):
        raise Refused(400, "invalid body")
    _weights(value, path)
    try:
        entry: Obj = checked(value, entry_kind(name))
    except BadValue:
        raise Refused(400, "invalid body") from None
    return entry if nulls else {k: v for k, v in entry.items() if v is not None}


def _weights(value: Obj, path: str) -> None:
    prefix = f"{path}.weight: " if path else ""
    weight, cooling = value.get("weight"), value.get("disable-cooling")
    if weight is not None and type(weight) is not int:
        raise Refused(400, f"{prefix}weight must be an integer")
    if weight is not None and weight > 1_000_000:
        raise Refused(400, f"{prefix}weight must not exceed 1000000")
    if cooling is not None and type(cooling) is not bool:
        raise Refused(400, "disable-cooling must be a boolean or null")
    rows = value.get("api-key-entries")
    for n, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict):
            _weights(row, f"{path}.api-key-entries[{n}]" if path else "")


def _is_fault(problem: Problem, name: str) -> bool:
    return problem.path.startswith(f"{name}[") and problem.message.endswith("entry is left out")


def _listed(value: Json) -> list[Json]:
    """Return what a PUT replaces a list by."""
    if value is None:
        return []
    if isinstance(value, dict):
        # One client calls them `value`.
        value = value.get("items", value.get("value"))
        if not value:
            raise Refused(400, "invalid body")
    if not isinstance(value, list):
        raise Refused(400, "invalid body")
    return value


def _is_place(index: Json) -> bool:
    return index is None or type(index) is int


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None


def _document(request: Request) -> Document:
    document: Document = request.app.state.documents.get(control_of(request))
    return document


ROUTES: Final = [
    Endpoint("GET", f"/{KEYS}", get_keys, "The keys of clients.",
             shapes.obj({KEYS: shapes.items(shapes.TEXT), "value": shapes.items(shapes.TEXT),
                         "marks": shapes.items(shapes.TEXT), "names": shapes.items(shapes.TEXT)})),
    Endpoint("PUT", f"/{KEYS}", put_keys, "Replace the keys of clients.", shapes.ref("Written"),
             shapes.one_of(shapes.items(shapes.TEXT),
                           shapes.obj({"items": shapes.items(shapes.TEXT)})), refuses=(412,)),
    Endpoint("PATCH", f"/{KEYS}", patch_keys, "Replace or add one key.", shapes.ref("Written"),
             shapes.obj({}, optional={"index": shapes.WHOLE, "value": shapes.TEXT,
                                      "old": shapes.TEXT, "new": shapes.TEXT,
                                      "name": shapes.TEXT}), refuses=(412,)),
    Endpoint("DELETE", f"/{KEYS}", delete_keys, "Remove keys.", shapes.ref("Written"), None,
             {"index": "The place of one.", "value": "All that are equal."}, refuses=(412,)),
    *(row for list_ in LISTS for row in _endpoints(list_)),
]  # fmt: skip

"""A request for pictures → `IRRequest`; the inverse is `build.py`.

Forms come as objects whose files are data URLs and whose numbers are texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from cliproxy.base.errors import BadRequest
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_images.wire import NUMBERS, PICTURES, READ, TEXTS, TOOL
from cliproxy.ir.media import data_url, media_of
from cliproxy.ir.request import (
    DialectId,
    FileId,
    Image,
    Inline,
    IRRequest,
    Message,
    Meta,
    Part,
    Sampling,
    ServerTool,
    Text,
    ToolChoice,
    ToolKey,
    Url,
)

if TYPE_CHECKING:
    from cliproxy.dialects import ParseMeta

_FIRST = ("images", "image", "image_url")
"""Where pictures stand: OpenAI's field, that of its forms and of xAI, and of older clients."""


def parse(body: Obj, meta: ParseMeta, source: DialectId, *, edits: bool) -> IRRequest:
    """Read a request. Raises `BadRequest` naming the field."""
    parts: list[Part] = [Text(fields.need_text(body, "prompt"))]
    settings: Obj = {"action": "edit" if edits else "generate"}
    for name in TEXTS:
        if (text := fields.text(body, name)) is not None:
            settings[name] = text
    for name in NUMBERS:
        if (number := _number(body, name)) is not None:
            settings[name] = number
    known = READ | PICTURES if edits else READ
    if edits:
        pictures = _pictures(body)
        if not pictures:
            raise fields.missing("image", "An edit begins with a picture.")
        parts += pictures
        if body.get("mask") is not None:
            settings["input_image_mask"] = _mask(body["mask"])
    count = _number(body, "n")
    model = meta.model if meta.model is not None else fields.text(body, "model")
    fields.text(body, "response_format")
    return IRRequest(
        model=model or "",
        source=source,
        messages=(Message("user", tuple(parts)),),
        tools=(ServerTool(TOOL, TOOL, source, settings),),
        tool_choice=ToolChoice("named", (ToolKey(TOOL, kind="server"),)),
        sampling=Sampling(n=UNSET if count is None else count),
        stream=_flag(body, "stream"),
        meta=Meta(
            end_user=fields.text(body, "safety_identifier") or fields.text(body, "user") or None
        ),
        extras={name: value for name, value in body.items() if name not in known},
        raw=body,
    )


def _pictures(body: Obj) -> list[Part]:
    found: list[Part] = []
    for name in _FIRST:
        value = body.get(name)
        if value is None:
            continue
        for n, one in enumerate(value if isinstance(value, list) else [value]):
            where = f"{name}[{n}]" if isinstance(value, list) else name
            found.append(Image(_picture(one, where)))
    return found


def _picture(value: Json, where: str) -> Inline | Url | FileId:
    if isinstance(value, dict):
        if file := fields.text(value, "file_id", where):
            return FileId(file, "openai-responses")
        for name in ("image_url", "url"):
            inner = value.get(name)
            if inner is not None:
                return _picture(inner, f"{where}.{name}")
        raise fields.missing(f"{where}.image_url")
    if not isinstance(value, str):
        raise fields.wrong_type(where, "a picture's address, data URL or an object", value)
    return media_of(value, where=where)


def _mask(value: Json) -> Obj:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    media = _picture(value, "mask")
    match media:
        case FileId():
            return {"file_id": media.id}
        case Url():
            return {"image_url": media.url}
        case _:
            return {"image_url": data_url(media)}


def _number(body: Obj, name: str) -> int | None:
    value = body.get(name)
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise fields.wrong_type(name, "an integer", value)


def _flag(body: Obj, name: str) -> bool:
    value = body.get(name)
    if isinstance(value, str) and value.strip().lower() in ("true", "false", ""):
        return value.strip().lower() == "true"
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadRequest(f"The field '{name}' must be true or false.", param=name)

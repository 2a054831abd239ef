"""`IRRequest` → a request for pictures; the inverse is `parse.py`.

Where a client's own bytes can be sent, they are; this is for hosts that want the same in another
form. xAI's (`caps.grok_images`) is one: it takes ratios in place of sizes, pictures as objects, no
forms, and it gives addresses unless it is asked for data.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from cliproxy.base.errors import Unsupported
from cliproxy.base.json import Obj
from cliproxy.dialects.openai_images.wire import OPTIONS
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.media import data_url
from cliproxy.ir.request import FileId, Image, Inline, IRRequest, ServerTool, Text, Url

if TYPE_CHECKING:
    from cliproxy.dialects import Built

_GROK_TAKES: Final = frozenset({"quality", "output_format"})
_GROK_IDLE: Final = frozenset({"partial_images", "action"})
"""What changes nothing of the picture that comes in the end."""
_GROK_RATIOS: Final = (
    (1, 1), (3, 4), (4, 3), (9, 16), (16, 9), (2, 3), (3, 2), (1, 2), (2, 1),
)  # fmt: skip
_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})", re.IGNORECASE)
_NEAR: Final = 0.01
"""How far a ratio may be off and still be the same."""


def build(req: IRRequest, caps: Caps, *, edits: bool) -> Built:
    """Write the body. Raises `Unsupported` for what the host cannot do."""
    from cliproxy.dialects import Built  # noqa: PLC0415  # the package imports us lazily

    losses = Losses()
    texts = [p.text for m in req.messages for p in m.parts if isinstance(p, Text)]
    pictures = [p for m in req.messages for p in m.parts if isinstance(p, Image)]
    body: Obj = {"model": caps.model, "prompt": "\n\n".join(texts)}
    if edits:
        _pictures(body, pictures, caps)
    settings = next((t.config for t in req.tools if isinstance(t, ServerTool)), {})
    for name in OPTIONS:
        if name in settings and (not caps.grok_images or name in _GROK_TAKES):
            body[name] = settings[name]
        elif name in settings and name != "size":
            severity = "info" if name in _GROK_IDLE else "warn"
            losses.add(name, "this upstream has no such field", severity)  # type: ignore[arg-type]
    mask = settings.get("input_image_mask")
    if mask is not None and caps.grok_images:
        raise Unsupported("This upstream edits whole pictures only, without a mask.", param="mask")
    if mask is not None:
        body["mask"] = mask
    if req.sampling.n is not UNSET:
        body["n"] = req.sampling.n
    if req.meta.end_user:
        body["user"] = req.meta.end_user
    body |= req.extras
    asked = req.raw.get("response_format")
    if caps.grok_images:
        _ratio(body, settings, losses)
        body["response_format"] = "url" if str(asked).lower() == "url" else "b64_json"
    elif asked is not None:
        body["response_format"] = asked
    if req.stream and not caps.grok_images:
        body["stream"] = True
    return Built(body, losses.tuple())


def _pictures(body: Obj, pictures: list[Image], caps: Caps) -> None:
    written: list[Obj] = []
    for n, picture in enumerate(pictures):
        media = picture.media
        match media:
            case FileId() if caps.grok_images:
                raise Unsupported(
                    "This upstream does not know files that were uploaded elsewhere.",
                    param=f"image[{n}]",
                )
            case FileId():
                written.append({"file_id": media.id})
            case Inline() | Url():
                url = data_url(media) if isinstance(media, Inline) else media.url
                form = {"url": url, "type": "image_url"} if caps.grok_images else {"image_url": url}
                written.append(form)
    if caps.grok_images and len(written) == 1:
        body["image"] = written[0]
    else:
        body["images"] = written


def _ratio(body: Obj, settings: Obj, losses: Losses) -> None:
    """Say in a ratio what the size says, unless the client gave one itself."""
    size = settings.get("size")
    if size in (None, "auto"):
        return
    if "aspect_ratio" in body:
        losses.add("size", "the ratio that was asked for says it", "info")
        return
    found = _SIZE.fullmatch(str(size).strip())
    if found is None or not (wide := int(found[1])) or not (high := int(found[2])):
        losses.add("size", "this upstream takes ratios, and this is none")
        return
    wanted = math.log(wide / high)
    off, (w, h) = min((abs(math.log(w / h) - wanted), (w, h)) for w, h in _GROK_RATIOS)
    body["aspect_ratio"] = f"{w}:{h}"
    exact = off <= _NEAR
    losses.add(
        "size",
        "only the ratio is carried" if exact else f"the nearest ratio is {w}:{h}",
        "info" if exact else "warn",
    )

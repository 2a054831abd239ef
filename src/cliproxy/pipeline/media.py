"""Pictures and documents named by address, for upstreams that take no addresses.

They are fetched and put into the request as bytes, once per request whichever accounts are tried.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Final

from msgspec import structs

from cliproxy.base.errors import BadRequest
from cliproxy.dialects import Dialect
from cliproxy.ir.caps import Caps
from cliproxy.ir.media import OCTETS, mime_of_name, sniff
from cliproxy.ir.request import Document, Image, Inline, IRRequest, Message, Part, ToolResult, Url
from cliproxy.transport.guard import Fetched, FetchError, Guard

MOST: Final = 32
"""Addresses that one request may have fetched."""


async def inline(
    asked: IRRequest,
    caps: Caps,
    dialect: Dialect,
    guard: Guard,
    *,
    known: dict[str, Inline],
    proxy: str | None,
) -> IRRequest:
    """Return the request with what its upstream cannot fetch put in as bytes.

    `known` is what was fetched for this request before, and grows. Raises `BadRequest` naming the
    address that could not be fetched.
    """
    images = not caps.remote_images
    documents = images or not dialect.document_urls
    if not documents:
        return asked
    wanted = list(dict.fromkeys(_addresses(asked, images=images)))
    if not wanted:
        return asked
    missing = [url for url in wanted if url not in known]
    if len(wanted) > MOST:
        raise BadRequest(
            f"The request names {len(wanted)} files by address; this upstream takes none, and at "
            f"most {MOST} are fetched for it.",
            code="too_many_addresses",
        )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_fetch(guard, url, proxy)) for url in missing]
    for url, task in zip(missing, tasks, strict=True):
        found = task.result()
        if isinstance(found, BadRequest):
            raise found
        known[url] = found
    replaced = tuple(
        structs.replace(m, parts=tuple(_replaced(p, known, images=images) for p in m.parts))
        for m in asked.messages
    )
    return structs.replace(asked, messages=replaced)


async def _fetch(guard: Guard, url: str, proxy: str | None) -> Inline | BadRequest:
    try:
        found = await guard.fetch(url, proxy=proxy)
    except FetchError as err:
        return BadRequest(
            f"{_short(url)} could not be fetched: {err}.", code="media_not_fetched", param="url"
        )
    return _media(url, found)


def _media(url: str, found: Fetched) -> Inline:
    b64 = base64.b64encode(found.data).decode("ascii")
    declared = found.content_type.partition(";")[0].strip().lower()
    mime = sniff(b64) or (declared if declared not in ("", OCTETS) else None)
    return Inline(mime or mime_of_name(url.partition("?")[0]) or OCTETS, b64)


def _short(url: str) -> str:
    # What follows the question mark is often a signature.
    return url.partition("?")[0][:200]


def _addresses(asked: IRRequest, *, images: bool) -> Iterator[str]:
    for message in asked.messages:
        for part in _flat(message):
            if url := _address(part, images=images):
                yield url


def _flat(message: Message) -> Iterator[Part]:
    for part in message.parts:
        yield part
        if isinstance(part, ToolResult):
            yield from part.parts


def _address(part: Part, *, images: bool) -> str | None:
    if isinstance(part, Document) or (images and isinstance(part, Image)):
        media = part.media
        if isinstance(media, Url) and media.url[:8].lower().startswith(("http://", "https://")):
            return media.url
    return None


def _replaced(part: Part, known: dict[str, Inline], *, images: bool) -> Part:
    if isinstance(part, ToolResult):
        inner = tuple(_replaced(p, known, images=images) for p in part.parts)
        return structs.replace(part, parts=inner)
    if (url := _address(part, images=images)) and isinstance(part, Image | Document):
        title = {}
        if isinstance(part, Document) and not part.title:
            title = {"title": url.partition("?")[0].rpartition("/")[2] or None}
        return structs.replace(part, media=known[url], **title)
    return part

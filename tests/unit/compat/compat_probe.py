"""What really becomes of a field: the same request is translated with it and without it.

A field is carried when the two upstream bodies differ, and reported when a loss names it. Nothing
here knows what ought to happen.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from tests.unit.compat.compat_samples import BASE, CASES, Case
from tests.unit.compat.compat_sdk import STRUCTURE

from cliproxy.base.errors import GatewayError
from cliproxy.dialects import ParseMeta, get
from cliproxy.ir.caps import Caps

TARGETS = ("openai-chat", "openai-responses", "anthropic", "gemini", "interactions")

# An upstream that takes all its official API takes; nothing is known of the model.
CAPS = Caps(
    model="up",
    base_is_official=True,
    custom_tools=True,
    mid_system=True,
    system_role="developer",
    max_tokens_field="max_completion_tokens",
)
Path = tuple[str | int, ...]

UNPROVEN = (
    # Changed alone they break the pair of a call and its result.
    re.compile(r"\.(tool_use_id|tool_call_id|call_id)$"),
    re.compile(r"(functionResponse|messages\[function\])\.(id|name)$"),
    # Fixed by the type of the tool.
    re.compile(r"^tools\[(\w+_\d+|tool_search_tool_\w+)\]\.name$"),
    # Decides how the data beside it is read.
    re.compile(r"Data\.mimeType$"),
    re.compile(r"^input.*\[(image|audio|video|document)\]\.(mime_type|uri)$"),
    re.compile(r"^input\[function_(call|result)\]\.(id|call_id|name)$"),
)
"""Fields whose rows stand on other tests: taking them away says nothing."""

OPAQUE = frozenset(
    {
        "parameters", "schema", "input_schema", "output_schema", "parametersJsonSchema",
        "responseJsonSchema", "responseSchema", "response", "args", "labels", "input_examples",
        "logit_bias", "partMetadata", "arguments", "result",
    }
)  # fmt: skip
"""Values that are the user's own JSON: carried or not as a whole."""


class Outcome(msgspec.Struct, frozen=True):
    """What one target made of a request."""

    body: str = ""
    losses: tuple[str, ...] = ()
    refused: str = ""


def translate(source: str, target: str, body: dict[str, Any]) -> Outcome:
    """Parse a client's body and build the upstream's."""
    req = get(source).parse(copy.deepcopy(body), ParseMeta(model=body.get("model", "m")))
    built = get(target).build(req, CAPS)
    wire = msgspec.json.encode([built.body, built.headers], order="deterministic").decode()
    return Outcome(wire, tuple(loss.field for loss in built.losses))


def attempt(source: str, target: str, body: dict[str, Any]) -> Outcome:
    """Translate, or say why not."""
    try:
        return translate(source, target, body)
    except GatewayError as err:
        return Outcome(refused=str(err) or type(err).__name__)


def whole(source: str, case: Case) -> dict[str, Any]:
    """Return the request a case describes."""
    field, value, more = case
    return copy.deepcopy({**BASE[source], **more, field: value})


def leaves(value: Any, path: Path = (), name: str = "") -> Iterator[tuple[Path, str]]:
    """Yield every member below `value` with its place and its dotted, tagged name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            dotted = f"{name}.{key}" if name else key
            if key not in STRUCTURE or not path:
                yield (*path, key), dotted
            if key == "input" and isinstance(inner, dict):
                continue
            if key not in OPAQUE and not (key == "metadata" and "team" in inner):
                yield from leaves(inner, (*path, key), dotted)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number), name)


def tagged(value: Any, path: Path) -> str:
    """Return the dotted name of a place, each object's `type` or `role` in brackets."""
    out = ""
    here = value
    for step in path:
        here = here[step]
        if isinstance(step, str):
            out = f"{out}.{step}" if out else step
        if isinstance(here, dict) and not out.endswith("]"):
            tag = here.get("type", here.get("role"))
            if isinstance(tag, str):
                out += f"[{tag}]"
    return out


def without(value: Any, path: Path) -> Any:
    """Return a copy that lacks one member."""
    value = copy.deepcopy(value)
    here = value
    for step in path[:-1]:
        here = here[step]
    del here[path[-1]]
    return value


def changed(value: Any, path: Path) -> Any:
    """Return a copy in which one member differs, None if it cannot."""
    value = copy.deepcopy(value)
    here = value
    for step in path[:-1]:
        here = here[step]
    match here[path[-1]]:
        case bool(old):
            here[path[-1]] = not old
        case int(old) | float(old):
            here[path[-1]] = old * 10 + 1
        case str(old):
            here[path[-1]] = old + "AAAA"
        case dict():
            here[path[-1]] = {}
        case list():
            here[path[-1]] = []
        case _:
            return None
    return value


def place(path: Path) -> str:
    """Write a place as loss reports do: `messages[0].content[1].text`."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        else:
            out = f"{out}.{step}" if out else step
    return out


_ITEMS = re.compile(r"^(messages|contents|input)\[\d+\]")
_PARTS = re.compile(r"\.(content|parts|output)\[")
_SAID_AS = {
    # Losses that go by the name the thing has in the neutral request.
    "context_size": ("search_context_size",),
    "signature": ("thoughtSignature", "signature"),
    "citations": ("citations", "annotations"),
    "output_schema": ("response", "responseJsonSchema"),
    "title": ("filename", "displayName"),
    "name": ("name",),
    "n": ("candidateCount",),
    "stop": ("stop_sequences", "stopSequences"),
    "safetySettings": ("safety_settings",),
    "top_logprobs": ("logprobs",),
    "user": ("safety_identifier",),
    "responseSchema": ("responseJsonSchema", "responseMimeType"),
}
_CACHE = ("cache_control", "prompt_cache_breakpoint")
_WRAPPERS = (
    "web_search_options",
    "functions[]",
    "tools[].functionDeclarations[]",
    "tools[].tools[]",
)


def neutral(loss: str) -> str:
    """Write the path of a message, a part or a tool alike for all dialects."""
    loss = _ITEMS.sub("turns[]", loss)
    loss = re.sub(r"\[\d+\]", "[]", _PARTS.sub(".parts[", loss))
    loss = re.sub(r"^tools\[\]\.google\w+\.", "tools[].", loss)
    loss = loss.replace("turns[].tools[]", "tools[]")
    for wrapper in _WRAPPERS:
        if loss.startswith(wrapper):
            loss = "tools[]" + loss.removeprefix(wrapper)
    return (
        re.sub(r"^(messages\.|system\[\]|systemInstruction\.parts\[\])", "turns[].", loss)
        .replace("..", ".")
        .replace("annotations", "citations")
    )


def _split(dotted: str) -> tuple[str, str]:
    """Return the list element a path is in, and its last word."""
    return dotted[: dotted.rfind("]") + 1], re.split(r"[.\]]", dotted)[-1]


def _exact(loss: str, path: Path) -> bool:
    """Tell whether a loss speaks of this member itself."""
    at, said = neutral(place(path)), neutral(loss)
    if at == said:
        return True
    if said.endswith("cache_control") and any(word in at for word in _CACHE):
        return True
    (holder, word), (said_holder, said_word) = _split(at), _split(said)
    same = _flat(word) == _flat(said_word) or word in _SAID_AS.get(said_word, ())
    if said_word == "name":
        return at == "turns[].name" and said == at
    # Translators count turns and parts as the neutral request does, not as the client did.
    near = holder == said_holder or holder.startswith("turns") and said_holder.startswith("turns")
    return bool(said_word) and same and (near or not said_holder)


def _flat(word: str) -> str:
    return word.replace("_", "").lower()


def _holds(loss: str, path: Path) -> bool:
    """Tell whether a loss speaks of what this member is in."""
    at, said = neutral(place(path)), neutral(loss)
    return at.startswith((said + ".", said + "["))


def _inside(loss: str, path: Path) -> bool:
    """Tell whether a loss speaks of something in this member."""
    at, said = neutral(place(path)), neutral(loss)
    return said.startswith((at + ".", at + "["))


@cache
def measure(source: str, target: str) -> dict[str, set[str]]:
    """Return what became of every member of every case: words by dotted, tagged name."""
    found: dict[str, set[str]] = {}
    for case in CASES[source]:
        full = whole(source, case)
        there = attempt(source, target, full)
        for path, _ in leaves({case[0]: full[case[0]]}):
            if any(known.search(tagged(full, path)) for known in UNPROVEN):
                continue
            word = _became(source, target, full, path, there)
            if word:
                found.setdefault(tagged(full, path), set()).add(word)
    return found


def _became(source: str, target: str, full: Any, path: Path, there: Outcome) -> str:
    base = BASE[source]
    if len(path) == 1 and path[0] in base:
        less = {**full, path[0]: base[path[0]]}
    else:
        less = without(full, path)
    here = attempt(source, target, less)
    if there.refused:
        return "refused" if not here.refused else ""
    if here.refused:
        other = changed(full, path)
        here = attempt(source, target, other) if other is not None else here
        if here.refused:
            return ""
    moved = here.body != there.body
    gone = [loss for loss in there.losses if loss not in here.losses]
    said = any(_exact(loss, path) for loss in there.losses) or any(
        _holds(loss, path) for loss in (gone if moved else there.losses)
    )
    if not moved and not said and neutral(place(path)).startswith("turns"):
        said = _lost_with_its_part(source, target, full, path, there)
    if not moved and not said:
        said = any(_inside(loss, path) for loss in there.losses)
    return {
        (True, False): "carried",
        (True, True): "adapted",
        (False, True): "dropped",
        (False, False): "ignored",
    }[moved, said]


def _lost_with_its_part(source: str, target: str, full: Any, path: Path, there: Outcome) -> bool:
    """Tell whether a loss is there only because of the part or item that holds the member."""
    for end in range(len(path) - 1, 1, -1):
        if not isinstance(path[end - 1], int):
            continue
        here = attempt(source, target, without(full, path[:end]))
        if here.refused:
            continue
        gone = [loss for loss in there.losses if loss not in here.losses]
        if any(loss.endswith("]") for loss in gone):
            return True
    return False

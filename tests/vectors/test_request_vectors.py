"""A client's request, and exactly what an upstream of another dialect is sent for it.

The vectors stand in `<client>__<upstream>/requests*.json`, one list to a file. Of each:

- `request` is what the client sent, `model` the upstream's model, `caps` what is known of it
  beyond the catalogue, `asked` the model a Gemini client named in the URL, `headers` the client's
- `built` is the whole body for the upstream, or the members `only` lists; `"ordered": true` makes
  the order of keys and the spelling of numbers count
- `refused` says which field of the request is at fault, and a piece of the message
- `losses` are the names in `X-Cliproxy-Dropped`, all of them
- `restore` maps the upstream's names of tools back, and `back` shows calls on their way back
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs, to_builtins

from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.errors import GatewayError
from cliproxy.dialects import Built, ParseMeta, get, where
from cliproxy.ir.caps import Caps, ThinkingCaps
from cliproxy.ir.events import ArgsDelta, BlockStart, BlockStop
from cliproxy.ir.restore import RestoreStream
from cliproxy.routing.catalog import caps_of

HERE = Path(__file__).parent
ANY = "<any>"
UPSTREAMS = {
    "openai_chat": ("openai-compatible", "https://llm.example/v1", "some-model"),
    "openai_responses": ("codex", "", "gpt-5.4"),
    "anthropic": ("claude", "", "claude-sonnet-4-5-20250929"),
    "gemini": ("gemini", "", "gemini-2.5-flash"),
    "interactions": ("gemini-interactions", "", "gemini-3-flash-preview"),
}
"""Provider, base URL and model of an upstream, unless a vector names another model."""
MEMBERS = {
    "name", "edges", "asked", "headers", "model", "caps", "request", "only", "ordered", "built",
    "losses", "restore", "back", "sent", "refused",
}  # fmt: skip

Vector = dict[str, Any]


def vectors() -> Iterator[Any]:
    for path in sorted(HERE.glob("*__*/requests*.json")):
        client, _, upstream = path.parent.name.partition("__")
        for vector in json.loads(path.read_bytes()):
            edges = "".join(f" edge-{number}" for number in vector.get("edges", ()))
            label = f"{client} to {upstream}: {vector['name']}{edges}"
            yield pytest.param(client, upstream, vector, id=label)


ALL = list(vectors())


def known(upstream: str, vector: Vector) -> Caps:
    """Return what the catalogue and the vector say about the upstream's model."""
    provider, base, usual = UPSTREAMS[upstream]
    account = Account("account", provider, "Account", base_url=base)
    found = caps_of(account, None, vector.get("model", usual))
    changes = dict(vector.get("caps", {}))
    if isinstance(changes.get("thinking"), dict):
        thinking = changes["thinking"]
        changes["thinking"] = ThinkingCaps(**{**thinking, "levels": tuple(thinking["levels"])})
    return structs.replace(found, **changes)


def translate(client: str, upstream: str, vector: Vector) -> tuple[Built, list[str]]:
    """Return what is sent, and the names of what is lost."""
    request = copy.deepcopy(vector["request"])
    meta = ParseMeta(
        model=vector.get("asked", "m") if client == "gemini" else None,
        headers=vector.get("headers", {}),
    )
    parsed = get(client.replace("_", "-")).parse(request, meta)
    built = get(upstream.replace("_", "-")).build(parsed, known(upstream, vector))
    assert request == vector["request"], "the client's request was changed"
    names = [loss.field for loss in where.named(parsed, built.losses)]
    return built, list(dict.fromkeys(names))


def matches(found: Any, wanted: Any) -> bool:
    if wanted == ANY:
        return found is not None
    if isinstance(wanted, dict) and isinstance(found, dict):
        return found.keys() == wanted.keys() and all(matches(found[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(matches, found, wanted))
    return type(found) is type(wanted) and bool(found == wanted)


def projected(body: Any, only: list[str] | None) -> Any:
    if only is None:
        return body
    return {key: body[key] for key in only if key in body}


def called(built: Built, call: Vector) -> Vector:
    """Return a call of the upstream as the client gets it."""
    start = BlockStart(0, "tool_call", id=call.get("id", "call_1"), name=call["name"])
    sent = [start, ArgsDelta(0, call["args"]), BlockStop(0)]
    events = RestoreStream(built.restore).feed(sent)
    begun = next(event for event in events if isinstance(event, BlockStart))
    found: Vector = {"name": begun.name}
    if begun.namespace:
        found["namespace"] = begun.namespace
    if begun.tool_kind != "function":
        found["kind"] = begun.tool_kind
    if begun.id != start.id:
        found["id"] = begun.id
    found["args"] = "".join(event.text for event in events if isinstance(event, ArgsDelta))
    return found


def restored(built: Built) -> Vector:
    """Return what is undone in the answer, without what is not."""
    tools = {name: to_builtins(tool) for name, tool in built.restore.tools.items()}
    for name, tool in built.restore.tools.items():
        if not tool.stand_ins:
            # An envelope of one upstream has some; no dialect does.
            tools[name].pop("stand_ins", None)
    for tool in tools.values():
        for key in ("namespace", "custom", "item", "types"):
            if not tool[key]:
                del tool[key]
    ids = {"ids": dict(built.restore.ids)} if built.restore.ids else {}
    return {**tools, **ids}


@pytest.mark.parametrize(("client", "upstream", "vector"), ALL)
def test_the_upstream_is_sent_what_the_vector_says(
    client: str, upstream: str, vector: Vector
) -> None:
    assert vector.keys() <= MEMBERS
    if refused := vector.get("refused"):
        with pytest.raises(GatewayError) as caught:
            translate(client, upstream, vector)
        assert caught.value.param == refused["field"]
        assert refused["message"] in str(caught.value)
        return
    built, losses = translate(client, upstream, vector)
    body = projected(built.body, vector.get("only"))
    if not matches(body, vector["built"]):
        assert body == vector["built"]
    if vector.get("ordered"):
        assert json.dumps_str(body) == json.dumps_str(vector["built"])
    assert sorted(losses) == sorted(vector["losses"])
    if "restore" in vector:
        assert restored(built) == vector["restore"]
    if "sent" in vector:
        assert built.headers == vector["sent"]
    for call in vector.get("back", ()):
        assert called(built, call) == call["becomes"]


@pytest.mark.parametrize(
    ("client", "upstream", "vector"), [p for p in ALL if "refused" not in p.values[2]]
)
def test_the_same_request_gives_the_same_bytes(client: str, upstream: str, vector: Vector) -> None:
    first, _ = translate(client, upstream, vector)
    again, _ = translate(client, upstream, vector)
    assert json.dumps(first.body) == json.dumps(again.body)


def test_every_pair_of_dialects_has_vectors() -> None:
    names = sorted(UPSTREAMS)
    pairs = {(a, b) for a in names for b in names if a != b}
    assert pairs - {param.values[:2] for param in ALL} == set()


def test_no_two_vectors_of_a_pair_have_one_name() -> None:
    told = [(*param.values[:2], param.values[2]["name"]) for param in ALL]
    assert sorted(told) == sorted(set(told))

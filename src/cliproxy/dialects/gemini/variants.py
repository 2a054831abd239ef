"""Where hosts of the Gemini API want the same body otherwise. All work on a freshly built one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cliproxy.base.json import Json, Obj
from cliproxy.dialects.gemini.wire import DUMMY_SIGNATURE


def cap_output(request: Obj, most: int | None) -> None:
    """Keep `maxOutputTokens` within a model's limit, which hosts otherwise refuse."""
    config = request.get("generationConfig")
    if most and isinstance(config, dict):
        asked = config.get("maxOutputTokens")
        if isinstance(asked, int) and asked > most:
            config["maxOutputTokens"] = most


def say_thoughts(request: Obj) -> None:
    """Turn thoughts into plain text: hosts that count them take no other."""
    for content in _contents(request):
        parts = [
            {k: v for k, v in part.items() if k not in {"thought", "thoughtSignature"}}
            for part in content["parts"]
        ]
        content["parts"] = [p for p in parts if p and p != {"text": ""}] or [{"text": ""}]


def drop_call_ids(request: Obj) -> None:
    """Leave out the ids of calls and results: they belong together by their order and names."""
    for content in _contents(request):
        for part in content["parts"]:
            for kind in ("functionCall", "functionResponse"):
                if isinstance(part.get(kind), dict):
                    part[kind] = {k: v for k, v in part[kind].items() if k != "id"}


def sign_calls(request: Obj) -> None:
    """Give the first call of each step the stand-in signature if it has none."""
    for content in _contents(request):
        if content.get("role") != "model":
            continue
        first = next((p for p in content["parts"] if "functionCall" in p), None)
        if first is not None:
            first.setdefault("thoughtSignature", DUMMY_SIGNATURE)


def _contents(request: Obj) -> Iterator[Obj]:
    """Yield the contents, each with parts that may be changed: the client's own are kept."""
    contents = request.get("contents")
    for content in contents if isinstance(contents, list) else ():
        if isinstance(content, dict) and isinstance(content.get("parts"), list):
            content["parts"] = [dict(p) for p in content["parts"] if isinstance(p, dict)]
            yield content


def functions(request: Obj) -> Iterator[Obj]:
    """Yield the declared functions."""
    tools = request.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        declared = tool.get("functionDeclarations") if isinstance(tool, dict) else None
        for function in declared if isinstance(declared, list) else ():
            if isinstance(function, dict):
                yield function


# ---- pictures from Imagen -----------------------------------------------------------------------
IMAGEN = re.compile(r"imagen", re.IGNORECASE)
"""Models that draw, and have an API of their own on Vertex AI."""


def to_prediction(request: Obj) -> Obj:
    """Return the request of Imagen's API: what the user said last is what is drawn."""
    prompt = ""
    for content in _contents(request):
        if content.get("role", "user") == "user":
            texts = [p["text"] for p in content["parts"] if isinstance(p.get("text"), str)]
            prompt = "\n".join(t for t in texts if t) or prompt
    config = request.get("generationConfig")
    config = config if isinstance(config, dict) else {}
    count = config.get("candidateCount")
    parameters: Obj = {"sampleCount": count if isinstance(count, int) and count > 0 else 1}
    image = config.get("imageConfig")
    if isinstance(image, dict) and isinstance(image.get("aspectRatio"), str):
        parameters["aspectRatio"] = image["aspectRatio"]
    return {"instances": [{"prompt": prompt}], "parameters": parameters}


def from_prediction(value: Obj) -> Obj:
    """Return an answer of Imagen's API as an ordinary one."""
    parts: list[Json] = []
    filtered = ""
    rows = value.get("predictions")
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        if isinstance(data := row.get("bytesBase64Encoded"), str) and data:
            blob = {"mimeType": row.get("mimeType") or "image/png", "data": data}
            parts.append({"inlineData": blob})
        filtered = filtered or str(row.get("raiFilteredReason") or "")
    candidate: Obj = {"index": 0, "finishReason": "STOP"}
    if parts:
        candidate["content"] = {"role": "model", "parts": parts}
    else:
        candidate["finishReason"] = "IMAGE_SAFETY"
        candidate["finishMessage"] = filtered or "No picture was made."
    return {"candidates": [candidate]}

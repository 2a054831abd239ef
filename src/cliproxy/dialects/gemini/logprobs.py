"""`logprobsResult` ⇄ the neutral log probabilities, which have the form of OpenAI's."""

from __future__ import annotations

from typing import Any

from cliproxy.base.json import Json, Obj


def read(result: Json) -> list[Json]:
    """Return the neutral entries, one for each token."""
    if not isinstance(result, dict):
        return []
    tops = _list(result.get("topCandidates"))
    found: list[Json] = []
    for number, chosen in enumerate(_list(result.get("chosenCandidates"))):
        entry = _entry(chosen)
        if entry is None:
            continue
        top = tops[number] if number < len(tops) else None
        others = _list(top.get("candidates")) if isinstance(top, dict) else []
        found.append({**entry, "top_logprobs": [e for o in others if (e := _entry(o))]})
    return found


def _entry(wire: Json) -> Obj | None:
    if not isinstance(wire, dict) or not isinstance(token := wire.get("token"), str):
        return None
    data = list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "bytes": data, "logprob": wire.get("logProbability") or 0}


def write(details: dict[str, Any] | None) -> Obj | None:
    """Return a `logprobsResult` from what a finish tells, None where it tells nothing."""
    told = (details or {}).get("logprobs")
    entries = _list(told.get("content")) if isinstance(told, dict) else []
    entries = [entry for entry in entries if isinstance(entry, dict)]
    if not entries:
        return None
    tops = [_list(entry.get("top_logprobs")) for entry in entries]
    result: Obj = {"chosenCandidates": [_candidate(entry) for entry in entries]}
    if any(tops):
        result["topCandidates"] = [
            {"candidates": [_candidate(one) for one in top if isinstance(one, dict)]}
            for top in tops
        ]
    return result


def _candidate(entry: Obj) -> Obj:
    return {"token": entry.get("token"), "logProbability": entry.get("logprob")}


def _list(value: Json) -> list[Any]:
    return value if isinstance(value, list) else []

"""How much of a Claude subscription is left, and which models it has."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from cliproxy.account.credential import moment
from cliproxy.base.json import Obj, text_in
from cliproxy.login.claude.answers import API, VERSIONED, object_in, problem, profile
from cliproxy.login.flow import ModelFound, Report, Setting, Talk, Window, bearer, get, name_part

_PAGES: Final = 20
_WINDOWS: Final[dict[str, tuple[str, str, float, tuple[str, ...]]]] = {
    "five_hour": ("5h", "5 hours", 18000.0, ()),
    "seven_day": ("7d", "7 days", 604800.0, ()),
    "seven_day_opus": ("7d_opus", "7 days, Opus", 604800.0, ("*opus*",)),
    "seven_day_sonnet": ("7d_sonnet", "7 days, Sonnet", 604800.0, ("*sonnet*",)),
    "seven_day_oauth_apps": ("7d_oauth_apps", "7 days, other apps", 604800.0, ()),
    "seven_day_cowork": ("7d_cowork", "7 days, Cowork", 604800.0, ()),
}
_KINDS: Final = {"session": "five_hour", "weekly_all": "seven_day"}


def quota(token: str, setting: Setting) -> Talk[Report]:
    """Ask how much of each window is used, and which plan it is."""
    url = setting.endpoints.get("quota") or setting.api(API, "/api/oauth/usage")
    answer = yield get(url, {**bearer(token), **VERSIONED})
    if not answer.ok:
        raise problem(answer, "Anthropic does not tell what is left")
    told = answer.object()
    who = yield from profile(token, setting)
    return Report(plan=who.get("plan_type", ""), windows=_windows(told), credits=_credits(told))


def _windows(told: Obj) -> tuple[Window, ...]:
    found: dict[str, Window] = {}
    for key, value in told.items():
        if not isinstance(value, dict) or "utilization" not in value or key == "extra_usage":
            continue
        week = key.startswith("seven_day_")
        named = key.removeprefix("seven_day_").replace("_", " ")
        name, label, period, models = _WINDOWS.get(
            key,
            (f"7d_{key.removeprefix('seven_day_')}", f"7 days, {named}", 604800.0, ())
            if week
            else (key, named, None, ()),
        )
        used = _number(value.get("utilization"))
        reset = moment(value.get("resets_at"))
        found[name] = Window(
            name, label, used_percent=used, reset_at=reset, period_seconds=period, models=models
        )
    limits = told.get("limits")
    for row in limits if isinstance(limits, list) else ():
        if isinstance(row, dict) and (window := _scoped(row)) is not None:
            found.setdefault(window.id, window)
    return tuple(found.values())


def _scoped(row: Obj) -> Window | None:
    """Read a row of the newer list, which knows weekly limits of single models."""
    kind = text_in(row, "kind")
    used, reset = _number(row.get("percent")), moment(row.get("resets_at"))
    if kind in _KINDS:
        name, label, period, models = _WINDOWS[_KINDS[kind]]
    elif kind == "weekly_scoped":
        model = object_in(object_in(row, "scope"), "model")
        title = text_in(model, "display_name", "id") or text_in(row, "group")
        if not title:
            return None
        name, label = f"7d_{name_part(title.lower()).strip('_')}", f"7 days, {title}"
        known = text_in(model, "id")
        period, models = 604800.0, (known,) if known else (f"*{title.lower()}*",)
    else:
        return None
    return Window(
        name, label, used_percent=used, reset_at=reset, period_seconds=period, models=models
    )


def _credits(told: Obj) -> Obj:
    extra = object_in(told, "extra_usage")
    return {"extra_usage": extra} if extra else {}


def _number(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good else None  # type: ignore[arg-type]


def models(token: str, setting: Setting) -> Talk[list[ModelFound]]:
    """Ask which models there are."""
    base = setting.endpoints.get("models") or setting.api(API, "/v1/models")
    found: dict[str, ModelFound] = {}
    after = ""
    for _ in range(_PAGES):
        query = {"limit": "1000", **({"after_id": after} if after else {})}
        answer = yield get(f"{base}?{urlencode(query)}", {**bearer(token), **VERSIONED})
        if not answer.ok:
            raise problem(answer, "Anthropic does not tell which models there are")
        told = answer.object()
        rows = told.get("data")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and (name := text_in(row, "id")):
                found[name] = ModelFound(
                    name,
                    display_name=text_in(row, "display_name"),
                    context_length=int(_number(row.get("max_input_tokens")) or 0),
                    max_output_tokens=int(_number(row.get("max_tokens")) or 0),
                    owned_by="anthropic",
                    created=int(moment(row.get("created_at")) or 0),
                )
        last = text_in(told, "last_id")
        if told.get("has_more") is not True or not last or last == after:
            break
        after = last
    return list(found.values())

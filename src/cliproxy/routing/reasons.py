"""What a failure says about the account that it came from: tables, and the owner's own rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct

from cliproxy.base.errors import GatewayError, UpstreamError, UpstreamRefused

Reason = Literal[
    "rate_limit",
    "authentication",
    "billing",
    "permission",
    "not_found",
    "challenge",
    "transient",
]

PASSING: Final = frozenset({"transient", "challenge"})
"""Reasons that are over soon: a conversation keeps its account."""
RETRIED: Final = frozenset({403, 408, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which all accounts may be tried once more."""

_WHOLE_ACCOUNT: Final = frozenset({"authentication", "billing"})
_FAULTS: Final = frozenset({400, 405, 406, 409, 411, 413, 414, 415, 422})
"""The request's own faults, which say nothing about an account."""
_BILLING: Final = frozenset(
    {"insufficient_quota", "insufficient_balance", "billing_error", "billing_not_active",
     "billing_hard_limit_reached", "credit_balance_too_low"}
)  # fmt: skip
_WHOLE_LIMIT: Final = frozenset({"usage_limit_reached", "usage_not_included"})
"""Limits of a subscription, whatever the model."""
_OF_REQUEST: Final = frozenset(
    {"context_length_exceeded", "context_too_large", "string_above_max_length",
     "content_policy_violation", "content_filter", "cyber_policy", "invalid_prompt",
     "invalid_image", "image_too_large"}
)  # fmt: skip
"""Codes of a request's own faults, whatever the status."""
_UNKNOWN_MODEL: Final = frozenset(
    {"model_not_found", "model_not_supported", "unsupported_model", "model_not_available"}
)
_OTHER_THINGS: Final = re.compile(
    r"\b(items?|responses?|conversations?|files?|containers?|cached ?contents?)\b", re.IGNORECASE
)
_MODEL_GONE: Final = re.compile(
    r"(?:^|[.:!] )(?:the |this |your )?(?:requested )?model\b.{0,120}?"
    r"(?:is|was) (?:not (?:supported|available)|unsupported)\b|\bunsupported model\b",
    re.IGNORECASE,
)
_NO_CREDIT: Final = re.compile(r"\bcredit balance is too low\b", re.IGNORECASE)
_EXTRA: Final = re.compile(r"\bfast (?:mode|request)\b", re.IGNORECASE)
"""A limit of something the request asked for on top."""
_CAPACITY: Final = frozenset({"model_capacity_exhausted", "model_capacity_exceeded"})
"""Google: the servers are full, whoever asks."""
_OWNERS: Final = frozenset({"validation_required", "deactivated_workspace"})
"""Only the account's owner can do something about it."""
_TERMS: Final = re.compile(r"\bviolation of terms of service\b", re.IGNORECASE)
_NONE_AT_ALL: Final = re.compile(r"\blimit: 0\b")
"""Google: the plan does not have the model."""
_OTHER_CLIENTS: Final = re.compile(
    r"only authorized for use with Claude Code|third-party apps now draw from your extra usage",
    re.IGNORECASE,
)
"""Anthropic: a subscription does not serve this client; a key may."""
_BOT_CHECK: Final = "a bot-check page"


def reason_for(error: GatewayError) -> Reason | None:
    """Name what a failure says about the account; None when it says nothing."""
    if not isinstance(error, UpstreamError) or at_fault(error):
        return None
    code, status = (error.code or "").lower(), error.status
    if status in _FAULTS:
        return _despite(error, code)
    if status == 402 or code in _BILLING:
        return "billing"
    if _BOT_CHECK in error.message:
        return "challenge"
    if code in _CAPACITY:
        return "transient"
    if code in _OWNERS or (status == 403 and _TERMS.search(error.message)):
        return "authentication"
    if status == 429 and _NONE_AT_ALL.search(error.message):
        return "not_found"
    match status:
        case 401:
            return "authentication"
        case 403:
            return "permission"
        case 404:
            # Something else than the model was looked for: another request will find its own.
            elsewhere = code != "model_not_found" and _OTHER_THINGS.search(error.message)
            return None if elsewhere else "not_found"
        case 429:
            return "rate_limit"
        case _:
            return "transient"


def _despite(error: GatewayError, code: str) -> Reason | None:
    """Name what is the account's fault although the status blames the request."""
    if error.status not in {400, 422}:
        return None
    if code == "invalid_grant":
        return "authentication"
    if code in _BILLING or _NO_CREDIT.search(error.message):
        return "billing"
    if code in _UNKNOWN_MODEL or _MODEL_GONE.search(error.message):
        return "not_found"
    return None


def at_fault(error: GatewayError) -> bool:
    """Tell whether a status that blames the account hides a fault of the request."""
    code = (error.code or "").lower()
    if error.status == 429:
        return _EXTRA.search(error.message) is not None
    return code in _OF_REQUEST and error.status not in {401, 402}


def goes_on(error: GatewayError) -> bool:
    """Tell whether another account may do better."""
    if not isinstance(error, UpstreamError):
        return error.next_account
    if error.status in _FAULTS:
        return (
            error.next_account
            or reason_for(error) is not None
            or _OTHER_CLIENTS.search(error.message) is not None
        )
    return (error.next_account or reason_for(error) is not None) and not at_fault(error)


def about_account(error: GatewayError) -> bool:
    """Tell whether a failure is that of the whole account, whatever was asked of it."""
    return reason_for(error) in _WHOLE_ACCOUNT


def about_limits(error: GatewayError) -> bool:
    """Tell whether a failure is more than a stumble."""
    return reason_for(error) in _WHOLE_ACCOUNT | {"rate_limit"}


def is_whole(reason: Reason, error: GatewayError) -> bool:
    """Tell whether a reason holds for everything the account serves."""
    return reason in _WHOLE_ACCOUNT or (
        reason == "rate_limit" and (error.code or "").lower() in _WHOLE_LIMIT
    )


# ---- the owner's rules ------------------------------------------------------------------------
class ErrorRule(Struct, frozen=True):
    """What the owner wants done about some errors of an account."""

    status: int
    stop: bool
    cool: bool
    words: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    def covers(self, error: GatewayError) -> bool:
        """Tell whether the rule is about this error."""
        if error.status != self.status:
            return False
        if not self.words and not self.patterns:
            return True
        raw = error.raw if isinstance(error, UpstreamRefused) else None
        text = error.message if raw is None else raw.decode("utf-8", "replace")
        return any(w in text for w in self.words) or any(p.search(text) for p in self.patterns)


def error_rules(written: Iterable[Any]) -> tuple[ErrorRule, ...]:
    """Read the `request-scoped-errors` of an entry; what is not a rule is left out."""
    rules = []
    for row in written:
        if not isinstance(row, dict):
            continue
        action = str(row.get("action", "stop")).strip().lower()
        try:
            status = int(row.get("status", 0))
        except (TypeError, ValueError):
            continue
        rules.append(
            ErrorRule(
                status,
                stop=action.startswith("stop"),
                cool=action.endswith("-and-cooldown"),
                words=_texts(row.get("match")),
                patterns=tuple(_pattern(text) for text in _texts(row.get("match-regexr"))),
            )
        )
    return tuple(rules)


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(str(item) for item in items if item)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))

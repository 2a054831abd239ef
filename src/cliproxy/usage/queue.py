"""The latest requests for programs that keep statistics of their own: what is taken is gone.

In memory, for a short time, and never more than fits. While somebody listens, nothing is put by:
what listeners took is not there to be taken.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from cliproxy.base import json
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.json import Obj
from cliproxy.usage.channel import Channel
from cliproxy.usage.record import NOBODY, Record, Tokens
from cliproxy.usage.snapshot import timestamp

MOST: Final = 20_000
DEFAULT: Final = 60
LONGEST: Final = 3600


def retention(seconds: int) -> int:
    """Return how long records wait: at most an hour; nothing sensible means a minute."""
    return DEFAULT if seconds <= 0 else min(seconds, LONGEST)


class UsageQueue:
    """Records in the order in which requests ended.

    Attributes:
        live: who gets records at once, in place of whoever would take them out later.
    """

    def __init__(self, seconds: int = DEFAULT, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.seconds = retention(seconds)
        self.live = Channel()
        self._clock = clock
        self._waiting: deque[tuple[float, Record]] = deque(maxlen=MOST)

    def add(self, record: Record) -> None:
        """Give a record to those who listen; where nobody does, let it wait to be taken."""
        if self.live and self.live.tell(json.dumps(told(record))):
            return
        now = self._clock.monotonic()
        self._waiting.append((now, record))
        oldest = now - self.seconds
        while self._waiting[0][0] < oldest:
            self._waiting.popleft()

    def take(self, count: int = 1) -> list[Obj]:
        """Take the oldest records out and return them as consumers read them."""
        oldest = self._clock.monotonic() - self.seconds
        taken: list[Obj] = []
        while self._waiting and len(taken) < count:
            since, record = self._waiting.popleft()
            if since >= oldest:
                taken.append(told(record))
        return taken

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)


def told(record: Record) -> Obj:
    """Write a record as consumers of the queue read it."""
    tokens, who = record.tokens, record.who
    first = record.first_seconds
    return {
        "timestamp": timestamp(record.nanoseconds),
        "latency_ms": int(record.seconds * 1000),
        "ttft_ms": int((first or 0) * 1000),
        "source": who.source,
        "auth_index": who.auth_index,
        "client_ip": record.address,
        "x_forwarded_for": "",
        "user_agent": record.user_agent,
        "tokens": {
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "reasoning_tokens": tokens.reasoning,
            "cached_tokens": tokens.cached,
            "cache_read_tokens": tokens.cached,
            "cache_read_tokens_present": tokens.quality != "none",
            "cache_creation_tokens": tokens.cache_write,
            "total_tokens": tokens.total,
        },
        "failed": record.failed,
        "generate": record.operation == "generate",
        "fail": {
            "status_code": record.status if record.failed else 200,
            "body": record.error if record.failed else "",
        },
        "accounting_version": 2,
        "token_breakdown": _breakdown(tokens),
        "provider": who.provider or NOBODY,
        "executor_type": record.upstream or NOBODY,
        "model": record.named,
        "alias": record.model or record.named,
        "endpoint": record.endpoint,
        "auth_type": who.auth_type or NOBODY,
        "api_key": record.client,
        "request_id": record.id,
        "reasoning_effort": "",
        "service_tier": "",
    }


def _breakdown(tokens: Tokens) -> Obj:
    plain = tokens.input - tokens.cached - tokens.cache_write
    spoken = tokens.output - tokens.reasoning
    quality = "complete" if tokens.quality == "complete" else "unclassified"
    if plain < 0 or spoken < 0:
        quality = "inconsistent"
    read, write, reasoning = tokens.cached, tokens.cache_write, tokens.reasoning
    if plain < 0:
        plain, read, write = tokens.input, 0, 0
    if spoken < 0:
        spoken, reasoning = tokens.output, 0
    return {
        "schema_version": 2,
        "quality": quality,
        "total_tokens": tokens.input + tokens.output,
        "input": {
            "total_tokens": tokens.input,
            "uncached_tokens": plain,
            "cache_read_tokens": read,
            "cache_write_tokens": write,
        },
        "output": {
            "total_tokens": tokens.output,
            "non_reasoning_tokens": spoken,
            "reasoning_tokens": reasoning,
        },
        "unclassified_tokens": 0,
    }

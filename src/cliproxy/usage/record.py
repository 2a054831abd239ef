"""One request that is over, in the form in which it is kept."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

from msgspec import Struct

from cliproxy.account.index import auth_index
from cliproxy.account.model import Account
from cliproxy.base.redact import mask
from cliproxy.ir.usage import IRUsage

Quality = Literal["complete", "partial", "none"]

LEFT: Final = 499
"""The status of a request whose client went away before its answer was complete."""
NOBODY: Final = "unknown"

_MARK: Final = re.compile(r".{0,12}…[^#]{0,8}#[0-9a-f]{8}")


class Who(Struct, frozen=True):
    """The account that answered, as far as it is shown to the owner."""

    account: str = ""
    provider: str = ""
    source: str = ""
    """How the owner calls it: the e-mail of a login, the label of a key."""
    auth_index: str = ""
    auth_type: str = ""


class Tokens(Struct, frozen=True):
    """Tokens of one answer: `input` includes what the cache took, `output` includes reasoning."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    """Those of `cache_write` that are kept for an hour."""
    output: int = 0
    reasoning: int = 0
    quality: Quality = "none"
    """What the upstream told: both sums, one of them, or nothing."""
    stated: int = 0
    """The total as an import has it; 0 = input plus output."""

    @property
    def total(self) -> int:
        """Input plus output."""
        return self.stated or self.input + self.output


NOTHING: Final = Tokens()


class Record(Struct):
    """One request. It holds no bodies and no keys."""

    id: str
    at: float
    """Unix seconds when it came."""
    seconds: float
    client: str
    who: Who
    model: str
    """As the client called it."""
    served: str
    """As the upstream calls it; "" when nobody was asked."""
    dialect: str
    upstream: str
    """The dialect of the upstream."""
    endpoint: str
    operation: str
    stream: bool
    status: int
    attempts: int
    fidelity: str
    tokens: Tokens = NOTHING
    first_seconds: float | None = None
    """From the request to the first token of a stream."""
    error: str = ""
    address: str = ""
    user_agent: str = ""
    at_ns: int = 0
    """The same moment as `at`, where more digits are known."""

    @property
    def failed(self) -> bool:
        """Whether the client did not get a complete answer."""
        return self.status >= 400

    @property
    def named(self) -> str:
        """The model it is counted under."""
        return self.served or NOBODY

    @property
    def nanoseconds(self) -> int:
        """Unix nanoseconds when it came."""
        return self.at_ns or int(self.at * 1e9)


def tokens_of(usage: IRUsage) -> Tokens:
    """Turn what an upstream told into counts."""
    known = (usage.input_total is not None) + (usage.output_total is not None)
    if not known:
        return NOTHING
    return Tokens(
        input=usage.input_total or 0,
        cached=usage.cache_read or 0,
        cache_write=usage.cache_write or 0,
        cache_write_1h=min(usage.cache_write_1h or 0, usage.cache_write or 0),
        output=usage.output_total or 0,
        reasoning=usage.reasoning or 0,
        quality="complete" if known == 2 else "partial",
    )


def client_mark(key: str) -> str:
    """Return what stands for a client key for ever: enough to know it by, too little to use it."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=4)
    return f"{mask(key)}#{digest.hexdigest()}"


def is_mark(text: str) -> bool:
    """Tell whether a text is a `client_mark` already."""
    return _MARK.fullmatch(text) is not None


def who(account: Account, auth_dir: str = "") -> Who:
    """Return what is shown of an account."""
    return Who(
        account.id,
        account.provider,
        account.label,
        auth_index(account, auth_dir),
        "apikey" if account.kind == "key" else account.kind,
    )

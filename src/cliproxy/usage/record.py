"""One request that is over, in the form in which it is kept."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from cliproxy.account.index import auth_index
from cliproxy.account.model import Account
from cliproxy.base.files import atomic_write, read_file
from cliproxy.base.redact import mask
from cliproxy.ir.usage import IRUsage

Quality = Literal["complete", "partial", "none"]

LEFT: Final = 499
"""The status of a request whose client went away before its answer was complete."""
NOBODY: Final = "unknown"

BESIDE: Final = "usage.key"
"""The file beside `usage.db` without which nobody can try out which key a mark stands for."""
_LONG: Final = 32
_SHORTEST: Final = 16
_LONGEST: Final = 1024
_log: Final = logging.getLogger(__name__)
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


class Marks:
    """Makes what stands for client keys for ever: enough to know one by, too little to use it.

    The digest in a mark takes a secret of this installation, made when the first mark is: a short
    key could be found by trying otherwise. Without a folder, and where it cannot be written to,
    marks are good for one run of the program.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def __call__(self, key: str) -> str:
        """Return what stands for a key."""
        said = key.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(said, key=self._secret, digest_size=4)
        return f"{mask(key)}#{digest.hexdigest()}"

    @cached_property
    def _secret(self) -> bytes:
        if self._folder is None:
            return secrets.token_bytes(_LONG)
        try:
            found = _kept(self._folder / BESIDE)
        except OSError as err:
            _log.warning("%s cannot be kept: %s", self._folder / BESIDE, err)
            return secrets.token_bytes(_LONG)
        # More than that is no key of a digest.
        return hashlib.blake2b(found).digest()


def _kept(path: Path) -> bytes:
    """Return the secret of an installation; the first who asks makes it. Raises `OSError`."""
    found = _read(path)
    if len(found) >= _SHORTEST:
        return found
    if path.exists():
        # A power cut, or a disk that was full.
        path.unlink(missing_ok=True)
    own = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    made = secrets.token_bytes(_LONG)
    atomic_write(own, made)
    try:
        # Where another process was faster, its secret is everybody's.
        os.link(own, path)
    except FileExistsError:
        return _read(path) or made
    except OSError:
        # There are file systems without links.
        own.replace(path)
    finally:
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)
    return made


def _read(path: Path) -> bytes:
    try:
        return read_file(path, _LONGEST)
    except FileNotFoundError:
        return b""


def is_mark(text: str) -> bool:
    """Tell whether a text stands for a key already, here or in another installation."""
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

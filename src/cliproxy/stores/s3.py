"""Accounts and configuration in a bucket of S3, or of whatever speaks like it.

Servers differ in whether they compare before they write; it is tried out when the store is opened.
Where they do not, a file is looked at right before it is written, which two writers at the same
moment can slip through. obstore is imported when a store is opened, and here alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cliproxy.base.redact import Secret
from cliproxy.stores.base import (
    AUTHS,
    CONFIG,
    MOST,
    PATIENCE,
    Away,
    Blob,
    Conflict,
    MissingExtra,
    Refused,
    StoreError,
    Unstorable,
)

_log: Final = logging.getLogger("cliproxy.stores")
POLL: Final = 15.0
"""Seconds between two looks for changes: each is a request that its owner may be charged for."""
_PROBE: Final = f"{AUTHS}.cliproxy-probe"
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_REGION: Final = re.compile(r"<Region>([\w-]+)</Region>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_IN_HOST: Final = re.compile(r"(?:^|\.)s3[.-](?!dualstack)([a-z]{2}[a-z-]*-[a-z0-9-]+)\.")
_HOME: Final = "us-east-1"
_NO_KEY: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"}
)
_LATER: Final = frozenset(
    {"429", "500", "502", "503", "504", "SlowDown", "InternalError", "ServiceUnavailable"}
)
"""Answers of servers that may do it later."""


class S3Store:
    """Objects `config/config.yaml` and `auths/…`, where CLIProxyAPI has them."""

    def __init__(
        self, endpoint: str, bucket: str, key: str, secret: str, *, poll: float = POLL
    ) -> None:
        """Take what the environment says. Raises `Refused` for an address that is none."""
        self._endpoint = _address(endpoint)
        self._bucket = bucket
        self._key, self._secret = Secret(key), Secret(secret)
        self._poll = poll
        self._compares = True
        self._tried = False
        self._made = True
        """A bucket that is missing is made."""
        host = urlsplit(self._endpoint).netloc
        self._region = found[1] if (found := _IN_HOST.search(host)) else _HOME
        self.title = self.identity = f"the bucket {bucket} at {host}"
        self.at_once = 8
        self._client: Any = None

    async def open(self, *, make: bool = True) -> None:
        """Look into the bucket, and make it where it is missing."""
        self._client = self._connected()
        try:
            await self._look(make=make)
        except _WrongRegion as err:
            self._region = err.region
            self._client = self._connected()
            await self._look(make=make)
        if self._tried:
            return
        if not make:
            # Not tried out, as that would write; looking first is right everywhere.
            self._compares = False
            return
        self._compares = await self._probe()
        self._tried = True
        if not self._compares:
            _log.warning("%s does not compare before it writes: have one writer only", self.title)

    def _connected(self) -> Any:
        library = _library()
        return library.store.S3Store(
            self._bucket,
            endpoint=self._endpoint,
            access_key_id=self._key.reveal(),
            secret_access_key=self._secret.reveal(),
            region=self._region,
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": True,
                "connect_timeout": "5s",
                "timeout": f"{PATIENCE:.0f}s",
            },
            retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=PATIENCE)},
        )

    async def _look(self, *, make: bool) -> None:
        self._made = make
        await self.list()

    def _make_bucket(self) -> None:
        library = _library()
        body = b""
        if self._region != _HOME and ".amazonaws.com" in self._endpoint:
            body = (
                "<CreateBucketConfiguration><LocationConstraint>"
                f"{self._region}</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        with self._mapped():
            url = library.sign(self._client, "PUT", "", timedelta(minutes=5))
        request = urllib.request.Request(url, body, method="PUT")  # noqa: S310  # checked when taken
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
                _log.info("%s was made", self.title)
        except urllib.error.HTTPError as err:
            with err:
                told = _CODE.search(err.read().decode("utf-8", "replace"))
            code = told[1] if told else str(err.code)
            if not code.startswith("BucketAlready"):
                raise Refused(
                    f"{self.title} does not exist and cannot be made ({code}).",
                    "Make it, or correct OBJECTSTORE_BUCKET.",
                ) from None
        except OSError as err:
            raise self._away(type(err).__name__) from None

    async def _probe(self) -> bool:
        """Try out whether the server compares before it writes."""
        exceptions = _library().exceptions
        try:
            with self._mapped():
                try:
                    # One that was left behind says nothing of the second condition.
                    with contextlib.suppress(exceptions.AlreadyExistsError):
                        await self._client.put_async(_PROBE, b"{}", mode="create")
                    await self._client.put_async(_PROBE, b"{}", mode={"e_tag": '"0"'})
                except (
                    exceptions.PreconditionError,
                    # Another one who tried it out has just removed it.
                    FileNotFoundError,
                ):
                    return True
                finally:
                    await self._client.delete_async(_PROBE)
        except Away as err:
            if not isinstance(err, _Answered):
                raise  # of conditions that says nothing
            _log.debug("%s says of conditions: %s", self.title, err)
        except StoreError as err:
            _log.debug("%s says of conditions: %s", self.title, err)
        return False

    async def close(self) -> None:
        """Let go of connections."""
        self._client = None

    async def list(self) -> dict[str, str]:
        """Return the version of every file by its name."""
        client = self._open()
        try:
            return await self._listed(client)
        except _NoBucket:
            # Somebody has removed it: it is empty then, as one that is new.
            if not self._made:
                raise
            await asyncio.to_thread(self._make_bucket)
            return await self._listed(client)
        except Unstorable as err:
            raise Refused(
                f"{self.title} holds an object under auths/ whose name cannot be used.",
                "Remove it; there is '..' or '//' in its name.",
            ) from err

    async def _listed(self, client: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        async with self._bounded():
            async for some in client.list(prefix=AUTHS.rstrip("/")):
                found |= {one["path"]: _version(one) for one in some if one["path"] != _PROBE}
            with contextlib.suppress(FileNotFoundError):
                found[CONFIG] = _version(await client.head_async(CONFIG))
        return found

    async def get(self, name: str, *, fresh: bool = True) -> Blob | None:
        """Return one file."""
        del fresh
        client = self._open()
        async with self._bounded():
            try:
                answer = await client.get_async(name)
                if answer.meta["size"] > MOST:
                    raise Unstorable(f"{name} in {self.title} is larger than {MOST} bytes.")
                data = bytes(await answer.bytes_async())
            except FileNotFoundError:
                return None
        return Blob(data, _version(answer.meta))

    async def put(self, name: str, data: bytes, *, if_version: str | None) -> str:
        """Write a file; see `Store.put`."""
        client, exceptions = self._open(), _library().exceptions
        mode: Any = "create" if if_version is None else {"e_tag": f'"{if_version}"'}
        if not self._compares:
            mode = "overwrite"
            now = await self._now(name)
            if now != if_version:
                raise Conflict
        kind = "application/x-yaml" if name == CONFIG else "application/json"
        async with self._bounded():
            try:
                written = await client.put_async(
                    name, data, mode=mode, attributes={"Content-Type": kind}, use_multipart=False
                )
            except (
                exceptions.AlreadyExistsError,
                exceptions.PreconditionError,
                # Of what is gone, some say that instead.
                FileNotFoundError,
            ) as err:
                raise Conflict from err
        return _version(written)

    async def _now(self, name: str) -> str | None:
        async with self._bounded():
            try:
                return _version(await self._open().head_async(name))
            except FileNotFoundError:
                return None

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        there = await self._now(name) is not None
        if there:
            async with self._bounded():
                await self._open().delete_async(name)
        return there

    async def watch(self) -> None:
        """Return after the pause between two looks: a bucket tells nobody."""
        await asyncio.sleep(self._poll)

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Do nothing: a bucket has no locks."""
        del name
        yield

    def _open(self) -> Any:
        if self._client is None:
            raise Away(f"{self.title} is not connected")
        return self._client

    @contextlib.asynccontextmanager
    async def _bounded(self) -> AsyncGenerator[None, None]:
        with self._mapped():
            async with asyncio.timeout(PATIENCE):
                yield

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[None]:
        """Turn what the library raises into errors of ours; its words hold what was signed."""
        exceptions = _library().exceptions
        kept = (exceptions.AlreadyExistsError, exceptions.PreconditionError)
        try:
            yield
        except kept:
            raise
        except (ValueError, exceptions.InvalidPathError, exceptions.NotSupportedError) as err:
            raise Unstorable(f"{self.title} cannot hold a file of such a name.") from _bare(err)
        except (exceptions.BaseError, OSError, TimeoutError) as err:
            raise self._told(err) from _bare(err)

    def _told(self, err: Exception) -> StoreError:
        text = str(err)
        code = found[1] if (found := _CODE.search(text)) else ""
        status = found[1] if (found := _STATUS.search(text)) else ""
        if code == "NoSuchBucket":
            return _NoBucket(f"{self.title} does not exist.", "Make it.")
        region = _REGION.search(text)
        if region is not None and region[1] != self._region:
            return _WrongRegion(self.title, region[1])
        if code in _NO_KEY or status in ("401", "403"):
            return Refused(
                f"{self.title} refuses the access key or what it may do ({code or status}).",
                "Correct OBJECTSTORE_ACCESS_KEY and OBJECTSTORE_SECRET_KEY, "
                "or let the key list, read, write and delete.",
            )
        if isinstance(err, TimeoutError):
            return self._away("no answer in time")
        answered = bool(code or status) and status not in _LATER and code not in _LATER
        return self._away(code or status or type(err).__name__, _Answered if answered else Away)

    def _away(self, why: str, kind: type[Away] = Away) -> Away:
        return kind(
            f"{self.title} cannot be reached ({why}).", "Start it, or correct OBJECTSTORE_ENDPOINT."
        )


class _Answered(Away):
    """The server understands what is asked, and does not do it."""


class _NoBucket(Away):
    """There is no such bucket."""


class _WrongRegion(Away):
    """The bucket is in another region."""

    def __init__(self, title: str, region: str) -> None:
        super().__init__(f"{title} is in the region {region}.")
        self.region = region


def _library() -> Any:
    try:
        import obstore  # noqa: PLC0415  # only where it is configured
        import obstore.exceptions  # noqa: PLC0415
        import obstore.store  # noqa: PLC0415
    except ImportError as err:
        raise MissingExtra("s3", "OBJECTSTORE_ENDPOINT") from err
    return obstore


def _address(endpoint: str) -> str:
    written = endpoint if "://" in endpoint else f"https://{endpoint}"
    try:
        parts = urlsplit(written)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.path.strip("/") or parts.query:
        raise Refused("OBJECTSTORE_ENDPOINT cannot be used.", "Write it as https://HOST:PORT.")
    return f"{parts.scheme}://{parts.netloc}"


def _version(meta: Any) -> str:
    # Some quote it in one place and not in another.
    return str(meta["e_tag"] or "").removeprefix("W/").strip('"')


def _bare(err: BaseException) -> BaseException:
    """Return a stand-in for an error of the library, with its type alone."""
    return RuntimeError(type(err).__name__)

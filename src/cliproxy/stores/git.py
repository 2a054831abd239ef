"""Accounts and configuration on a branch of a git repository.

A branch is one file that is replaced as a whole: a push names the commit that it was made from, and
the server takes it or does not. Commits have no parents, so that old tokens do not stay in a
history; where a server insists on one, they have. Nothing of the repository is kept on the disk.
dulwich is imported when a store is opened, and here alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from cliproxy.base.clock import SYSTEM_CLOCK
from cliproxy.base.redact import Secret
from cliproxy.stores.base import (
    AUTHS,
    CONFIG,
    PATIENCE,
    Away,
    Blob,
    Conflict,
    MissingExtra,
    Refused,
    StoreError,
)

POLL: Final = 30.0
"""Seconds between two looks for changes."""
_TRIES: Final = 8
_FILE: Final = 0o100644
_WHO: Final = b"cliproxy <cliproxy@local>"
_FIRST: Final = ("auths/.gitkeep", "config/.gitkeep")
_FORWARD: Final = ("non-fast-forward", "protected branch", "force", "hook declined")
"""What servers say that want a history."""
_RACE: Final = (
    "lock",
    "stale",
    "failed to update",
    "changed",
    "unable to set",
    "reference already",
)
"""What servers say when somebody was faster."""
T = TypeVar("T")
_Objects = list[Any]
_Hashes = list[bytes]


class GitStore:
    """A branch with `config/config.yaml` and `auths/`, where CLIProxyAPI has them."""

    def __init__(
        self, url: str, username: str = "", token: str = "", branch: str = "", *, poll: float = POLL
    ) -> None:
        """Take what the environment says; user and password may stand in the address."""
        self._url, inside = _without_user(url)
        self._username = username or (inside[0] if inside[1] else "") or "git"
        self._token = Secret(token or inside[1])
        self._branch = branch
        self._poll = poll
        self.title = f"the git repository {_shown(self._url)}"
        self.identity = f"{self.title} {branch}"
        # One thread at a time, and not one of those that look up addresses and write files for all.
        self.at_once = 1
        self._opened = 0
        """How often it was opened, while it is."""
        self._times = 0
        self._at_work = threading.Lock()
        self._ref = b""
        self._head: bytes | None = None
        self._files: dict[str, tuple[int, bytes]] = {}
        """Mode and blob of every file by its path."""
        self._objects: Any = None
        self._known: set[bytes] = set()
        """Objects that the server has."""
        self._pool: Any = None
        """Connections by HTTP."""
        self._answer: Any = None
        self._linear = False
        """Commits have parents, as the server insists."""

    async def open(self, *, make: bool = True) -> None:
        """Look at the branch; an empty repository gets a first commit."""
        self._times += 1
        self._opened = self._times
        try:
            await self._in_thread(lambda: self._begin(make=make))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of connections, and of what was fetched."""
        self._head, self._files, self._objects = None, {}, None
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()
        self._opened = 0

    async def list(self) -> dict[str, str]:
        """Return the version of every file by its name."""
        return await self._in_thread(self._list)

    async def get(self, name: str, *, fresh: bool = True) -> Blob | None:
        """Return one file."""
        return await self._in_thread(lambda: self._get(name, fresh=fresh))

    async def put(self, name: str, data: bytes, *, if_version: str | None) -> str:
        """Write a file; see `Store.put`."""
        return await self._in_thread(lambda: self._put(name, data, if_version))

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        return await self._in_thread(lambda: self._delete(name))

    async def watch(self) -> None:
        """Return after the pause between two looks: a repository tells nobody."""
        await asyncio.sleep(self._poll)

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Do nothing: a repository has no locks."""
        del name
        yield

    async def _in_thread(self, work: Callable[[], T]) -> T:
        opened = self._opened
        if not opened:
            raise Away(f"{self.title} is not connected")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def bounded() -> T:
            # One of before the store was closed may still be at it.
            if not self._at_work.acquire(timeout=PATIENCE):
                raise Away(f"{self.title} does not answer.", _CURE)
            try:
                if answer.done() or self._opened != opened:
                    raise Away(f"{self.title} is not connected")
                with self._mapped():
                    return work()
            finally:
                if self._answer is not None:
                    # Of one that refuses the library lets the connection hang.
                    self._answer.close()
                    self._answer = None
                self._at_work.release()

        def tell(how: Callable[[Any], None], what: object) -> None:
            if not answer.done():
                how(what)

        def run() -> None:
            how: Callable[[Any], None]
            what: object
            try:
                how, what = answer.set_result, bounded()
            except Exception as err:  # noqa: BLE001  # whoever asked is told
                how, what = answer.set_exception, err
            with contextlib.suppress(RuntimeError):  # nobody is there to be told any more
                loop.call_soon_threadsafe(tell, how, what)

        # The end of the program does not wait for one that waits for a silent server.
        threading.Thread(target=run, name="git-store", daemon=True).start()
        try:
            async with asyncio.timeout(PATIENCE * 2):
                return await answer
        except TimeoutError as err:
            raise Away(f"{self.title} does not answer.", _CURE) from err

    # ---- below: threads -------------------------------------------------------------------------
    def _begin(self, *, make: bool) -> None:
        self._fetch()
        if self._head is None and make:
            git = _library()
            blob = git.objects.Blob.from_string(b"")
            self._objects.add_object(blob)
            files = dict.fromkeys(_FIRST, (_FILE, blob.id))
            with contextlib.suppress(Conflict):  # another one was faster
                self._push(files, "Initialize git token store")
            self._fetch()

    def _list(self) -> dict[str, str]:
        self._fetch()
        return {
            path: blob.decode()
            for path, (_, blob) in self._files.items()
            if path == CONFIG or (path.startswith(AUTHS) and path.lower().endswith(".json"))
        }

    def _get(self, name: str, *, fresh: bool) -> Blob | None:
        if fresh or self._objects is None:
            self._fetch()
        found = self._files.get(name)
        return None if found is None else Blob(self._objects[found[1]].data, found[1].decode())

    def _put(self, name: str, data: bytes, if_version: str | None) -> str:
        blob = _library().objects.Blob.from_string(data)

        def change(files: dict[str, tuple[int, bytes]]) -> bool:
            now = files.get(name)
            if (now[1].decode() if now is not None else None) != if_version:
                raise Conflict
            self._objects.add_object(blob)
            files[name] = (_FILE, blob.id)
            return now is None or now[1] != blob.id

        what = "Update config" if name == CONFIG else f"Update auth {name.removeprefix(AUTHS)}"
        self._change(change, what)
        version: str = blob.id.decode()
        return version

    def _delete(self, name: str) -> bool:
        def change(files: dict[str, tuple[int, bytes]]) -> bool:
            return files.pop(name, None) is not None

        what = "Delete config" if name == CONFIG else f"Delete auth {name.removeprefix(AUTHS)}"
        return self._change(change, what)

    def _change(self, change: Callable[[dict[str, tuple[int, bytes]]], bool], message: str) -> bool:
        """Push what becomes of the files, made from the newest there are."""
        for _ in range(_TRIES):
            self._fetch()
            files = dict(self._files)
            if not change(files):
                return False
            with contextlib.suppress(Conflict):
                self._push(files, message)
                return True
        raise Conflict

    def _fetch(self) -> None:
        """Have the branch as it is now."""
        git = _library()
        client, path = self._client()
        told = client.get_refs(path.encode())
        refs, pointing = told.refs, getattr(told, "symrefs", None) or {}
        self._ref = self._chosen(refs, pointing.get(b"HEAD"))
        head = refs.get(self._ref)
        if head == self._head and self._objects is not None:
            return
        if head is None:
            self._head, self._files, self._known = None, {}, set()
            self._objects = git.object_store.MemoryObjectStore()
            return
        repo = git.repo.MemoryRepo.init_bare([], {})

        def wanted(*_args: object, **_options: object) -> _Hashes:
            return [head]

        client.fetch(path.encode(), repo, wanted, depth=1)
        self._take(head, repo.object_store)

    def _chosen(self, refs: dict[bytes, Any], pointing: bytes | None) -> bytes:
        if self._branch:
            return f"refs/heads/{self._branch}".encode()
        there = [ref for ref in refs if ref.startswith(b"refs/heads/")]
        if pointing is not None and (pointing in there or not there):
            return pointing
        for usual in (b"refs/heads/main", b"refs/heads/master", *there):
            if usual in there:
                return usual
        return b"refs/heads/main"

    def _take(self, head: bytes, objects: Any) -> None:
        """Keep what belongs to a commit, and nothing that was before."""
        git = _library()
        kept = git.object_store.MemoryObjectStore()
        commit = objects[head]
        kept.add_object(commit)
        files: dict[str, tuple[int, bytes]] = {}
        trees = [("", commit.tree)]
        while trees:
            above, tree = trees.pop()
            kept.add_object(objects[tree])
            for entry in objects[tree].iteritems():
                path = above + entry.path.decode("utf-8", "surrogateescape")
                if entry.mode == 0o040000:
                    trees.append((f"{path}/", entry.sha))
                    continue
                files[path] = (entry.mode, entry.sha)
                if entry.mode != 0o160000:  # of another repository, which is not here
                    kept.add_object(objects[entry.sha])
        self._head, self._files, self._objects, self._known = head, files, kept, set(kept)

    def _push(self, files: dict[str, tuple[int, bytes]], message: str) -> None:
        """Put a commit with these files in the place of the head. Raises `Conflict`."""
        git = _library()
        objects = self._objects
        blobs = [
            (path.encode("utf-8", "surrogateescape"), blob, mode)
            for path, (mode, blob) in files.items()
        ]
        commit = git.objects.Commit()
        commit.tree = git.index.commit_tree(objects, blobs)
        commit.parents = [self._head] if self._linear and self._head is not None else []
        commit.author = commit.committer = _WHO
        commit.author_time = commit.commit_time = int(SYSTEM_CLOCK.now())
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = message.encode()
        objects.add_object(commit)
        new = [objects[sha] for sha in objects if sha not in self._known]
        if self._taken(self._send(commit.id, new)):
            self._take(commit.id, objects)
        else:
            # The server wants a history.
            self._linear = True
            raise Conflict

    def _send(self, commit: bytes, objects: _Objects) -> str:
        """Push; return what the server has against it."""
        git = _library()
        client, path = self._client()

        def update(refs: dict[bytes, bytes]) -> dict[bytes, bytes]:
            if refs.get(self._ref) != self._head:
                raise Conflict
            return {self._ref: commit}

        def pack(*_args: object, **_options: object) -> Any:
            return git.pack.pack_objects_to_data(objects)

        result = client.send_pack(path.encode(), update, pack)
        told = (result.ref_status or {}).get(self._ref)
        return "" if told is None else str(told)

    def _taken(self, told: str) -> bool:
        """Tell whether a push was taken; False = with a history it may be."""
        if not told:
            return True
        words = told.lower()
        if not self._linear and self._head is not None and any(w in words for w in _FORWARD):
            return False
        if any(word in words for word in _RACE):
            raise Conflict
        raise Refused(
            f"{self.title} does not take what is pushed to {self._ref.decode(errors='replace')}.",
            "Let this user push to that branch, or set GITSTORE_GIT_BRANCH.",
        )

    def _client(self) -> tuple[Any, str]:
        git = _library()
        options: dict[str, Any] = {}
        if self._url.startswith(("http://", "https://")):
            if self._pool is None:
                self._pool = self._new_pool()
            options["pool_manager"] = self._pool
            if token := self._token.reveal():
                options |= {"username": self._username, "password": token}
        else:
            options["ssh_command"] = os.environ.get("GIT_SSH_COMMAND", "").strip() or _SSH
        found: tuple[Any, str] = git.client.get_transport_and_path(self._url, **options)
        return found

    def _new_pool(self) -> Any:
        pool: Any = _library().client.default_urllib3_manager(
            None, base_url=self._url, timeout=PATIENCE
        )
        request = pool.request
        # A silent server is asked once: whoever asks has a longer pause until the next time.
        once = _library().urllib3.Retry(total=None, connect=0, read=0, other=0, redirect=5)

        def remembered(*values: Any, **options: Any) -> Any:
            self._answer = request(*values, **{"retries": once, **options})
            return self._answer

        pool.request = remembered
        return pool

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[None]:
        """Turn what the library raises into errors of ours."""
        git = _library()
        try:
            yield
        except (Conflict, StoreError):
            raise
        except git.client.HTTPUnauthorized as err:
            raise Refused(
                f"{self.title} refuses the user or the token.",
                "Correct GITSTORE_GIT_USERNAME and GITSTORE_GIT_TOKEN.",
            ) from _bare(err)
        except git.errors.NotGitRepository as err:
            raise Refused(
                f"{self.title} does not exist, or the token may not see it.",
                "Create it, or correct GITSTORE_GIT_URL.",
            ) from _bare(err)
        except (
            OSError,
            git.urllib3.exceptions.HTTPError,
            git.errors.GitProtocolError,
            git.errors.SendPackError,
            git.errors.HangupException,
            EOFError,
            ValueError,
            AssertionError,
        ) as err:
            # What stands behind the address may be no git server at all.
            raise Away(f"{self.title} cannot be reached ({_why(err)}).", _CURE) from _bare(err)


_SSH: Final = (
    # Nobody is there to answer a question, and a server that goes silent is to be noticed.
    "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)
_CURE: Final = "Start it, or correct GITSTORE_GIT_URL."


class _Library:
    """The modules of dulwich that are used."""

    def __init__(self) -> None:
        import urllib3  # noqa: PLC0415  # only where it is configured
        from dulwich import client, errors, index, object_store, objects, pack, repo  # noqa: PLC0415

        self.client: Any = client
        self.errors: Any = errors
        self.index: Any = index
        self.object_store: Any = object_store
        self.objects: Any = objects
        self.pack: Any = pack
        self.repo: Any = repo
        self.urllib3: Any = urllib3


def _library() -> _Library:
    try:
        return _Library()
    except ImportError as err:
        raise MissingExtra("git", "GITSTORE_GIT_URL") from err


def _without_user(url: str) -> tuple[str, tuple[str, str]]:
    """Return an address without its password, and by HTTP without its user. Raises `Refused`."""
    scheme, there, rest = url.partition("://")
    if not there:
        return url, ("", "")
    try:
        parts = urlsplit(f"{scheme.lower()}://{rest}")
        parts.port  # noqa: B018  # raises where it is none
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        raise _unreadable() from None
    outside = parts.path + parts.query + parts.fragment
    if ":" in parts.netloc and "@" not in parts.netloc and "@" in outside:
        raise _unreadable()  # what looks like host and port may be a part of the password
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("http", "https"):
        # There the user belongs to the place, and a password cannot be given.
        host = f"{parts.username}@{host}" if parts.username else host
        return urlunsplit((parts.scheme, host, parts.path, "", "")), ("", "")
    # A token alone may stand where a name does.
    if user and not password:
        user, password = "", user
    return urlunsplit((parts.scheme, host, parts.path, "", "")), (user, password)


def _unreadable() -> Refused:
    return Refused(
        "GITSTORE_GIT_URL cannot be read.",
        "Write it as https://HOST/REPO.git, and the token into GITSTORE_GIT_TOKEN.",
    )


def _shown(url: str) -> str:
    """Return an address without who is to log in, also of the kind `user@host:path`."""
    return re.sub(r"^([a-z][a-z0-9+.-]*://)?[^/]*@", r"\1", url)


def _why(err: Exception) -> str:
    return (isinstance(err, OSError) and err.strerror) or type(err).__name__


def _bare(err: BaseException) -> BaseException:
    """Return a stand-in for an error of the library, with its type alone."""
    return RuntimeError(type(err).__name__)

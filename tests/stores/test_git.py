"""What is special about a git repository."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading

import pytest

from cliproxy.stores import git as module
from cliproxy.stores.base import CONFIG, Away, Refused
from cliproxy.stores.git import GitStore
from tests.stores.servers import TOKEN
from tests.stores.test_contract import NAME, data, read


async def test_no_old_token_stays_in_a_history(git, opened) -> None:
    store = await opened(git.store())
    version = await store.put(NAME, data(), if_version=None)
    await store.put(NAME, data(access_token="at-2"), if_version=version)
    log = git.server.git("log", "--all", "--format=%s|%P|%an <%ae>", name=git.name)
    assert log == "Update auth claude-me@example.com.json||cliproxy <cliproxy@local>\n"


async def test_each_change_says_what_it_was(git, opened) -> None:
    def last() -> str:
        return git.server.git("log", "-1", "--all", "--format=%s", name=git.name).strip()

    store = await opened(git.store())
    assert last() == "Initialize git token store"
    assert git.server.git("ls-tree", "-r", "--name-only", "HEAD", name=git.name) == (
        "auths/.gitkeep\nconfig/.gitkeep\n"
    )
    await store.put(CONFIG, b"port: 1\n", if_version=None)
    assert last() == "Update config"
    await store.put(NAME, data(), if_version=None)
    assert last() == "Update auth claude-me@example.com.json"
    await store.delete(NAME)
    assert last() == "Delete auth claude-me@example.com.json"


async def test_what_does_not_change_anything_makes_no_commit(git, opened) -> None:
    store = await opened(git.store())
    version = await store.put(NAME, data(), if_version=None)
    head = git.server.git("rev-parse", "HEAD", name=git.name)
    assert await store.put(NAME, data(), if_version=version) == version
    assert git.server.git("rev-parse", "HEAD", name=git.name) == head


async def test_other_files_and_branches_stay(git, opened, tmp_path) -> None:
    run = {"cwd": tmp_path, "check": True, "capture_output": True}
    bare = git.server.folder / git.name
    (tmp_path / "README.md").write_text("hello\n")
    (tmp_path / "tool.sh").write_text("#!/bin/sh\n")
    (tmp_path / "tool.sh").chmod(0o755)
    for command in (
        ["init", "-q", "-b", "main"], ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"],
        ["push", "-q", str(bare), "main", "main:other"],
    ):  # fmt: skip
        subprocess.run(["git", *command], **run)
    store = await opened(git.store())
    await store.put(NAME, data(), if_version=None)
    told = git.server.git("ls-tree", "-r", "--format=%(objectmode) %(path)", "main", name=git.name)
    assert told == f"100644 README.md\n100644 {NAME}\n100755 tool.sh\n"
    assert git.server.git("log", "--format=%s", "other", name=git.name) == "one\n"


async def test_a_server_that_wants_a_history_gets_one(git, opened) -> None:
    git.server.git("config", "receive.denyNonFastForwards", "true", name=git.name)
    store = await opened(git.store())
    version = await store.put(NAME, data(), if_version=None)
    await store.put(NAME, data(access_token="at-2"), if_version=version)
    assert read(await store.get(NAME))["access_token"] == "at-2"
    assert git.server.git("rev-list", "--count", "--all", name=git.name) == "3\n"


async def test_a_branch_of_its_own_is_made(git, opened) -> None:
    store = await opened(GitStore(git.url(), "", TOKEN, "accounts"))
    await store.put(NAME, data(), if_version=None)
    heads = git.server.git("for-each-ref", "--format=%(refname)", name=git.name)
    assert heads == "refs/heads/accounts\n"
    again = await opened(GitStore(git.url(), "", TOKEN, "accounts"))
    assert (await again.list()).keys() == {NAME}


async def test_a_repository_in_a_folder_works_too(git, opened) -> None:
    bare = git.server.folder / git.name
    for url in (str(bare), f"file://{bare}"):
        store = await opened(GitStore(url))
        found = await store.get(NAME)
        await store.put(NAME, data(url=url), if_version=found.version if found else None)
        assert read(await store.get(NAME))["url"] == url


async def test_user_and_token_may_stand_in_the_address(git, opened) -> None:
    address = git.url().replace("http://", f"http://git:{TOKEN}@")
    store = await opened(GitStore(address))
    await store.put(NAME, data(), if_version=None)
    assert TOKEN not in store.title


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda git: GitStore(git.url(), "", "wrong-token"), "refuses the user or the token"),
        (lambda git: GitStore(git.url() + "x", "", TOKEN), "does not exist"),
        (lambda git: GitStore(str(git.server.folder / "none")), "does not exist"),
    ],
    ids=["token", "repository", "folder"],
)
async def test_what_a_server_refuses_is_said_with_its_cure(git, change, told) -> None:
    with pytest.raises(Refused, match=told) as caught:
        await change(git).open()
    assert "GITSTORE_" in caught.value.cure
    assert "wrong-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "title"),
    [
        ("HTTPS://me:tok@h/x.git", "https://h/x.git"),
        ("https://tok@h:8443/x.git?a=tok#tok", "https://h:8443/x.git"),
        ("ssh://me:tok@h/x.git", "ssh://h/x.git"),
        ("git@h:me/x.git", "h:me/x.git"),
        ("/srv/@scope/x.git", "/srv/@scope/x.git"),
        ("https://h/@scope/x.git", "https://h/@scope/x.git"),
    ],
)
def test_a_title_has_no_user_and_no_password(url, title) -> None:
    store = GitStore(url)
    assert store.title == f"the git repository {title}"
    assert "tok" not in store._url


def test_by_ssh_the_user_is_kept() -> None:
    assert GitStore("ssh://me:tok@h:22/x.git")._url == "ssh://me@h:22/x.git"


@pytest.mark.parametrize(
    "url",
    ["https://me:2024/tok@h/x.git", "https://me:tok?x@h/x.git", "https://me:tok/x@h", "ssh://[::1"],
)
def test_an_address_that_may_hide_a_password_is_refused(url) -> None:
    with pytest.raises(Refused, match="GITSTORE_GIT_URL cannot be read") as caught:
        GitStore(url)
    assert "tok" not in f"{caught.value}"


@pytest.mark.parametrize("own", ["", "ssh -i key"])
def test_how_ssh_is_called_can_be_said(monkeypatch, own) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", own)
    client, _ = GitStore("git@h:x.git")._client()
    assert client.ssh_command == (own or module._SSH)
    assert "BatchMode=yes" in module._SSH


async def test_its_work_is_done_in_a_thread_of_its_own(git, opened) -> None:
    store = await opened(git.store())
    names = await asyncio.gather(*(store._in_thread(threading.current_thread) for _ in range(3)))
    # The end of the program waits for no such thread.
    assert {(thread.name, thread.daemon) for thread in names} == {("git-store", True)}
    assert store.at_once == 1
    await store.close()
    with pytest.raises(Away):
        await store.list()


async def test_a_silent_server_is_asked_once(monkeypatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        with pytest.raises(Away):
            await GitStore(f"http://127.0.0.1:{silent.getsockname()[1]}/x.git").open()
        # Who has connected waits in the queue of the system.
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


async def test_whoever_only_looks_makes_no_commit(git) -> None:
    store = git.store()
    await store.open(make=False)
    assert await store.list() == {}
    await store.close()
    assert git.server.git("for-each-ref", name=git.name) == ""

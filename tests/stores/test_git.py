"""What is special about a git repository."""

from __future__ import annotations

import subprocess

import pytest

from cliproxy.stores.base import CONFIG, Refused
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

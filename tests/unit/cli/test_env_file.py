"""The file `.env` of the working directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from cliproxy.cli.env_file import read_env_file

N = "PGSTORE_LOCAL_PATH"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (f"{N}=b", "b"),
        (f"export {N}=b", "b"),
        (f" {N} = b c ", "b c"),
        (f'{N}="b # c"', "b # c"),
        (f"{N}='b \\n c'", "b \\n c"),
        (f'{N}="b\\nc"', "b\nc"),
        (f"{N}=b # comment", "b"),
        (f"{N}=postgres://u:p#w@h/d", "postgres://u:p#w@h/d"),
        (f"{N}=", ""),
        (f"# {N}=b", None),
        (f"{N}=a\0b", None),
        ("nonsense", None),
    ],
)
def test_a_line_sets_a_variable(tmp_path: Path, line, value) -> None:
    path = tmp_path / ".env"
    path.write_text(f"\ufeff\n{line}\nSTORE_POLL_SECONDS=1\n")
    env: dict[str, str] = {}
    assert read_env_file(path, env) == ""
    assert env.pop("STORE_POLL_SECONDS") == "1"
    assert env == ({} if value is None else {N: value})


@pytest.mark.parametrize(
    "name",
    ["BROWSER", "MANAGEMENT_PASSWORD", "CONFIG_PATH", "PATH", "HTTPS_PROXY", "GIT_SSH_COMMAND",
     "PYTHONPATH", "XSTORE_POLL_SECONDS", "CLAUDE_CONFIG_DIR"],
)  # fmt: skip
def test_only_variables_of_stores_are_taken(tmp_path: Path, name) -> None:
    (tmp_path / ".env").write_text(f"{name}=x\npgstore_dsn=postgresql://h/d\nwritable_path=/w\n")
    env: dict[str, str] = {}
    read_env_file(tmp_path / ".env", env)
    assert env == {"writable_path": "/w", "pgstore_dsn": "postgresql://h/d"}


def test_where_no_store_is_asked_for_nothing_is_put_elsewhere(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WRITABLE_PATH=/w\n")
    env: dict[str, str] = {}
    assert read_env_file(tmp_path / ".env", env) == ""
    assert env == {}


@pytest.mark.parametrize("written", ["PGSTORE_SCHEMA", "pgstore_schema"])
def test_what_is_set_already_stays(tmp_path: Path, written) -> None:
    (tmp_path / ".env").write_text("PGSTORE_SCHEMA=file\npgstore_schema=file\nPGSTORE_DSN=\n")
    env = {written: "set"}
    read_env_file(tmp_path / ".env", env)
    assert env == {written: "set", "PGSTORE_DSN": ""}


def test_the_first_of_several_lines_counts(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{N}=1\n{N}=2\n")
    env: dict[str, str] = {}
    read_env_file(tmp_path / ".env", env)
    assert env == {N: "1"}


@pytest.mark.parametrize("variable", ["OBJECTSTORE_ENDPOINT", "GITSTORE_GIT_URL", "pgstore_dsn"])
def test_a_store_of_the_environment_is_the_only_one(tmp_path: Path, variable) -> None:
    (tmp_path / ".env").write_text(
        "PGSTORE_DSN=postgresql://h/d\nOBJECTSTORE_BUCKET=b\nGITSTORE_GIT_BRANCH=x\n"
        "STORE_POLL_SECONDS=1\nWRITABLE_PATH=/w\n"
    )
    env = {variable: "set"}
    assert read_env_file(tmp_path / ".env", env) == ""
    assert env == {variable: "set", "WRITABLE_PATH": "/w"}


def test_that_a_file_asks_for_a_store_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PGSTORE_DSN=postgresql://u:never-shown@h:1/d\n")
    told = read_env_file(tmp_path / ".env", {})
    assert told == f"accounts are kept in PostgreSQL at h:1/d, as {tmp_path}/.env says"


def test_a_folder_and_no_file_say_nothing(tmp_path: Path) -> None:
    env: dict[str, str] = {}
    assert read_env_file(tmp_path / ".env", env) == ""
    (tmp_path / ".env").mkdir()
    assert read_env_file(tmp_path / ".env", env) == ""
    assert env == {}


def test_a_file_in_another_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"# \xe4\nPGSTORE_SCHEMA=s\n")
    env: dict[str, str] = {}
    read_env_file(tmp_path / ".env", env)
    assert env == {"PGSTORE_SCHEMA": "s"}


def test_a_file_that_cannot_be_read_is_told_of_and_not_used(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".env").write_text("PGSTORE_SCHEMA=s\n")

    def refuse(path: Path, most: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cliproxy.cli.env_file.read_file", refuse)
    env: dict[str, str] = {}
    told = read_env_file(tmp_path / ".env", env)
    assert told == f"{tmp_path}/.env is not used: Permission denied"
    assert env == {}

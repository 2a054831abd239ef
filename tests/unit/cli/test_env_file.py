"""The file `.env` of the working directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from cliproxy.base.errors import ConfigError
from cliproxy.cli.env_file import read_env_file


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        (" A = b c ", "b c"),
        ('A="b # c"', "b # c"),
        ("A='b \\n c'", "b \\n c"),
        ('A="b\\nc"', "b\nc"),
        ("A=b # comment", "b"),
        ("A=postgres://u:p#w@h/d", "postgres://u:p#w@h/d"),
        ("A=", ""),
        ("# A=b", None),
        ("nonsense", None),
    ],
)
def test_a_line_sets_a_variable(tmp_path: Path, line, value) -> None:
    path = tmp_path / ".env"
    path.write_text(f"\ufeff\n{line}\nLAST=1\n")
    env: dict[str, str] = {}
    read_env_file(path, env)
    assert env.pop("LAST") == "1"
    assert env == ({} if value is None else {"A": value})


def test_what_is_set_already_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=file\nB=file\n")
    env = {"A": "set"}
    read_env_file(path, env)
    assert env == {"A": "set", "B": "file"}


def test_no_file_is_no_fault_and_an_unreadable_one_is(tmp_path: Path) -> None:
    read_env_file(tmp_path / ".env", {})
    (tmp_path / ".env").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        read_env_file(tmp_path / ".env", {})

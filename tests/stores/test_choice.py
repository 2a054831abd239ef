"""Which store the environment asks for, and that nobody pays for one that it does not ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cliproxy.stores.base import MissingExtra, Refused
from cliproxy.stores.choice import chosen

PG = {"PGSTORE_DSN": "postgresql://u:pw-secret@h:1/d"}
S3 = {
    "OBJECTSTORE_ENDPOINT": "http://h:1", "OBJECTSTORE_BUCKET": "b",
    "OBJECTSTORE_ACCESS_KEY": "k", "OBJECTSTORE_SECRET_KEY": "s",
}  # fmt: skip
GIT = {"GITSTORE_GIT_URL": "https://u:tok-secret@h/r.git"}


@pytest.mark.parametrize(
    ("env", "title", "folder"),
    [
        (PG, "PostgreSQL at h:1/d", "pgstore"),
        (S3, "the bucket b at h:1", "objectstore"),
        (GIT, "the git repository https://h/r.git", "gitstore"),
        ({**GIT, **S3, **PG}, "PostgreSQL at h:1/d", "pgstore"),
        ({**GIT, **S3}, "the bucket b at h:1", "objectstore"),
        ({k.lower(): f" {v} " for k, v in S3.items()}, "the bucket b at h:1", "objectstore"),
        ({**S3, "OBJECTSTORE_ENDPOINT": "h:1"}, "the bucket b at h:1", "objectstore"),
        ({**PG, **S3, "PGSTORE_DSN": "  "}, "the bucket b at h:1", "objectstore"),
    ],
)
def test_the_first_that_is_set_is_used(env, title, folder, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = chosen(env)
    assert found is not None
    assert found.make().title == title
    assert found.root == tmp_path / folder
    assert "secret" not in f"{found!r}{found.make()!r}{found.make().title}"


@pytest.mark.parametrize(
    ("env", "where"),
    [
        ({"PGSTORE_LOCAL_PATH": "/a"}, "/a/pgstore"),
        ({"WRITABLE_PATH": "/w"}, "/w/pgstore"),
        ({"writable_path": "/w"}, "/w/pgstore"),
        ({"PGSTORE_LOCAL_PATH": "/a", "WRITABLE_PATH": "/w"}, "/a/pgstore"),
    ],
)
def test_the_mirror_is_where_the_environment_says(env, where) -> None:
    found = chosen({**PG, **env})
    assert found is not None
    assert str(found.root) == where


def test_without_variables_there_is_none() -> None:
    assert chosen({}) is None
    assert chosen({"OBJECTSTORE_BUCKET": "b", "GITSTORE_GIT_TOKEN": "t"}) is None


@pytest.mark.parametrize("missing", ["BUCKET", "ACCESS_KEY", "SECRET_KEY"])
def test_what_is_missing_is_named(missing) -> None:
    with pytest.raises(Refused, match=f"OBJECTSTORE_{missing} is not"):
        chosen({k: v for k, v in S3.items() if not k.endswith(missing)})


@pytest.mark.parametrize("env", [PG, S3, GIT])
def test_how_often_is_looked_can_be_said(env) -> None:
    found = chosen({**env, "STORE_POLL_SECONDS": "2.5"})
    assert found is not None
    assert found.make()._poll == 2.5


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "often", "1e9"])
def test_how_often_is_looked_is_a_sensible_number(seconds) -> None:
    with pytest.raises(Refused, match="STORE_POLL_SECONDS"):
        chosen({**PG, "STORE_POLL_SECONDS": seconds})


@pytest.mark.parametrize("endpoint", ["ftp://h", "http://", "https://h/path", "http://u:p@h"])
def test_an_endpoint_that_is_none_is_refused(endpoint) -> None:
    with pytest.raises(Refused, match="OBJECTSTORE_ENDPOINT"):
        chosen({**S3, "OBJECTSTORE_ENDPOINT": endpoint})


@pytest.mark.parametrize(
    ("env", "module", "extra"),
    [(PG, "asyncpg", "postgres"), (S3, "obstore", "s3"), (GIT, "dulwich", "git")],
)
async def test_a_library_that_is_missing_is_said_with_the_command(
    env, module, extra, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found = chosen(env)
    assert found is not None
    with pytest.raises(MissingExtra) as caught:
        await found.make().open()
    assert f'pip install "cliproxy[{extra}]"' in caught.value.cure
    assert next(iter(env)) in caught.value.message


def test_a_start_without_a_store_loads_nothing_of_one(tmp_path: Path) -> None:
    program = (
        "import sys, cliproxy.cli.serve, cliproxy.cli.doctor\n"
        "from cliproxy.app.source import find_source\n"
        "find_source(None)\n"
        "print(*sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert "cliproxy.cli.serve" in loaded
    heavy = {"asyncpg", "obstore", "dulwich", "urllib3"}
    heavy |= {f"cliproxy.stores.{name}" for name in ("postgres", "s3", "git", "mirror")}
    assert not loaded & heavy

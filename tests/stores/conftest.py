from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from cliproxy.stores.base import Store
from tests.stores import places
from tests.stores.servers import GitHttp, Moto, Postgres, Rclone


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> places.PostgresPlace:
    return places.PostgresPlace(postgres_server)


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[Rclone]:
    with Rclone() as server:
        yield server


@pytest.fixture
def rclone(rclone_server: Rclone) -> places.S3Place:
    return places.S3Place(rclone_server, compares=False)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    with Moto() as server:
        yield server


@pytest.fixture
def s3(moto_server: Moto) -> places.S3Place:
    return places.S3Place(moto_server, compares=True)


@pytest.fixture(scope="session")
def git_server() -> Iterator[GitHttp]:
    with GitHttp() as server:
        yield server


@pytest.fixture
def git(git_server: GitHttp) -> places.GitPlace:
    return places.GitPlace(git_server)


REMOTE = ["postgres", "s3", "rclone", "git"]


@pytest.fixture(params=["folder", *REMOTE])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> places.Place:
    """Every kind of place there is."""
    if request.param == "folder":
        return places.Folder(tmp_path / "folder")
    found: places.Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=REMOTE)
def remote(request: pytest.FixtureRequest) -> places.Place:
    """Every kind of place with a server."""
    found: places.Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[Store], object]]:
    """Open stores; all are closed at the end."""
    stores: list[Store] = []

    async def open_(store: Store) -> Store:
        await store.open()
        stores.append(store)
        return store

    yield open_
    for store in stores:
        await store.close()

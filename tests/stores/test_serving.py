"""A proxy whose configuration and accounts are in a store, as its own process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cliproxy.stores.base import CONFIG
from tests.sim.server import Sim
from tests.stores.places import Place
from tests.stores.servers import Relay, free_port
from tests.stores.test_mirror import until


@pytest.fixture(params=["postgres", "s3", "git"])
def remote(request: pytest.FixtureRequest) -> Place:
    """Each library once: of S3, one server."""
    found: Place = request.getfixturevalue(request.param)
    return found


def config(sim: Sim, port: int, key: str = "client-key-0123456789") -> bytes:
    return (
        f"port: {port}\nauth-dir: /nonexistent\napi-keys: [{key}]\nlocal-model: {{enable: false}}\n"
        f"openai-compatibility:\n  - name: sim\n    base-url: {sim.url}/v1\n"
        "    api-key-entries: [{api-key: upstream}]\n    models: [{name: m}]\n"
    ).encode()


def environment(remote, folder: Path, port: int | None = None) -> dict[str, str]:
    ours = remote.env(port)
    prefix = next(iter(ours)).partition("_")[0]
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PGSTORE", "GITSTORE", "OBJECTST"))
    }
    return {
        **kept,
        **ours,
        "STORE_POLL_SECONDS": "0.5",
        f"{prefix}_LOCAL_PATH": str(folder),
        "HOME": str(folder / "home"),
    }


def ask(port: int, key: str) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as err:
        with err:
            return err.code
    except OSError:
        return 0


async def asked(port: int, key: str = "client-key-0123456789") -> int:
    return await asyncio.to_thread(ask, port, key)


@pytest.mark.slow
async def test_a_proxy_serves_from_its_store_and_on_without_it(
    remote, opened, tmp_path: Path
) -> None:
    there = await opened(remote.store())
    port = free_port()
    with Sim() as sim:
        await there.put(CONFIG, config(sim, port), if_version=None)
        async with Relay(remote.port) as relay:
            log = tmp_path / "log"
            with log.open("wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-m", "cliproxy", "serve"],
                    env=environment(remote, tmp_path, relay.port),
                    cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=said,
                )  # fmt: skip
            try:
                async with asyncio.timeout(60):
                    while await asked(port) != 200:
                        assert process.poll() is None, log.read_text()
                        await asyncio.sleep(0.05)
                    # What is changed there is served by here.
                    found = await there.get(CONFIG)
                    changed = config(sim, port, "another-key-0123456789")
                    await there.put(CONFIG, changed, if_version=found.version)
                    # Who tries keys again and again is held off, so it is waited for first.
                    while "was read again" not in log.read_text():
                        await asyncio.sleep(0.05)
                    assert await asked(port, "another-key-0123456789") == 200
                    await relay.cut()
                    while "Serving goes on" not in log.read_text():
                        assert await asked(port, "another-key-0123456789") == 200
                    assert await asked(port, "another-key-0123456789") == 200
                    doctor = await asyncio.to_thread(
                        subprocess.run,
                        [sys.executable, "-m", "cliproxy", "doctor"],
                        env=environment(remote, tmp_path, relay.port),
                        cwd=tmp_path, capture_output=True, text=True, check=False,
                    )  # fmt: skip
                    assert doctor.returncode == 1
                    assert "A proxy that runs serves on from" in doctor.stdout
                    await relay.mend()
                    # A login that a hand drops into the mirror reaches the store.
                    mirror = (
                        next(tmp_path.glob("*store/auths"), None)
                        or next(tmp_path.glob("*store")) / "auths"
                    )
                    mirror.mkdir(mode=0o700, exist_ok=True)
                    (mirror / "x.json").write_text('{"type": "claude", "disabled": true}')
                    while "auths/x.json" not in await there.list():
                        await asyncio.sleep(0.05)
            finally:
                process.terminate()
                process.wait(30)
    told = log.read_text() + doctor.stdout + doctor.stderr
    assert not [secret for secret in remote.secrets if secret in told]


@pytest.mark.slow
async def test_without_its_store_a_proxy_does_not_start(remote, tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cliproxy", "serve"],
        env=environment(remote, tmp_path, free_port()), stdin=subprocess.DEVNULL,
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("cliproxy: ")
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [secret for secret in remote.secrets if secret in done.stderr + done.stdout]


@pytest.mark.slow
async def test_an_empty_store_gets_a_first_configuration(remote, opened, tmp_path: Path) -> None:
    there = await opened(remote.store())
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cliproxy", "import"],
        env=environment(remote, tmp_path), stdin=subprocess.DEVNULL,
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"api-keys:" in (await there.get(CONFIG)).data


__all__ = ["until"]

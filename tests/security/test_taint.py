"""Secrets: marked, sent through everything that can go wrong, and looked for wherever words go."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jwt
import pytest

from cliproxy import login
from cliproxy.account.credential import written
from cliproxy.app.doctor import examine
from cliproxy.app.watch import ConfigWatch
from cliproxy.cli import accounts as accounts_command
from cliproxy.cli import explain as explain_command
from cliproxy.cli import usage as usage_command
from cliproxy.keeper.pasted import Pasted
from cliproxy.login.flow import Problem
from cliproxy.observe import logs
from tests.proxy import Proxy
from tests.security.echo import Echo
from tests.server import raw
from tests.sim.accounts_google import PEM
from tests.sim.server import Sim

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OWNERS = (
    "/config", "/config.yaml", "/auth-files/download", "/api-keys", "/gemini-api-key",
    "/claude-api-key", "/codex-api-key", "/xai-api-key", "/vertex-api-key",
    "/openai-compatibility", "/api-key-usage", "/proxy-url", "/ampcode", "/usage-queue",
    "/accounts",
)  # fmt: skip
"""Where the owner is shown what was configured."""
PROVIDERS = (
    "claude",
    "codex",
    "gemini-cli",
    "antigravity",
    "qwen",
    "kimi",
    "iflow",
    "xai",
    "vertex",
)
PLACES = ("authorize", "token", "device", "profile", "projects", "services", "quota", "models",
          "keys", "discovery")  # fmt: skip


class Marks:
    """Secrets by name, each unlike all others."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        value = self.values[name] = f"mk{len(self.values):03d}{secrets.token_hex(20)}"
        return value

    def token(self, name: str) -> str:
        """Return a JWT nobody else has."""
        value = jwt.encode({"email": "me@example.com", "n": name}, secrets.token_hex(32), "HS256")
        self.values[name] = value.rpartition(".")[2]
        return value

    def found_in(self, text: str) -> set[str]:
        """Return the names of the secrets of which more than the ends is told."""
        return {name for name, value in self.values.items() if value[6:-6] in text}


class World:
    """A proxy with every kind of account, all of which end at a server that repeats secrets."""

    def __init__(self, folder: Path, echo: Echo, sim: Sim, marks: Marks) -> None:
        self.folder, self.echo, self.sim, self.marks = folder, echo, sim, marks
        self.auth = folder / "auth"
        self.auth.mkdir(mode=0o700)
        self.client_key, self.key = marks("client key"), marks("management key")
        self.said: list[tuple[str, str]] = []
        self.file = folder / "etc" / "config.yaml"
        self.file.parent.mkdir()
        text = json.dumps(self._config(), indent=1)
        self.file.write_text(text)
        self.file.chmod(0o600)
        for name, fields in self._files().items():
            (self.auth / f"{name}.json").write_text(json.dumps(fields))
        self.proxy = Proxy(text)
        self.client = httpx.Client(timeout=30, trust_env=False)

    # ---- what there is --------------------------------------------------------------------------
    def _entry(self, kind: str, **more: Any) -> dict[str, Any]:
        return {
            "api-key": self.marks(f"{kind} key"),
            "base-url": self.echo.url,
            "prefix": f"k-{kind}",
            "headers": {"X-Api-Key": self.marks(f"{kind} header"),
                        "X-Corp-Token": self.marks(f"{kind} corporate token")},
            "models": [{"name": f"{kind}-m", "alias": f"{kind}-m"}],
            **more,
        }  # fmt: skip

    def _host(self, name: str, url: str, **more: Any) -> dict[str, Any]:
        proxy = more.pop("proxy", "")
        entry = {"api-key": self.marks(f"{name} key"), **({"proxy-url": proxy} if proxy else {})}
        models = [{"name": f"{name}-m", "alias": f"{name}-m"}]
        return {"name": name, "base-url": url, "api-key-entries": [entry], "models": models, **more}

    def _config(self) -> dict[str, Any]:
        marks, echo = self.marks, self.echo
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.closed = closed.getsockname()[1]
        compat = [
            self._host("good", self.sim.url),
            self._host("echo", echo.url, headers={"X-Api-Key": marks("host header")}),
            self._host("dead", f"http://u:{marks('base-url password')}@127.0.0.1:{self.closed}"),
            *(
                self._host(
                    f"via-{scheme}",
                    "http://upstream.invalid/v1",
                    proxy=f"{scheme}://u:{marks(f'{scheme} password')}@127.0.0.1:{port}",
                )
                for scheme, port in (("http", self.closed), ("socks5", self.closed))
            ),
            self._host(
                "via-echo",
                "http://upstream.invalid/v1",
                proxy=f"http://u:{marks('refused proxy password')}@127.0.0.1:{echo.port}",
            ),
        ]
        places = {place: f"{echo.url}/{place}" for place in PLACES}
        return {
            "api-keys": [self.client_key],
            "remote-management": {"secret-key": self.key},
            "auth-dir": str(self.auth),
            "debug": True,
            "request-log": True,
            "logging-to-file": True,
            "save-cooldown-status": True,
            "expose-routing-headers": True,
            "passthrough-headers": True,
            "usage-statistics-enabled": True,
            "fallback": {},
            "request-retry": 0,
            "endpoints": {name: {"api": echo.url, **places} for name in PROVIDERS},
            "oauth-clients": {
                name: {"id": f"id-{name}", "secret": marks(f"{name} client secret")}
                for name in ("gemini-cli", "antigravity")
            },
            "claude-api-key": [self._entry("claude")],
            "codex-api-key": [self._entry("codex")],
            "gemini-api-key": [self._entry("gemini")],
            "xai-api-key": [self._entry("xai")],
            "vertex-api-key": [self._entry("vertex")],
            "openai-compatibility": compat,
        }

    def _files(self) -> dict[str, dict[str, Any]]:
        marks, later = self.marks, written(time.time() + 7200)
        files: dict[str, dict[str, Any]] = {}
        for kind in ("claude", "codex", "antigravity", "qwen", "kimi", "iflow", "xai"):
            files[kind] = {
                "type": kind,
                "email": f"{kind}@example.com",
                "access_token": marks(f"{kind} access"),
                "refresh_token": marks(f"{kind} refresh"),
                "id_token": marks.token(f"{kind} id token"),
                "expired": later,
                "last_refresh": written(time.time()),
                "project_id": "p",
            }
        files["iflow"] |= {"cookie": f"BXAuth={marks('iflow cookie')}", "api_key": marks("iflow")}
        token = {
            "access_token": marks("gemini access"),
            "refresh_token": marks("gemini refresh"),
            "client_id": "other",
            "client_secret": marks("gemini file secret"),
            "expiry": later,
        }
        files["gemini"] = {"type": "gemini", "email": "g@x", "project_id": "p", "token": token}
        marks.values["private key"] = PEM.splitlines()[5]
        files["vertex"] = {
            "type": "vertex",
            "email": "robot@example.com",
            "project_id": "p",
            "location": "us-central1",
            "access_token": marks("vertex access"),
            "expired": later,
            "service_account": {"client_email": "robot@example.com", "private_key": PEM},
        }
        for kind, fields in files.items():
            fields |= {
                "prefix": f"f-{kind}",
                "headers": {"X-Api-Key": marks(f"{kind} file header")},
                "unknown": {"secret": marks(f"{kind} unknown field")},
            }
        return files

    # ---- what is done ---------------------------------------------------------------------------
    def note(self, where: str, what: object) -> None:
        self.said.append((where, str(what)))

    def manage(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = f"{self.proxy.url}/v0/management{path}"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        head = {"authorization": f"Bearer {self.key}"}
        answer = self.client.request(method, url, content=content, headers=head)
        self.note(f"{method} {path}", f"{answer.headers} {answer.text}")
        return answer

    def ask(self, dialect: str, model: str, *, stream: bool = False) -> httpx.Response:
        path, body = raw.request(dialect, model, stream=stream)
        head = {"authorization": f"Bearer {self.client_key}"}
        answer = self.client.post(self.proxy.url + path, json=body, headers=head)
        self.note(f"{dialect} {model}", f"{answer.headers} {answer.text}")
        return answer

    def do(self, coro: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coro, self.proxy.loop).result(30)

    def models(self) -> list[str]:
        """Return one model of every account."""
        answer = raw.get(self.proxy, "/v1/models", key=self.client_key)
        found: dict[str, str] = {}
        for row in answer.json()["data"]:
            found.setdefault(row["id"].partition("/")[0], row["id"])
        return list(found.values())


def leaks(world: World, where: list[tuple[str, str]]) -> list[str]:
    """Return which secrets stand where they must not."""
    found = {(name, place) for place, text in where for name in world.marks.found_in(text)}
    return sorted(f"{name} in {place}" for name, place in found)


def files(world: World) -> list[tuple[str, str]]:
    """Return all files but those that hold secrets by their nature."""
    own = set(world.auth.glob("*.json")) | {world.file}
    return [
        (path.relative_to(world.folder).as_posix(), path.read_bytes().decode("latin-1"))
        for path in world.folder.rglob("*")
        if path.is_file() and path not in own
    ]


@pytest.fixture
def world(tmp_path, monkeypatch, caplog):
    marks = Marks()
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    monkeypatch.setenv("IFLOW_OAUTH_CLIENT_SECRET", marks("iflow client secret"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    own = logging.getLogger("cliproxy").level
    logs.configure(debug=True, folder=tmp_path / "logs")
    for handler in before:
        root.addHandler(handler)
    with Echo() as echo, Sim() as sim:
        found = World(tmp_path, echo, sim, marks)
        with found.proxy, found.client:
            found.proxy.runtime.control.config_path = found.file
            yield found
    for handler in set(root.handlers) - set(before):
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("cliproxy").setLevel(own)


def test_no_secret_is_told_by_anything_that_goes_wrong(world, caplog, capsys):
    caplog.set_level(logging.DEBUG, "cliproxy")
    echo, proxy = world.echo, world.proxy

    models = world.models()
    assert len([m for m in models if m.startswith(("k-", "f-"))]) >= 14, models
    for dialect in raw.SHAPES:
        assert world.ask(dialect, "good-m").status_code == 200
        assert world.ask(dialect, "good-m", stream=True).status_code == 200

    # Upstreams that repeat what they were sent, whichever way they say no.
    dialects = itertools.cycle(("openai-chat", "openai-responses", "anthropic", "gemini"))
    for status, inside in ((500, False), (400, False), (400, True), (403, False), (401, False)):
        echo.status, echo.inside = status, inside
        for model, stream in zip(models, itertools.cycle((False, True, True)), strict=False):
            world.ask(next(dialects), model, stream=stream)
        world.manage("DELETE", "/cooldowns")
    echo.inside, echo.status = False, 429
    for model, dialect in itertools.product(("echo-m", "k-claude/claude-m"), raw.SHAPES):
        assert world.ask(dialect, model).status_code >= 400
    world.manage("GET", "/cooldowns")
    for model, dialect in itertools.product(
        ("dead-m", "via-http-m", "via-socks5-m", "via-echo-m"), raw.SHAPES
    ):
        assert world.ask(dialect, model).status_code >= 400

    # Logins that cannot be refreshed or made.
    keeper = proxy.runtime.keeper
    for credential in keeper.credentials():
        for asked in (keeper.quota(credential), keeper.models(credential)):
            try:
                world.do(asked)
            except Problem as err:
                world.note(f"question of {credential.name}", f"{err} {err.message} {err!r}")
        keeper._times.clear()
        credential.state = "ok"
        assert not world.do(keeper.renew(credential, spent=credential.token)), credential.name
        assert credential.problem, credential.name
        world.note(f"refresh of {credential.name}", f"{credential.problem} {credential!r}")
    logins = proxy.runtime.logins
    for provider in ("gemini-cli", "antigravity", "iflow", "codex", "claude"):
        pending = world.do(logins.start(provider, "browser"))
        code = world.marks(f"{provider} code")
        proxy.loop.call_soon_threadsafe(logins.callback, Pasted(code, pending.state))
        world.do(logins.wait(pending))
        assert pending.status == "error"
        world.note(f"login of {provider}", pending.error)
        world.manage("GET", f"/get-auth-status?state={pending.state}")
    for provider in ("qwen", "kimi", "xai"):
        with pytest.raises(Problem) as caught:
            world.do(logins.start(provider, "device" if provider != "xai" else ""))
        world.note(f"login of {provider}", caught.value.message)
    world.manage("POST", "/iflow-auth-url", {"cookie": f"BXAuth={world.marks('a new cookie')};"})

    # What the owner may ask for.
    proxy.loop.call_soon_threadsafe(proxy.runtime.save_cooldowns)
    for model in models:
        world.manage("POST", "/explain", {"model": model})
    described = world.manage("GET", "/openapi.json").json()
    for path, methods in described["paths"].items():
        path = path.removeprefix("/v0/management")
        if "get" in methods and "{" not in path and not path.startswith(OWNERS):
            if not path.endswith("-auth-url"):
                world.manage("GET", path)
    for entry in world.manage("GET", "/requests").json()["requests"][:5]:
        world.manage("GET", f"/requests/{entry['id']}")
        world.manage("GET", f"/request-log-by-id/{entry['id']}")
    raw.get(proxy, f"/v1/nothing?key={world.client_key}", key=None)
    raw.get(proxy, "/v1/models", key=world.marks("a wrong client key"))

    # A configuration that cannot be used.
    watch = ConfigWatch(world.file, proxy.runtime.control.apply)
    good = world.file.read_text()
    key = world.marks("key in a bad file")
    for bad in (
        f"api-keys: [{key}\nhost: x",
        f"api-keys: {{{key}: 1}}",
        f"{key}: 1\nport: {key}",
        f"proxy-url: 'ftp://u:{key}@x'",
        f"claude-api-key: [{{api-key: {key}, weight: {key}, base-url: 'u:{key}@'}}]",
        f"api-keys: *{key}",
        f'api-keys: ["{key}]',
        f"!!{key} x",
        f"tls: {{enable: true, cert: /{key}, key: {key}}}\napi-keys: [a]",
        f"oauth-clients: {{gemini-cli: {{secret: [{key}]}}}}\nrouting: {{strategy: {key}}}",
    ):
        world.file.write_text(bad)
        watch.check()
        world.manage("PUT", "/config.yaml", bad.encode())
        world.file.write_text(good)
    watch.check()

    # The commands, and what programs print of their own objects.
    runtime = proxy.runtime
    accounts_command.command(str(world.file), None, None, quota=False, as_json=True)
    accounts_command.command(str(world.file), None, None, quota=False, as_json=False)
    usage_command.command(
        usage_command.Question("client"), str(world.file), None, None, as_json=True
    )
    for model in models:
        explain_command.command(
            model, str(world.file), "openai-chat", None, stream=False, as_json=False
        )
    world.note("doctor", asyncio.run(examine(proxy.loaded, world.file)))
    printed = capsys.readouterr()
    world.note("standard output", printed.out)
    world.note("standard error", printed.err)
    for thing in (
        runtime.config, runtime.accounts, keeper.credentials(), keeper.settings,
        keeper.store.snapshot(), runtime.control.keys, list(runtime._transport._vias.values()),
        runtime.app.generation, runtime.app.generation.gateway, proxy.loaded,
        [keeper.setting(name) for name in login.providers()], logins.waiting(),
        [vars(w) for w in logins._waiting.values()],
    ):  # fmt: skip
        world.note(f"the repr of {type(thing).__name__}", repr(thing))

    heard = "".join(echo.heard)
    assert len(world.marks.found_in(heard)) > 25, "the upstreams were not sent what they repeat"
    world.note("the log", caplog.text)
    # An end of the loop's own run: all that is written is on the disk.
    world.do(asyncio.to_thread(runtime.usage.close))
    assert not leaks(world, world.said)
    told = files(world)
    names = {Path(place).suffix for place, _ in told}
    assert {".db", ".cds", ".log"} <= names, names
    assert not leaks(world, told)


def test_a_password_in_an_address_is_not_listed(world):
    told = world.manage("GET", "/accounts").text
    assert not world.marks.found_in(told)

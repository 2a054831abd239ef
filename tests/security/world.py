"""A proxy that holds every kind of secret there is, each in a place of its own."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cliproxy.account.credential import written
from tests.proxy import Proxy
from tests.security.echo import Echo
from tests.server import raw
from tests.sim.server import Sim

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
LISTS = ("claude", "codex", "gemini", "interactions", "xai", "vertex")
FILES = 3
"""Logins of each provider."""


class Marks:
    """Secrets by name, each unlike all others."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """Return a new secret; every second one has signs that are escaped in many ways."""
        assert name not in self.values, name
        number = len(self.values)
        sign = "/+"[number % 4 - 2] if number % 4 > 1 else ""
        value = f"mk{number:03d}{secrets.token_hex(12)}{sign}{secrets.token_hex(12)}"
        self.values[name] = value
        return value

    def plain(self, name: str) -> str:
        """Return a new secret that can stand in an address as it is."""
        self(name)
        self.values[name] = value = self.values[name].replace("/", "-").replace("+", "-")
        return value

    def token(self, name: str) -> str:
        """Return a JWT nobody else has."""
        value = jwt.encode({"email": "me@example.com", "n": name}, secrets.token_hex(32), "HS256")
        self.values[name] = value.rpartition(".")[2]
        return value

    def private_key(self, name: str) -> str:
        """Return the private key of a service account."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        self.values[name] = pem.splitlines()[9]
        return pem

    def found_in(self, text: str) -> set[str]:
        """Return the names of the secrets of which more than the ends is told."""
        return {
            name
            for name, value in self.values.items()
            if any(part in text for part in _parts(value))
        }


def _parts(value: str) -> list[str]:
    """Return what of a secret is looked for: half of it is too much already."""
    return [value[7:25], value[-25:-7]]


BEARERS = ("claude", "codex", "xai")
"""Kinds of keys that are sent as bearers."""


class World:
    """Every kind of account, all of which end at a server that repeats what it is sent."""

    def __init__(self, folder: Path, echo: Echo, sim: Sim, marks: Marks) -> None:
        self.folder, self.echo, self.sim, self.marks = folder, echo, sim, marks
        self.auth = folder / "auth"
        self.auth.mkdir(mode=0o700)
        self.key = marks("management key")
        self.client_keys = [marks.plain(f"client key {n}") for n in range(5)]
        self.client_key = self.client_keys[0]
        self.said: list[tuple[str, str]] = []
        self.file = folder / "etc" / "config.yaml"
        self.file.parent.mkdir()
        text = json.dumps(self._config(), indent=1)
        self.file.write_text(text)
        self.file.chmod(0o600)
        self.of_config = set(marks.values)
        for name, fields in self._files().items():
            (self.auth / f"{name}.json").write_text(json.dumps(fields))
        self._programs(folder / "home")
        self.proxy = Proxy(text)
        self.client = httpx.Client(timeout=30, trust_env=False)

    # ---- what there is --------------------------------------------------------------------------
    def _headers(self, name: str) -> dict[str, str]:
        return {
            "X-Api-Key": self.marks(f"{name} header"),
            "X-Corp-Token": self.marks(f"{name} corporate token"),
            "Cookie": f"session={self.marks(f'{name} cookie')}; theme=dark",
            "Ocp-Apim-Subscription-Key": self.marks(f"{name} subscription"),
        }

    def _proxy(self, name: str) -> str:
        return f"http://u:{self.marks.plain(f'{name} proxy password')}@127.0.0.1:{self.echo.port}"

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        addresses = [
            self.echo.url,
            f"http://u:{self.marks.plain(f'{kind} base-url password')}@127.0.0.1:{self.echo.port}",
            f"http://{self.marks.plain(f'{kind} base-url name')}@127.0.0.1:{self.echo.port}",
        ]
        if kind in BEARERS:
            # Beside a bearer there is no place for a user: those entries are refused, and told of.
            addresses[1:1] = [self.echo.url] * 2
        return [
            {
                "api-key": self.marks(f"{kind} key {n}"),
                "base-url": address,
                "prefix": f"k{n}-{kind}",
                "headers": self._headers(f"{kind} {n}"),
                "models": [{"name": f"{kind}-m", "alias": f"{kind}-m"}],
                **({"proxy-url": self._proxy(f"{kind} {n}")} if n == 0 else {}),
            }
            for n, address in enumerate(addresses)
        ]

    def _host(self, name: str, url: str, **more: Any) -> dict[str, Any]:
        proxy = more.pop("proxy", "")
        rows = [
            {"api-key": self.marks(f"{name} key {n}"), **({"proxy-url": proxy} if proxy else {})}
            for n in range(2)
        ]
        models = [{"name": f"{name}-m", "alias": f"{name}-m"}]
        return {"name": name, "base-url": url, "api-key-entries": rows, "models": models, **more}

    def _config(self) -> dict[str, Any]:
        marks, echo = self.marks, self.echo
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.closed = closed.getsockname()[1]
        dead = f"127.0.0.1:{self.closed}"
        compat = [
            self._host("good", self.sim.url, proxy="direct"),
            self._host("echo", echo.url, headers=self._headers("host")),
            self._host("dead", f"http://u:{marks.plain('base-url password')}@{dead}"),
            *(
                self._host(
                    f"via-{scheme}",
                    "http://upstream.invalid/v1",
                    proxy=f"{scheme}://u:{marks.plain(f'{scheme} password')}@{dead}",
                )
                for scheme in ("http", "socks5", "socks5h", "socks4")
            ),
            self._host(
                "secure",
                "https://upstream.invalid/v1",
                proxy=f"http://u:{marks.plain('tunnel password')}@127.0.0.1:{echo.port}",
            ),
            self._host("via-echo", "http://upstream.invalid/v1", proxy=self._proxy("refusing")),
        ]
        return {
            "api-keys": self.client_keys,
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
            "proxy-url": self._proxy("general"),
            "endpoints": {
                name: {
                    "api": echo.url,
                    **{
                        place: f"{echo.url}/{place}?key={marks.plain(f'{name} {place}')}"
                        for place in PLACES
                    },
                }
                for name in PROVIDERS
            },
            "oauth-clients": {
                name: {"id": f"id-{name}", "secret": marks(f"{name} client secret")}
                for name in ("gemini-cli", "antigravity", "iflow")
            },
            **{f"{kind}-api-key": self._entries(kind) for kind in LISTS},
            "openai-compatibility": compat,
            "ampcode": {
                "upstream-url": f"http://u:{marks.plain('amp password')}@127.0.0.1:1",
                "upstream-api-key": marks("amp key"),
                "upstream-api-keys": [
                    {"upstream-api-key": marks("amp key of one"), "api-keys": [marks("amp client")]}
                ],
            },
        }

    def _files(self) -> dict[str, dict[str, Any]]:
        marks, later = self.marks, written(time.time() + 7200)
        files: dict[str, dict[str, Any]] = {}
        for number in range(FILES):
            for kind in ("claude", "codex", "antigravity", "qwen", "kimi", "iflow", "xai"):
                name = f"{kind}{number}"
                files[name] = {
                    "type": kind,
                    "email": f"{name}@example.com",
                    "access_token": marks(f"{name} access"),
                    "refresh_token": marks(f"{name} refresh"),
                    "id_token": marks.token(f"{name} id token"),
                    "expired": later,
                    "last_refresh": written(time.time()),
                    "project_id": f"p{number}",
                    "device_secret": marks(f"{name} device secret"),
                    "code_verifier": marks(f"{name} verifier"),
                }
            files[f"iflow{number}"] |= {
                "cookie": f"BXAuth={marks(f'iflow{number} bx')};",
                "api_key": marks(f"iflow{number} api key"),
            }
            files[f"gemini{number}"] = {
                "type": "gemini",
                "email": f"gemini{number}@x",
                "project_id": f"p{number}",
                "token": {
                    "access_token": marks(f"gemini{number} access"),
                    "refresh_token": marks(f"gemini{number} refresh"),
                    "id_token": marks.token(f"gemini{number} id token"),
                    "client_id": "other",
                    "client_secret": marks(f"gemini{number} file secret"),
                    "expiry": later,
                },
            }
            files[f"vertex{number}"] = {
                "type": "vertex",
                "email": f"robot{number}@example.com",
                "project_id": f"p{number}",
                "location": "us-central1",
                "access_token": marks(f"vertex{number} access"),
                "expired": later,
                "service_account": {
                    "client_email": f"robot{number}@example.com",
                    "private_key_id": marks(f"vertex{number} key id"),
                    "private_key": marks.private_key(f"vertex{number} private key"),
                },
            }
        for name, fields in files.items():
            fields |= {
                "prefix": f"f-{name}",
                "headers": self._headers(f"{name} file"),
                "unknown": {"secret": marks(f"{name} unknown field")},
            }
            if name.endswith("1"):
                fields["proxy_url"] = self._proxy(f"{name} file")
        return files

    def _programs(self, home: Path) -> None:
        """Put the logins of other programs where those keep them."""
        marks = self.marks
        for place, found in {
            ".claude/.credentials.json": {
                "claudeAiOauth": {"accessToken": marks("program claude access"),
                                  "refreshToken": marks("program claude refresh")}},
            ".codex/auth.json": {
                "OPENAI_API_KEY": marks("program codex key"),
                "tokens": {"access_token": marks("program codex access"),
                           "refresh_token": marks("program codex refresh"),
                           "id_token": marks.token("program codex id")}},
            ".gemini/oauth_creds.json": {
                "access_token": marks("program gemini access"),
                "refresh_token": marks("program gemini refresh"),
                "id_token": marks.token("program gemini id")},
            ".qwen/oauth_creds.json": {
                "access_token": marks("program qwen access"),
                "refresh_token": marks("program qwen refresh"),
                "resource_url": "portal.qwen.ai"},
            ".kimi/credentials/kimi-code.json": {
                "access_token": marks("program kimi access"),
                "refresh_token": marks("program kimi refresh")},
            ".grok/auth.json": {
                "https://auth.x.ai/x": {"key": marks("program grok key"),
                                        "refresh_token": marks("program grok refresh")}},
            ".iflow/oauth_creds.json": {
                "apiKey": marks("program iflow key"),
                "access_token": marks("program iflow access"),
                "refresh_token": marks("program iflow refresh")},
        }.items():  # fmt: skip
            path = home / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found))

    # ---- what is done ---------------------------------------------------------------------------
    def note(self, where: str, what: object) -> None:
        """Remember what was told somewhere."""
        self.said.append((where, str(what)))

    def manage(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask the management API."""
        url = f"{self.proxy.url}/v0/management{path}"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        head = {"authorization": f"Bearer {self.key}"}
        answer = self.client.request(method, url, content=content, headers=head)
        self.note(f"{method} {path}", f"{answer.headers} {answer.text}")
        return answer

    def ask(
        self, dialect: str, model: str, *, stream: bool = False, body: Any = None
    ) -> httpx.Response:
        """Ask a model; the client's key stands in another place each time."""
        path, usual = raw.request(dialect, model, stream=stream)
        self._asked = getattr(self, "_asked", -1) + 1
        key, place = self.client_keys[self._asked % 5], self._asked % 5
        head, query = {}, ""
        if place < 3:
            names = ("authorization", "x-api-key", "x-goog-api-key")
            head = {names[place]: f"Bearer {key}" if place == 0 else key}
        else:
            query = f"{'&' if '?' in path else '?'}{('key', 'auth_token')[place - 3]}={key}"
        content = body if isinstance(body, bytes) else json.dumps(body or usual).encode()
        answer = self.client.post(self.proxy.url + path + query, content=content, headers=head)
        self.note(f"{dialect} {model} {answer.status_code}", f"{answer.headers} {answer.text}")
        return answer

    def do(self, coro: Any) -> Any:
        """Run something in the proxy's own loop."""
        return asyncio.run_coroutine_threadsafe(coro, self.proxy.loop).result(60)

    def models(self) -> list[str]:
        """Return one model of every account."""
        answer = raw.get(self.proxy, "/v1/models", key=self.client_key)
        found: dict[str, str] = {}
        for row in answer.json()["data"]:
            prefix, slash, _ = row["id"].partition("/")
            if slash:
                found.setdefault(prefix, row["id"])
        return list(found.values())


def leaks(world: World, where: list[tuple[str, str]]) -> list[str]:
    """Return which secrets stand where they must not."""
    found = {(name, place) for place, text in where for name in world.marks.found_in(text)}
    return sorted(f"{name} in {place}" for name, place in found)


def files(world: World) -> list[tuple[str, str]]:
    """Return all files but those that hold secrets by their nature."""
    home = world.folder / "home"
    return [
        (path.relative_to(world.folder).as_posix(), path.read_bytes().decode("latin-1"))
        for path in world.folder.rglob("*")
        if path.is_file()
        and path != world.file
        and home not in path.parents
        and (world.auth not in path.parents or path.suffix != ".json" or path.parent != world.auth)
    ]

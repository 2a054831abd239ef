"""Secrets: marked, sent through everything that can go wrong, and looked for wherever words go."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import json
import logging
import pkgutil
import re
import traceback
from pathlib import Path

import pytest
from msgspec import Struct

import cliproxy
from cliproxy import login
from cliproxy.app.debug import DebugServer
from cliproxy.app.doctor import examine
from cliproxy.app.watch import ConfigWatch
from cliproxy.base import redact
from cliproxy.base.errors import GatewayError
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.cli import accounts as accounts_command
from cliproxy.cli import connect as connect_command
from cliproxy.cli import doctor as doctor_command
from cliproxy.cli import explain as explain_command
from cliproxy.cli import importing as import_command
from cliproxy.cli import models as models_command
from cliproxy.cli import usage as usage_command
from cliproxy.keeper.pasted import Pasted
from cliproxy.login.flow import Problem
from cliproxy.observe import files as log_files
from cliproxy.observe import logs
from cliproxy.transport.client import Transport
from tests.security.echo import MANNERS, Echo
from tests.security.world import FILES, LISTS, PROVIDERS, Marks, World, files, leaks
from tests.server import raw
from tests.sim.server import Sim

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OWNERS = (
    "/config", "/config.yaml", "/auth-files/download", "/api-keys", "/gemini-api-key",
    "/claude-api-key", "/codex-api-key", "/xai-api-key", "/vertex-api-key",
    "/openai-compatibility", "/interactions-api-key", "/api-key-usage", "/proxy-url", "/ampcode",
    "/auth-files",
)  # fmt: skip
"""Where the owner is shown what was configured."""
DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini")


@pytest.fixture
def world(tmp_path, monkeypatch, caplog):
    marks = Marks()
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    monkeypatch.setenv("IFLOW_OAUTH_CLIENT_SECRET", marks("iflow client secret of the environment"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # So that logs are put aside again and again.
    monkeypatch.setattr(log_files, "TURN_OVER", 64 * 1024)
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
            caplog.set_level(logging.DEBUG, "cliproxy")
            yield found
    for handler in set(root.handlers) - set(before):
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("cliproxy").setLevel(own)


def settle(world, caplog):
    """Have everything written, and return it."""
    world.note("the log", caplog.text)
    world.proxy.settle()
    world.do(asyncio.to_thread(world.proxy.runtime.usage.close))
    return world.said + files(world)


def refuse_everything(world, manners=MANNERS):
    """Ask upstreams that repeat what they were sent, whichever way they say no."""
    models, echo = world.models(), world.echo
    assert len([m for m in models if re.match(r"k\d-", m)]) == 3 * len(LISTS), models
    assert len([m for m in models if m.startswith("f-")]) == FILES * len(PROVIDERS), models
    dialects = itertools.cycle(DIALECTS)
    for number, (echo.manner, echo.status) in enumerate(manners):
        # All of them once, then one of each kind in turn.
        chosen = models[number % 3 :: 3] if number else models
        for model, stream in zip(chosen, itertools.cycle((True, False, True)), strict=False):
            world.ask(next(dialects), model, stream=stream)
        world.manage("DELETE", "/cooldowns")
    return models


def test_no_secret_is_told_by_an_upstream_that_repeats_it(world, caplog):
    for dialect in raw.SHAPES:
        assert world.ask(dialect, "good-m").status_code == 200
        assert world.ask(dialect, "good-m", stream=True).status_code == 200
    models, echo = refuse_everything(world), world.echo
    # What passes verbatim, in each dialect.
    own = {"openai-chat": "echo-m", "openai-responses": "k1-codex/codex-m",
           "anthropic": "k1-claude/claude-m", "gemini": "k1-gemini/gemini-m"}  # fmt: skip
    for echo.manner, echo.status in MANNERS:
        for dialect, model in own.items():
            world.ask(dialect, model, stream=True)
            world.ask(dialect, model)
        world.manage("DELETE", "/cooldowns")
    echo.manner, echo.status = "refusal", 429
    for model, dialect in itertools.product(("echo-m", "k1-claude/claude-m"), raw.SHAPES):
        assert world.ask(dialect, model).status_code >= 400
    world.manage("GET", "/cooldowns")
    for name, dialect in itertools.product(
        ("dead", "via-http", "via-socks5", "via-socks5h", "via-socks4", "secure", "via-echo"),
        raw.SHAPES,
    ):
        assert world.ask(dialect, f"{name}-m").status_code >= 400
    world.proxy.loop.call_soon_threadsafe(world.proxy.runtime.save_cooldowns)
    for model in models:
        world.manage("POST", "/explain", {"model": model})
    for entry in world.manage("GET", "/requests").json()["requests"]:
        world.manage("GET", f"/requests/{entry['id']}")
        world.manage("GET", f"/request-log-by-id/{entry['id']}")
    heard = world.marks.found_in("".join(echo.heard))
    assert len(heard) > 150, f"the upstreams were not sent what they repeat: {len(heard)}"
    told = settle(world, caplog)
    assert not leaks(world, told)
    names = [Path(place) for place, _ in told]
    assert {".db", ".cds", ".log"} <= {name.suffix for name in names}
    assert [n for n in names if n.name.startswith("main-")], "no log was put aside"


def test_no_secret_is_told_by_a_login_that_fails(world, caplog):
    echo, proxy, runtime = world.echo, world.proxy, world.proxy.runtime
    keeper = runtime.keeper
    for echo.manner, echo.status in (("refusal", 400), ("slashes", 500), ("nested", 401)):
        for credential in keeper.credentials():
            for asked in (keeper.quota(credential), keeper.models(credential)):
                try:
                    world.do(asked)
                except Problem as err:
                    told = "".join(traceback.format_exception(err))
                    world.note(f"question of {credential.name}", f"{told} {err.message} {err!r}")
    keeper.times.clear() if hasattr(keeper, "times") else None
    for credential in keeper.credentials():
        credential.state = "ok"
        world.do(keeper.renew(credential, spent=credential.token))
        world.note(f"refresh of {credential.name}", f"{credential.problem} {credential!r}")
    problems = [c for c in keeper.credentials() if c.problem]
    assert len(problems) > FILES * len(PROVIDERS) // 2
    logins = runtime.logins
    for provider in ("gemini-cli", "antigravity", "iflow", "codex", "claude"):
        pending = world.do(logins.start(provider, "browser"))
        code = world.marks(f"{provider} code")
        proxy.loop.call_soon_threadsafe(logins.callback, Pasted(code, pending.state))
        world.do(logins.wait(pending))
        assert pending.status == "error"
        world.note(f"login of {provider}", f"{pending.error} {pending!r}")
        world.manage("GET", f"/get-auth-status?state={pending.state}")
    for provider in ("qwen", "kimi", "xai"):
        with pytest.raises(Problem) as caught:
            world.do(logins.start(provider, "device" if provider != "xai" else ""))
        world.note(f"login of {provider}", caught.value.message)
    world.manage("POST", "/iflow-auth-url", {"cookie": f"BXAuth={world.marks('a new cookie')};"})
    heard = world.marks.found_in("".join(echo.heard))
    assert len(heard) > 40, f"the servers were not sent what they repeat: {len(heard)}"
    assert not leaks(world, settle(world, caplog))


def test_the_management_api_shows_secrets_where_it_says_so_alone(world, caplog):
    world.echo.manner, world.echo.status = "refusal", 401
    described = world.manage("GET", "/openapi.json").json()
    shown: list[tuple[str, str]] = []
    for path, methods in described["paths"].items():
        path = path.removeprefix("/v0/management")
        if "get" not in methods or "{" in path or path.endswith("-auth-url"):
            continue
        before = len(world.said)
        world.manage("GET", path)
        if path.startswith(OWNERS):
            shown += world.said[before:]
            del world.said[before:]
    for place, text in shown:
        others = world.marks.found_in(text) - world.of_config
        assert all(name.endswith("file proxy password") for name in others), place
    for name in ("claude0.json", "vertex1.json", "gemini2.json"):
        for path in ("/auth-files/models", "/auth-files/quota"):
            world.manage("GET", f"{path}?name={name}")
    # What somebody sends and what cannot be used is not repeated.
    for path, methods in described["paths"].items():
        path = path.removeprefix("/v0/management")
        if path == "/config.yaml":
            continue
        for number, method in enumerate({"put", "patch", "post"} & set(methods)):
            sent = world.marks.plain(f"sent to {path} {number}")
            for body in (
                f'{{"value": "{sent}',
                f'[{{"api-key": ["{sent}"]}}, 7]',
                f'{{"value": {{"{sent}": ["{sent}"]}}}}',
            ):
                world.manage(method.upper(), path.replace("{", "").replace("}", ""), body.encode())
    # A provider that repeats the token that it was asked with.
    listed = world.manage("GET", "/auth-files").json()["files"]
    world.said.pop()
    for file in listed:
        world.manage(
            "POST",
            "/api-call",
            {
                "auth_index": file["auth_index"],
                "method": "GET",
                "url": f"http://127.0.0.1:{world.echo.port}/profile",
                "header": {"Authorization": "Bearer $TOKEN$"},
            },
        )
    raw.get(world.proxy, f"/v1/nothing?key={world.client_key}", key=None)
    for n in range(3):
        raw.get(world.proxy, "/v1/models", key=world.marks.plain(f"a wrong client key {n}"))
        wrong = world.marks.plain(f"a wrong management key {n}")
        answer = world.client.get(
            f"{world.proxy.url}/v0/management/config", headers={"x-management-key": wrong}
        )
        world.note("a wrong management key", answer.text)
    told = settle(world, caplog)
    assert not leaks(world, told)


def test_a_configuration_that_cannot_be_used_is_not_quoted(world, caplog):
    watch = ConfigWatch(world.file, world.proxy.runtime.control.apply)

    async def look():
        watch.check()

    good = world.file.read_text()
    key = world.marks.plain("key in a bad file")
    short = world.marks.values["short"] = "p4ss-w0rd!xyzxyzxyz"
    short = short[:15]
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
        f"port: {short}\ndebug: {short}\nusage: {{max-size-mb: {short}}}",
        f"routing: {{strategy: {short}}}",
        f"providers: [{{type: {short}}}]",
        f"payload: {{default: [{{models: [{{name: {key}}}], params: {{'[{key}': 1}}}}]}}",
        f"fallback: {{{key}: [{key}, {{x: {key}}}]}}",
        f"endpoints: {key}\noauth-clients: [{key}]",
    ):
        world.file.write_text(bad)
        world.do(look())
        answer = world.manage("PUT", "/config.yaml", bad.encode())
        assert short not in answer.text
        with contextlib.suppress(Exception):
            models_command.command(str(world.file), as_json=False)
        world.file.write_text(good)
    world.do(look())
    assert short not in caplog.text
    assert not leaks(world, settle(world, caplog))


def test_the_commands_tell_no_secret(world, caplog, capsys):
    refuse_everything(world, MANNERS[:1])
    path = str(world.file)
    for as_json in (True, False):
        accounts_command.command(path, None, None, quota=True, as_json=as_json)
        accounts_command.command(None, world.proxy.url, world.key, quota=True, as_json=as_json)
        usage_command.command(
            usage_command.Question("client,account"), path, None, None, as_json=as_json
        )
        models_command.command(path, as_json=as_json)
        for model, dialect in zip(world.models(), itertools.cycle(DIALECTS), strict=False):
            explain_command.command(model, path, dialect, None, stream=False, as_json=as_json)
        with contextlib.suppress(SystemExit):
            doctor_command.command(path, as_json=as_json)
    for mode in (None, "link", "copy"):
        import_command.command(path, (), mode, dry_run=True)
    printed = capsys.readouterr()
    assert "Claude Code" in printed.out
    connect_command.command("curl", path, None, None)
    connected = capsys.readouterr()
    # It is there to tell a key to a client: the first one, and no more.
    assert world.marks.found_in(connected.out) == {"client key 0"}
    world.note("doctor", asyncio.run(examine(world.proxy.loaded, world.file)))
    for stream in (printed.out, printed.err, connected.err):
        world.note("what is printed", stream)
    assert not leaks(world, settle(world, caplog))


def test_what_programs_print_of_their_objects_is_no_secret(world, caplog, monkeypatch):
    proxy, runtime = world.proxy, world.proxy.runtime
    keeper, logins = runtime.keeper, runtime.logins
    for thing in (
        runtime.config, runtime.accounts, keeper.credentials(), keeper.settings,
        keeper.store.snapshot(), runtime.control.keys, list(runtime._transport._vias.values()),
        runtime.app.generation, runtime.app.generation.gateway, proxy.loaded,
        [keeper.setting(name) for name in login.providers()], logins.waiting(),
        [vars(w) for w in logins._waiting.values()],
    ):  # fmt: skip
        world.note(f"the repr of {type(thing).__name__}", repr(thing))

    # A fault of our own, whose words hold whatever was at hand.
    gateway = runtime.app.generation.gateway

    def fail(request, target, **kwargs):
        raise RuntimeError(f"{request!r} {target!r} {gateway.settings!r} {kwargs!r}")

    monkeypatch.setattr("cliproxy.pipeline.attempt.prepare", fail)
    for model, dialect in zip(world.models(), itertools.cycle(raw.SHAPES), strict=False):
        assert world.ask(dialect, model, stream=True).status_code == 500
    assert "RuntimeError" in caplog.text
    assert not leaks(world, settle(world, caplog))


def test_what_cannot_be_reached_leaves_no_secret_in_a_traceback(world, caplog):
    proxies = [f"{scheme}://u:{world.marks.plain(scheme)}@127.0.0.1:{world.closed}"
               for scheme in ("http", "socks5", "socks4")]  # fmt: skip
    proxies += [f"http://u:{world.marks.plain('refusing')}@127.0.0.1:{world.echo.port}"]
    key = world.marks.plain("in the address")

    async def all_of_them():
        transport = Transport()
        try:
            for proxy, url in itertools.product(
                (*proxies, "direct"),
                (
                    f"http://u:{key}@127.0.0.1:{world.closed}/x?key={key}",
                    f"https://u:{key}@127.0.0.1:{world.closed}/x?key={key}",
                    f"http://u:{key}@upstream.invalid/?key={key}",
                    f"http://u:{key}@[::1/?key={key}",
                ),
            ):
                request = HttpRequest("GET", url, {"x-api-key": key}, b"", proxy)
                try:
                    (await transport.send(request, Timeouts())).close()
                except GatewayError as err:
                    world.note(proxy[:9], f"{err.message} {err!r} {request!r}")
        finally:
            await transport.close()

    asyncio.run(all_of_them())
    assert len(world.said) > 12
    assert not leaks(world, world.said)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_client_sends_is_not_quoted_when_it_is_refused(world, caplog, dialect):
    marks = world.marks
    world.echo.manner, world.echo.status = "refusal", 500
    usual = raw.request(dialect)[1]

    def mark():
        return marks.plain(f"sent {len(marks.values)}")

    where = "contents" if dialect == "gemini" else "input" if "responses" in dialect else "messages"
    for body in (
        f'{{"model": "m", "key": "{mark()}'.encode(),
        f'["{mark()}"]'.encode(),
        f'"{mark()}"'.encode(),
        f'{{"{mark()}": nan}}'.encode(),
        mark().encode(),
        {**usual, where: mark()}
        if dialect != "openai-responses"
        else {**usual, where: {mark(): 1}},
        {**usual, where: [mark()]},
        {**usual, where: [{"role": "user", "content": mark(), "parts": mark()}]},
        {**usual, where: [{"role": "user", "content": [{"type": "text", "text": [mark()]}]}]},
        {**usual, "stream": mark()},
        {**usual, "tools": mark(), "tool_choice": mark()},
        {**usual, "tools": [{"type": "function", "function": mark(), "name": [mark()]}]},
        {**usual, "temperature": mark(), "max_tokens": mark(), "generationConfig": mark()},
        {**usual, "metadata": {"token": mark()}, "user": mark(), "system": {"x": mark()}},
    ):
        for model in ("good-m", "k1-claude/claude-m", "k1-gemini/gemini-m"):
            sent = body if isinstance(body, bytes) else {**body, "model": model}
            if world.ask(dialect, model, body=sent).status_code == 200:
                # A model that says the same again.
                world.said.pop()
    told = settle(world, caplog)
    # The log of whole requests has their bodies in it, as it says.
    bodies = [place for place, _ in told if place.startswith("logs/v1")]
    assert bodies
    assert not leaks(world, [(place, text) for place, text in told if place not in bodies])


def test_there_are_enough_of_them(world):
    assert len(world.marks.values) >= 500
    assert len(set(world.marks.values.values())) == len(world.marks.values)


def test_the_debug_endpoint_tells_no_secret(world):
    async def pages():
        server = DebugServer()
        await server.apply(enable=True, address="127.0.0.1:0")
        try:
            found = []
            for page in ("tasks", "threads", "memory", "profile?seconds=0.1", "x?key=y"):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(f"GET /debug/{page} HTTP/1.1\r\n\r\n".encode())
                found.append((await reader.read()).decode())
                writer.close()
            return found
        finally:
            await server.close()

    world.ask("openai-chat", "good-m", stream=True)
    for page in world.do(pages()):
        assert "HTTP/1.1" in page
        world.note("the debug endpoint", page)
    assert not leaks(world, world.said)


def test_a_password_in_an_address_is_not_listed(world):
    told = world.manage("GET", "/accounts").text
    assert not world.marks.found_in(told)


# ---- what is built later ------------------------------------------------------------------------
WORDS = {
    "headers", "client_headers", "http", "url", "base_url", "query", "proxy", "proxy_url",
    "api_key", "secret_key", "token", "secret", "password", "code", "cookie", "fields", "options",
    "verifier", "body",
}  # fmt: skip
HARMLESS = {"Endpoint", "Matcher", "Fate"}
"""They have such words for other things."""


def structs():
    for module in pkgutil.walk_packages(cliproxy.__path__, "cliproxy."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    todo = [Struct]
    while todo:
        found = todo.pop().__subclasses__()
        todo += found
        yield from found


def test_whatever_has_a_place_for_secrets_does_not_print_itself():
    telling = {
        f"{found.__module__}.{found.__name__}"
        for found in structs()
        if found.__module__.startswith("cliproxy.")
        and not found.__module__.startswith("cliproxy.ir.")
        and WORDS & set(found.__struct_fields__)
        and found.__repr__ is Struct.__repr__
        and found.__name__ not in HARMLESS
    }
    assert not telling
    assert redact.Hidden.__repr__ is not Struct.__repr__


def test_the_page_that_asks_what_is_known_of_a_login_hides_it(world):
    for file in world.manage("GET", "/auth-files").json()["files"]:
        # A proxy's address is there to be edited, as it is among the settings.
        proxy = file.pop("proxy_url", "")
        assert not world.marks.found_in(json.dumps(file)), file["name"]
        assert len(world.marks.found_in(proxy)) <= 1

"""What must be true of every provider's accounts, told once.

A provider's test module holds a `Provider` (its simulated servers and what they know) and one class:

    class TestKimi(Suite):
        provider = KimiAccounts
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import pytest

from cliproxy.account.credential import written
from cliproxy.keeper.pasted import read_callback
from tests.clients.sdk import DIALECTS, Scenario, ask
from tests.proxy import Proxy
from tests.sim.server import Sim


class Provider(Protocol):
    """A provider's simulated servers. A context manager; fresh for every test."""

    name: str
    """The provider key."""
    way: str
    """The way of logging in that is tested; "" = the provider has no login."""
    file_type: str
    """The `type` of its files."""
    model: str
    """A model of its catalogue, as clients name it."""
    upstream: Sim
    """Where the models are. `upstream.keys` holds the access tokens that are good now."""
    refreshes: int
    """How many refreshes were answered with a token."""
    reused: int
    """How often a refresh token was used that was spent already."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

    def config(self) -> str:
        """Return the configuration that leads to these servers (`endpoints:`, `oauth-clients:`)."""
        ...

    def approve(self, url: str, code: str) -> str:
        """Be the person: log in at `url` (with `code`); return the address the browser ends at."""
        ...

    def file(self, number: int = 0) -> dict[str, Any]:
        """Return the credential file of an account the servers know, without its end."""
        ...

    def revoke(self) -> None:
        """Take the refresh tokens of all accounts away."""
        ...

    def limit(self, seconds: int) -> object:
        """Return the answer (for `Sim.script`) of an account at its limit for `seconds`."""
        ...

    def shows_quota(self) -> dict[str, float]:
        """Return used per cent by window id that the quota endpoint tells now; {} = it has none."""
        ...


class Running:
    """A proxy over an auth directory, and its provider."""

    def __init__(self, provider: Provider, folder: Path, proxy: Proxy) -> None:
        self.provider = provider
        self.folder = folder
        self.proxy = proxy

    def do(self, coro: Any) -> Any:
        """Run something in the proxy's loop."""
        return asyncio.run_coroutine_threadsafe(coro, self.proxy.loop).result(30)

    def ask(self, dialect: str = "openai-chat", *, stream: bool = False, **said: Any):
        """Ask the provider's model through an official SDK."""
        return ask(
            dialect,
            self.proxy.url,
            self.proxy.key,
            self.provider.model,
            Scenario(**{"question": "Hello?", **said}),
            stream=stream,
        )

    def refused(self) -> tuple[int, dict[str, str], Any]:
        """Ask, and return status, headers and body of the refusal."""
        body = {
            "model": self.provider.model,
            "messages": [{"role": "user", "content": "Hello?"}],
        }
        request = urllib.request.Request(
            f"{self.proxy.url}/v1/chat/completions",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {self.proxy.key}", "content-type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=60)
        with caught.value as answer:
            headers = {k.lower(): v for k, v in answer.headers.items()}
            return answer.code, headers, json.loads(answer.read())

    def credential(self):
        """Return the only login there is."""
        (found,) = self.proxy.runtime.keeper.credentials()
        return found


class Suite:
    """The tests."""

    provider: ClassVar[Any]
    rotates: ClassVar[bool] = True
    """Whether every refresh brings another refresh token."""

    @pytest.fixture
    def servers(self):
        with self.provider() as servers:
            self._file = servers.file
            yield servers

    @pytest.fixture
    def start(self, servers):
        running: list[Proxy] = []
        with tempfile.TemporaryDirectory() as folder:

            def start(*files: dict[str, Any], extra: str = "") -> Running:
                for number, fields in enumerate(files):
                    path = Path(folder) / f"{servers.name}-{number}.json"
                    path.write_text(json.dumps(fields))
                proxy = Proxy(f"auth-dir: {folder}\n{servers.config()}\n{extra}")
                running.append(proxy)
                proxy.__enter__()
                return Running(servers, Path(folder), proxy)

            yield start
            for proxy in running:
                proxy.__exit__(None, None, None)

    def fresh(self, number: int = 0, **more: Any) -> dict[str, Any]:
        """Return an account's file whose token is good for an hour."""
        return self._ending(time.time() + 3600, number) | more

    def ended(self, number: int = 0) -> dict[str, Any]:
        """Return an account's file whose token has ended."""
        return self._ending(time.time() - 60, number)

    def _ending(self, at: float, number: int) -> dict[str, Any]:
        fields = self._file(number)
        if isinstance(fields.get("token"), dict):
            return fields | {"token": {**fields["token"], "expiry": written(at)}}
        return fields | {"expired": written(at), "last_refresh": written(time.time())}

    # ---- login ----------------------------------------------------------------------------------
    def test_a_login_makes_an_account_that_answers_at_once(self, start):
        running = start()
        if not running.provider.way:
            pytest.skip("accounts of this provider are files")
        logins = running.proxy.runtime.logins
        pending = running.do(logins.start(running.provider.name, running.provider.way))
        back = running.provider.approve(pending.url, pending.user_code)
        if back:
            heard = read_callback(back)
            assert heard is not None
            logins_callback = running.proxy.loop.call_soon_threadsafe
            logins_callback(logins.callback, heard)
        running.do(logins.wait(pending))
        assert (pending.status, pending.error) == ("ok", "")
        kept = json.loads((running.folder / pending.name).read_text())
        assert kept["type"] == running.provider.file_type
        assert (running.folder / pending.name).stat().st_mode & 0o777 == 0o600
        assert running.ask().text == "You said: Hello?"

    # ---- calls ----------------------------------------------------------------------------------
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_every_dialect_is_answered(self, start, dialect, stream):
        running = start(self.fresh())
        result = running.ask(dialect, stream=stream)
        assert (result.text, result.finish) == ("You said: Hello?", "stop")
        assert result.output is not None

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_tools_are_called_in_every_dialect(self, start, dialect):
        from tests.sim.script import Answer, Call

        running = start(self.fresh())
        running.provider.upstream.script(
            Answer(tools=(Call("get_weather", {"city": "Oslo", "days": 2}),))
        )
        result = running.ask(dialect, tools=True)
        assert [(name, given) for _, name, given in result.calls] == [
            ("get_weather", {"city": "Oslo", "days": 2})
        ]
        assert result.finish == "tool_calls"

    def test_its_models_are_listed(self, start):
        running = start(self.fresh())
        request = urllib.request.Request(
            f"{running.proxy.url}/v1/models",
            headers={"authorization": f"Bearer {running.proxy.key}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            listed = [m["id"] for m in json.loads(answer.read())["data"]]
        assert running.provider.model in listed

    # ---- expiry and refresh ---------------------------------------------------------------------
    def test_a_token_that_has_ended_is_renewed_unfelt(self, start):
        running = start(self.ended())
        running.provider.upstream.keys = set()
        assert running.ask().text == "You said: Hello?"
        kept = json.loads(next(running.folder.glob("*.json")).read_text())
        assert running.credential().token in json.dumps(kept)
        assert (running.credential().expires or 0) > time.time()
        assert (running.provider.refreshes, running.provider.reused) == (1, 0)
        assert running.ask().text == "You said: Hello?"
        assert running.provider.refreshes == 1

    def test_a_token_that_is_refused_early_is_renewed_unfelt(self, start):
        running = start(self.fresh())
        running.provider.upstream.keys = {"none of those given so far"}
        assert running.ask(stream=True).text == "You said: Hello?"
        assert running.provider.refreshes == 1
        assert running.credential().state == "ok"

    def test_unknown_fields_survive_a_refresh(self, start):
        running = start(self.ended() | {"note": "mine", "x-unknown": {"a": [1]}, "priority": 3})
        running.ask()
        kept = json.loads(next(running.folder.glob("*.json")).read_text())
        assert (kept["note"], kept["x-unknown"], kept["priority"]) == ("mine", {"a": [1]}, 3)

    def test_an_account_that_was_revoked_says_so_and_others_serve(self, start):
        running = start(self.ended())
        running.provider.revoke()
        status, _, body = running.refused()
        assert status in (401, 403)
        assert "login" in json.dumps(body)
        assert running.credential().state in ("needs_login", "revoked")
        assert running.credential().problem

    def test_another_account_takes_over_from_one_that_was_revoked(self, start):
        running = start(self.ended(0) | {"priority": 5}, self.fresh(1))
        running.provider.revoke()
        assert running.ask().text == "You said: Hello?"

    # ---- limits ---------------------------------------------------------------------------------
    def test_a_limit_is_told_with_its_end(self, start):
        running = start(self.fresh())
        running.provider.upstream.script(running.provider.limit(600))
        status, _, _ = running.refused()
        assert status == 429
        status, headers, _ = running.refused()
        assert status == 429
        assert 500 < int(headers["retry-after"]) <= 700
        assert len([r for r in running.provider.upstream.requests if r.method == "POST"]) == 1

    def test_another_account_takes_over_at_a_limit_unfelt(self, start):
        running = start(self.fresh(0) | {"priority": 5}, self.fresh(1))
        running.provider.upstream.script(running.provider.limit(600))
        assert running.ask().text == "You said: Hello?"
        assert running.ask(stream=True).text == "You said: Hello?"

    # ---- quota ----------------------------------------------------------------------------------
    def test_what_is_left_is_known(self, start):
        running = start(self.fresh())
        report = running.do(running.proxy.runtime.keeper.quota(running.credential()))
        told = running.provider.shows_quota()
        if not told:
            assert report is None
            return
        found = {
            w.id: round(w.used_percent, 3) for w in report.windows if w.used_percent is not None
        }
        assert found == {key: round(value, 3) for key, value in told.items()}

    # ---- honesty --------------------------------------------------------------------------------
    def test_we_say_who_we_are_and_nothing_leaks(self, start, caplog):
        running = start(self.fresh())
        running.ask("openai-chat")
        sent = running.provider.upstream.requests[-1]
        assert sent.headers["user-agent"].startswith("cliproxy/")
        token = running.credential().token
        assert token not in caplog.text
        assert token not in repr(running.credential())

"""What goes wrong with logins of Qwen, Kimi, xAI and iFlow, through the whole proxy."""

from __future__ import annotations

import json

import pytest

from cliproxy.login.flow import Problem
from tests.accounts.suite import Suite
from tests.sim.accounts_devices import IFlowServer, KimiServer, QwenServer, XAIServer
from tests.sim.script import Raw

SERVERS = [QwenServer, KimiServer, XAIServer, IFlowServer]


class Base(Suite):
    """The fixtures of the suite, without its tests."""


for _name in [name for name in dir(Suite) if name.startswith("test_")]:
    setattr(Base, _name, None)


class TestRefreshes(Base):
    provider = None

    @pytest.fixture(params=SERVERS, ids=lambda server: server.name)
    def servers(self, request):
        with request.param() as servers:
            self._file = servers.file
            yield servers

    def test_a_lost_answer_does_not_spend_a_token_twice_unnoticed(self, start, servers):
        running = start(self.ended())
        servers.lose_next = servers.token_path
        status, _, _ = running.refused()
        assert status >= 400
        assert running.credential().state == "network"
        assert servers.refreshes == 1
        assert servers.reused == 0

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_server_in_trouble_ends_no_login(self, start, servers, status):
        running = start(self.ended())
        busy = Raw(b'{"error": "busy"}', status, headers={"retry-after": "60"})
        servers.instead(servers.token_path, busy)
        assert running.refused()[0] >= 400
        assert running.credential().state in ("network", "limited")
        assert servers.refreshes == 0

    def test_a_page_instead_of_an_answer_ends_no_login(self, start, servers):
        running = start(self.ended())
        servers.instead(servers.token_path, Raw(b"<html>Just a moment</html>"))
        assert running.refused()[0] >= 400
        assert running.credential().state == "network"

    def test_a_token_used_elsewhere_needs_a_login(self, start, servers):
        fields = self.ended()
        servers.refreshable.clear()
        servers.spent.add(fields["refresh_token"])
        running = start(fields)
        assert running.refused()[0] in (401, 403)
        assert running.credential().state == "needs_login"
        assert servers.reused == 1


class TestDeclining(Base):
    provider = None

    @pytest.fixture(params=SERVERS[:3], ids=lambda server: server.name)
    def servers(self, request):
        with request.param() as servers:
            self._file = servers.file
            yield servers

    def test_a_person_may_say_no(self, start, servers):
        running = start()
        servers.declined = True
        logins = running.proxy.runtime.logins
        pending = running.do(logins.start(servers.name, "device"))
        running.do(logins.wait(pending))
        assert pending.status == "error"
        assert "declined" in pending.error
        assert not list(running.folder.glob("*.json"))


class TestIFlowCookies(Base):
    provider = IFlowServer

    def test_a_cookie_makes_an_account_that_answers_and_renews_itself(self, start, servers):
        running = start()
        logins = running.proxy.runtime.logins
        options = {"cookie": "a=1; BXAuth=good; b=2"}
        pending = running.do(logins.start("iflow", "cookie", options))
        running.do(logins.wait(pending))
        assert (pending.status, pending.error) == ("ok", "")
        assert running.ask().text == "You said: Hello?"
        servers.upstream.keys = {"none of those given so far"}
        assert running.ask().text == "You said: Hello?"
        kept = json.loads(next(running.folder.glob("*.json")).read_text())
        assert kept["cookie"] == "BXAuth=good;"
        assert servers.refreshes == 2

    def test_a_cookie_that_is_none_is_refused(self, start):
        running = start()
        logins = running.proxy.runtime.logins
        with pytest.raises(Problem, match="not logged in"):
            running.do(logins.start("iflow", "cookie", {"cookie": "BXAuth=bad"}))

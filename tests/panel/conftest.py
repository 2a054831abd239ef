"""The built panel in a real browser, in front of a real proxy with simulated providers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx2 as httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    WebError,
    expect,
    sync_playwright,
)
from playwright.sync_api import Request as Asked

from cliproxy.manage.panel import built
from tests.manage.conftest import CLIENT_KEY, HEAD, KEY, Managed, Shared
from tests.proxy import Proxy
from tests.sim import Sim

AXE = Path(__file__).parents[2] / "panel/node_modules/axe-core/axe.min.js"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         "--renderer-process-limit=1", "--in-process-gpu", "--disable-extensions",
         "--disable-features=Translate,OptimizationHints,MediaRouter,SpareRendererForSitePerProcess",
         # Nothing but this machine is there.
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # fmt: skip
REFUSED = re.compile(r"Failed to load resource: .* status of (\d+)")
USUAL: dict[str, Any] = {"locale": "en-GB", "reduced_motion": "reduce"}
WAIT = 10_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.needs_browser)


class Chromium:
    """A browser for all tests, whose event loop is only seen by those that use it."""

    def __init__(self, browser: Browser, loop: asyncio.AbstractEventLoop) -> None:
        self.browser, self.loop = browser, loop
        self._usual: BrowserContext | None = None
        self.leaving: list[Proxy] = []
        """Proxies that were told to end: that takes a moment which nobody needs to wait for."""

    @contextmanager
    def used(self) -> Iterator[Self]:
        # Playwright leaves its loop running in this thread; others start theirs here.
        asyncio._set_running_loop(self.loop)
        try:
            yield self
        finally:
            asyncio._set_running_loop(None)

    def context(self, **options: Any) -> BrowserContext:
        """Return a profile: the usual one, which every origin sees empty, or one of its own."""
        if self._usual is not None and not options:
            return self._usual
        size = {"width": 1280, "height": 900}
        context = self.browser.new_context(viewport=size, **USUAL | options)
        context.set_default_timeout(WAIT)
        if not options:
            self._usual = context
        return context


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium")
    if not (built() / "index.html").is_file():
        pytest.skip("the panel is not built")
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        found = Chromium(browser, asyncio.get_running_loop())
        asyncio._set_running_loop(None)
        yield found
        asyncio._set_running_loop(found.loop)
        browser.close()
    asyncio._set_running_loop(None)
    for proxy in found.leaving:
        proxy.__exit__(None, None, None)


class Panel:
    """One page of the panel, and the proxy behind it."""

    def __init__(self, context: BrowserContext, managed: Managed) -> None:
        self.managed = managed
        self.origin = managed.proxy.url
        self.refused: set[int] = set()
        """Statuses that the test means to provoke."""
        self.faults: list[str] = []
        self.context = context
        # Listened to and not routed: a browser that is routed keeps no files.
        self._heard = {"weberror": self._thrown, "console": self._said, "request": self._asked}
        for name, hear in self._heard.items():
            context.on(name, hear)
        self.page: Page = context.new_page()

    def _asked(self, request: Asked) -> None:
        if not request.url.startswith((self.origin + "/", "blob:" + self.origin, "data:")):
            self.faults.append(f"left home: {request.url}")

    def _thrown(self, error: WebError) -> None:
        self.faults.append(f"thrown: {error.error}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        told = REFUSED.match(message.text)
        if not told or int(told[1]) not in self.refused:
            self.faults.append(f"said: {message.text} ({message.location.get('url')})")

    def close(self) -> None:
        """Leave, and fail if the page did what it should not."""
        self.context.unroute_all(behavior="ignoreErrors")
        self._forget()
        for page in self.context.pages:
            page.close()
        for name, hear in self._heard.items():
            self.context.remove_listener(name, hear)
        assert not self.faults, "\n".join(self.faults)

    def _forget(self) -> None:
        """Let the next test find a browser that was never here."""
        page = next((page for page in self.context.pages if not page.is_closed()), None)
        if page is None:
            return
        protocol = self.context.new_cdp_session(page)
        asked = {"origin": self.origin, "storageTypes": "local_storage"}
        protocol.send("Storage.clearDataForOrigin", asked)
        protocol.detach()

    # ---- moving ---------------------------------------------------------------------------------
    def signed_in(self) -> Panel:
        self.page.add_init_script(f"sessionStorage.setItem('cliproxy.key', '{KEY}')")
        return self

    def open(self, at: str = "") -> Panel:
        """Load the panel at one of its pages."""
        self.page.goto(f"{self.origin}/management.html#/{at}")
        self.page.wait_for_selector("h1")
        return self

    def go(self, at: str) -> Panel:
        """Go to another page of the panel that is loaded."""
        self.page.evaluate("at => { location.hash = '#/' + at }", at)
        return self

    # ---- looking --------------------------------------------------------------------------------
    def heading(self, name: str) -> Locator:
        return self.page.get_by_role("heading", name=name, exact=True)

    def button(self, name: str, inside: Locator | None = None) -> Locator:
        return (inside or self.page).get_by_role("button", name=name, exact=True)

    def account(self, name: str) -> Locator:
        return self.page.get_by_role("listitem", name=name, exact=True)

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def axe(self) -> list[str]:
        """Return what is wrong with this page for somebody who cannot see or point."""
        # Through the protocol: the page's own policy stays in force.
        protocol = self.context.new_cdp_session(self.page)
        if not self.page.evaluate("'axe' in window"):
            protocol.send("Runtime.evaluate", {"expression": AXE.read_text()})
        script = (
            "axe.run({resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a',"
            " 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => JSON.stringify(r.violations.map("
            "v => `${v.id}: ${v.nodes[0].html.slice(0, 200)} ${v.nodes[0].failureSummary}`)))"
        )
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        found = protocol.send("Runtime.evaluate", asked)
        protocol.detach()
        return json.loads(found["result"]["value"])

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        # Of the window, the place of the scroll bar is nobody's.
        room = "document.body.getBoundingClientRect().width"
        return int(self.page.evaluate(f"document.documentElement.scrollWidth - Math.ceil({room})"))

    # ---- the proxy behind it --------------------------------------------------------------------
    def chat(self, model: str, **more: Any) -> httpx.Response:
        """Ask as a client would."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hello?"}], **more}
        return self.managed.client.post(
            "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {CLIENT_KEY}"}
        )

    def until_counted(self) -> None:
        """Wait until the usage table has all requests: it is written behind the answers."""
        self.managed.proxy.settle()
        assert self.managed.control.usage.store.flush(WAIT / 1000)


class Visits:
    """Opens panels, each in front of a proxy of its own; all are closed at the end."""

    def __init__(self, chromium: Chromium, folder: Path, shared: Shared) -> None:
        self.chromium, self.folder, self.shared = chromium, folder, shared
        self.panels: list[Panel] = []
        self.proxies: list[Proxy] = []

    def __call__(
        self, text: str = "", *, head: str = HEAD, alone: bool = False, **options: Any
    ) -> Panel:
        """Return a panel that is not signed in and at no page yet.

        One proxy serves all tests, as good as new but for its usage; `alone` gets one of its own.
        """
        number = len(self.panels)
        auth, path = self.folder / f"auth-{number}", self.folder / f"config-{number}/config.yaml"
        auth.mkdir()
        path.parent.mkdir()
        whole = f"{head}auth-dir: {auth}\n{text}"
        path.write_text(whole)
        proxy = None if alone else self.shared.take(whole)
        if proxy is None:
            proxy = Proxy(whole)
            proxy.__enter__()
            self.proxies.append(proxy)
        proxy.runtime.control.config_path = path
        panel = Panel(self.chromium.context(**options), Managed(proxy, path, auth))
        self.panels.append(panel)
        return panel

    def close(self) -> None:
        try:
            for panel in self.panels:
                panel.managed.client.close()
                panel.close()
        finally:
            self.shared.taken = False
            for proxy in self.proxies:
                proxy._server.should_exit = True
                self.chromium.leaving.append(proxy)


@pytest.fixture(scope="session")
def common() -> Iterator[Shared]:
    """The proxy behind all panels that need none of their own."""
    found = Shared()
    yield found
    if found.proxy is not None:
        found.proxy.__exit__(None, None, None)


@pytest.fixture
def visit(
    chromium: Chromium, common: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Visits]:
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path / "writable"))
    with chromium.used():
        visits = Visits(chromium, tmp_path, common)
        yield visits
        visits.close()


@pytest.fixture
def panel(visit: Callable[..., Panel], sim: Sim) -> Panel:
    """Return a panel that is signed in, in front of two hosts and a Claude key."""
    return visit(hosts(sim)).signed_in()


def hosts(sim: Sim) -> str:
    """Return the configuration of `fast` (two hosts, one after the other) and `careful`."""
    return f"""\
openai-compatibility:
  - name: first
    base-url: {sim.url}/v1
    priority: 5
    api-key-entries: [{{api-key: first-key-0123456789}}]
    models: [{{name: gpt-5, alias: fast}}]
  - name: second
    base-url: {sim.url}/v1
    api-key-entries: [{{api-key: second-key-0123456789}}]
    models: [{{name: gpt-5, alias: fast}}]
claude-api-key:
  - api-key: sk-ant-claude-key-0123456789
    name: team
    base-url: {sim.url}
    models: [{{name: claude-sonnet-4-5-20250929, alias: careful}}]
"""

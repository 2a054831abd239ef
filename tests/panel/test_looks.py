"""For everybody: languages, themes, narrow screens, readers of screens; lines for clients."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.manage.conftest import CLIENT_KEY
from tests.panel.conftest import AXE
from tests.sim import Failure

PAGES = ("", "accounts", "requests", "usage", "models", "explain", "clients", "config", "logs")
ENGLISH = {
    *("Sign out", "Overview", "Accounts", "Requests", "Save", "Edit", "Delete", "Ready", "Close"),
    *("Cancel", "Model", "Models", "Status", "Time", "Answered by", "Usage", "Logs", "Add"),
}
TEXTS = "[...document.querySelectorAll('h1,h2,h3,th,label,button,a,.state,dt')]"


@pytest.fixture
def filled(panel, sim):
    """Return a panel whose pages have something to show."""
    sim.script(Failure(500, "broken"), None, None, Failure(429, "slow down", retry_after=600))
    panel.chat("fast")
    panel.chat("careful", logit_bias={"7": 5})
    panel.chat("careful")
    panel.until_counted()
    return panel


def open_all(panel):
    """Go through all pages and windows; yield the name of each once it is there."""
    page = panel.page
    for at in PAGES:
        panel.go(at)
        expect(page.locator("nav a[aria-current=page]").first).to_have_attribute("href", f"#/{at}")
        expect(page.locator(".sk")).to_have_count(0)
        yield at or "overview"
        if at == "config":
            page.get_by_role("tab").last.click()
            expect(page.locator(".cm-content")).to_be_visible()
            yield "yaml"
        if at == "explain":
            page.locator("#explain-models").wait_for(state="attached")
            page.locator("main form input").first.fill("careful")
            page.locator("main form button[type=submit]").click()
            expect(page.locator("main ol")).to_be_visible()
            yield "explained"
    for name, at in (("add", "accounts/add"), ("import", "accounts/import")):
        panel.go(at)
        expect(panel.dialog).to_be_visible()
        yield name
    panel.go("requests")
    page.locator("tbody .link").last.click()
    expect(panel.dialog).to_be_visible()
    expect(page.locator(".sk")).to_have_count(0)
    yield "request"
    panel.go("accounts")
    page.locator("li.acct .link").first.click()
    expect(panel.dialog).to_be_visible()
    expect(page.locator(".sk")).to_have_count(0)
    yield "account"


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is installed by npm in panel/")
@pytest.mark.parametrize(
    ("language", "theme", "width"), [("en", "light", 1440), ("zh", "dark", 360)]
)
def test_nobody_is_shut_out(filled, language, theme, width):
    """Readers of screens find everything, nothing is wider than its window, no word is foreign."""
    page = filled.page
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(f"localStorage.setItem('cliproxy.language', '{language}')")
    filled.open()
    found = {}
    for name in open_all(filled):
        wrong = filled.axe()
        if (over := filled.overflow()) > 0:
            wrong.append(f"{over} pixels too wide")
        if language == "zh":
            shown = page.evaluate(f"{TEXTS}.map(e => e.innerText.trim())")
            wrong += sorted(ENGLISH.intersection(shown))
        if wrong:
            found[name] = wrong
    assert found == {}


BROKEN = {"status": 500, "json": {"error": "broken", "message": "The disk is full."}}


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is installed by npm in panel/")
@pytest.mark.parametrize("state", ["empty", "loading", "broken"])
def test_nobody_is_shut_out_where_there_is_nothing_to_see(visit, state):
    panel = visit().signed_in()
    page = panel.page
    page.set_viewport_size({"width": 360, "height": 900})
    if state == "loading":
        panel.context.route("**/v0/management/**", lambda route: None)
    elif state == "broken":
        panel.refused = {500}
        panel.context.route("**/v0/management/**", lambda route: route.fulfill(**BROKEN))
    panel.open()
    found = {}
    for at in PAGES:
        panel.go(at)
        expect(page.locator("nav a[aria-current=page]").first).to_have_attribute("href", f"#/{at}")
        page.wait_for_selector("h1")
        if state == "loading" and at not in ("explain", "clients"):
            expect(page.locator(".sk").first).to_be_visible()
        elif state == "broken" and at != "explain":
            expect(page.get_by_role("alert").first).to_contain_text("The disk is full.")
        elif state == "empty":
            expect(page.locator(".sk")).to_have_count(0)
        wrong = panel.axe()
        if (over := panel.overflow()) > 0:
            wrong.append(f"{over} pixels too wide")
        if wrong:
            found[at] = wrong
    assert found == {}


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is installed by npm in panel/")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_shut_out_at_the_door(visit, theme):
    panel = visit(color_scheme=theme, reduced_motion="reduce").open()
    assert panel.axe() == []
    panel.refused = {401}
    panel.page.get_by_label("Management key").fill("not the key")
    panel.button("Sign in").click()
    expect(panel.page.get_by_role("alert")).to_be_visible()
    assert panel.axe() == []


def test_the_menu_of_a_narrow_window(panel):
    panel.page.set_viewport_size({"width": 360, "height": 700})
    panel.open()
    panel.button("Menu").click()
    assert not AXE.is_file() or panel.axe() == []
    panel.dialog.get_by_role("link", name="Usage").click()
    expect(panel.heading("Usage")).to_be_focused()
    expect(panel.dialog).to_have_count(0)


def test_the_language_is_switched_and_kept(panel):
    page = panel.open("accounts").page
    page.get_by_label("Language").select_option("zh")
    expect(panel.heading("账号")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.reload()
    expect(panel.heading("账号")).to_be_visible()
    page.get_by_label("语言").select_option("en")
    expect(panel.heading("Accounts")).to_be_visible()


def test_a_browser_that_speaks_chinese_is_spoken_to_in_chinese(visit):
    panel = visit(locale="zh-CN").open()
    expect(panel.heading("登录")).to_be_visible()


def test_the_theme_is_switched_and_kept(panel):
    page = panel.open().page
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(paper) != light
    page.get_by_label("Theme").select_option("light")
    assert page.evaluate(paper) == light
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_lines_for_a_client_hold_this_address_and_its_key(panel):
    panel.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=panel.origin)
    page = panel.open("clients").page
    page.get_by_label("Model").select_option("fast")
    panel.button("OpenAI SDK · Python").click()
    lines = page.get_by_role("region", name=re.compile("OpenAI SDK"))
    expect(lines).to_contain_text(f'base_url="{panel.origin}/v1"')
    expect(lines).to_contain_text('model="fast"')
    expect(lines).not_to_contain_text(CLIENT_KEY)
    page.get_by_role("button", name=re.compile("^Copy: OpenAI SDK")).click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert f'api_key="{CLIENT_KEY}"' in page.evaluate("navigator.clipboard.readText()")


def test_a_client_key_is_made_and_taken_away(panel):
    page = panel.open("clients").page
    keys = page.get_by_role("region", name="Client keys").get_by_role("listitem")
    expect(keys).to_have_count(1)
    expect(keys).to_contain_text("the laptop")
    expect(keys).to_contain_text(panel.managed.get("/api-keys")["marks"][0][-9:])
    panel.button("New key").click()
    expect(keys).to_have_count(2)
    panel.button("Name key-2").click()
    panel.dialog.get_by_label("Name").fill("李雷")
    page.keyboard.press("Enter")
    expect(keys.last).to_contain_text("李雷")
    assert panel.managed.text.count(" # 李雷\n") == 1
    assert len(panel.managed.get("/api-keys")["api-keys"]) == 2
    panel.button("Delete", keys.last).click()
    panel.button("Delete", panel.dialog).click()
    expect(keys).to_have_count(1)
    assert panel.managed.get("/api-keys")["api-keys"] == [CLIENT_KEY]
    assert "# the laptop" in panel.managed.text

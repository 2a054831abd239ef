"""Accounts: the first one, more of them, and what becomes of them."""

from __future__ import annotations

import json
import time

import pytest
from playwright.sync_api import expect

from cliproxy.account.credential import written
from cliproxy.login.grants import Pace
from tests.panel.conftest import hosts
from tests.sim import Failure
from tests.sim.accounts_claude import ClaudeAccounts
from tests.sim.accounts_devices import KimiServer


@pytest.fixture
def claude():
    with ClaudeAccounts() as servers:
        yield servers


class Kimi(KimiServer):
    """One that may be asked as often as one likes."""

    def device(self, asked):
        status, body, headers = super().device(asked)
        return status, body | {"interval": 0}, headers


@pytest.fixture
def kimi(monkeypatch):
    monkeypatch.setattr("cliproxy.login.kimi._PACE", Pace(every=0.2))
    with Kimi() as servers:
        yield servers


def keep(panel, servers, number=0, **more):
    """Put an account's file where the proxy finds it."""
    told = servers.file(number) | {"expired": written(time.time() + 3600)} | more
    answer = panel.managed.ask("POST", f"/auth-files?name={servers.name}-{number}.json", told)
    assert answer.status_code == 200


# ---- the first one --------------------------------------------------------------------------------
def test_a_fresh_server_shows_what_to_do_first(visit, sim):
    panel = visit().signed_in().open()
    page = panel.page
    expect(page.get_by_text("This proxy has no account yet")).to_be_visible()
    expect(page.get_by_text("One client key exists.")).to_be_visible()
    panel.button("Add account").click()
    page.get_by_role("tab", name="API key").click()
    add_key(panel, sim)
    panel.go("")
    expect(page.get_by_role("heading", name="Latest requests")).to_be_visible()
    expect(page.get_by_text("All accounts are ready")).to_be_visible()


def add_key(panel, sim):
    dialog = panel.dialog
    dialog.get_by_label("Service").select_option("openai-compatibility")
    dialog.get_by_label("Host name").fill("somewhere")
    dialog.get_by_role("textbox", name="API key").fill("key-one-0123456789 key-two-0123456789")
    dialog.get_by_label("Address").fill(f"{sim.url}/v1")
    dialog.get_by_label("Models").fill("gpt-5 = quick\ngpt-5-mini")
    panel.button("Add", dialog).click()
    expect(dialog).to_have_count(0)
    expect(panel.account("somewhere somewhere")).to_be_visible()


def test_an_account_by_key_serves_at_once(visit, sim):
    panel = visit().signed_in().open("accounts/add")
    panel.page.get_by_role("tab", name="API key").click()
    add_key(panel, sim)
    assert panel.chat("quick").status_code == 200
    assert "# the laptop" in panel.managed.text
    assert "alias: quick" in panel.managed.text


def test_what_is_missing_of_a_key_is_told(panel):
    panel.open("accounts/add").page.get_by_role("tab", name="API key").click()
    panel.button("Add", panel.dialog).click()
    expect(panel.dialog.get_by_role("alert")).to_have_text("A key is needed.")


# ---- logins ---------------------------------------------------------------------------------------
def test_a_login_in_the_browser(visit, claude):
    panel = visit(claude.config()).signed_in().open("accounts/add")
    panel.refused = {400}
    panel.page.get_by_role("button", name="Claude in the browser").click()
    dialog = panel.dialog
    address = dialog.get_by_role("link", name="Open login page").get_attribute("href")
    box = dialog.get_by_label("Callback address")
    box.fill("http://localhost:54545/callback")
    panel.button("Hand over", dialog).click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    box.fill(claude.approve(address, ""))
    panel.button("Hand over", dialog).click()
    expect(dialog.get_by_text("Claude has been added.")).to_be_visible()
    panel.button("Done", dialog).click()
    expect(panel.account("Claude person0@example.com")).to_be_visible()
    assert panel.chat("claude-opus-4-8").status_code == 200


def test_a_login_that_was_refused_can_be_begun_again(visit, claude):
    panel = visit(claude.config()).signed_in().open("accounts/add")
    panel.page.get_by_role("button", name="Claude in the browser").click()
    dialog = panel.dialog
    address = dialog.get_by_role("link", name="Open login page").get_attribute("href")
    back = claude.approve(address, "").replace("code=", "error=access_denied&was=")
    dialog.get_by_label("Callback address").fill(back)
    panel.button("Hand over", dialog).click()
    expect(dialog.get_by_text("The login has failed.")).to_be_visible()
    panel.button("Start again", dialog).click()
    again = dialog.get_by_role("link", name="Open login page")
    expect(again).not_to_have_attribute("href", address)


def test_what_a_provider_says_of_such_logins_stands_before_its_address(visit, claude):
    panel = visit(claude.config()).signed_in().open("accounts/add")

    def tell(route):
        told = route.fetch().json() | {"notice": "Its terms say something."}
        route.fulfill(json=told)

    panel.context.route("**/anthropic-auth-url?*", tell)
    panel.page.get_by_role("button", name="Claude in the browser").click()
    notice = panel.dialog.get_by_text("Its terms say something.")
    expect(notice).to_be_visible()
    link = panel.dialog.get_by_role("link", name="Open login page")
    assert notice.bounding_box()["y"] < link.bounding_box()["y"]


def test_a_login_with_a_code(visit, kimi):
    panel = visit(kimi.config()).signed_in().open("accounts/add")
    panel.page.get_by_role("button", name="Kimi with a code").click()
    dialog = panel.dialog
    expect(dialog.get_by_text("ABCD-1234")).to_be_visible()
    address = dialog.get_by_role("link", name="Open login page").get_attribute("href")
    kimi.approve(address, "ABCD-1234")
    expect(dialog.get_by_text("Kimi has been added.")).to_be_visible()
    assert panel.chat(kimi.model).status_code == 200


def test_a_login_that_is_given_up_waits_no_longer(visit, kimi):
    panel = visit(kimi.config()).signed_in().open("accounts/add")
    panel.page.get_by_role("button", name="Kimi with a code").click()
    expect(panel.dialog.get_by_text("ABCD-1234")).to_be_visible()
    with panel.page.expect_response(lambda r: "/oauth-session" in r.url):
        panel.button("Cancel", panel.dialog).click()
    assert panel.managed.get("/logins")["waiting"] == []


def test_a_credential_file_is_imported(visit, claude, tmp_path):
    panel = visit(claude.config()).signed_in().open("accounts/import")
    file = tmp_path / "claude-mine.json"
    file.write_text(json.dumps(claude.file() | {"expired": written(time.time() + 3600)}))
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{")
    panel.dialog.get_by_label("Files").set_input_files(wrong)
    expect(panel.dialog.get_by_role("alert")).to_have_text("wrong.json is not a JSON file.")
    panel.dialog.get_by_label("Files").set_input_files(file)
    panel.button("Import file", panel.dialog).click()
    expect(panel.account("Claude person0@example.com")).to_be_visible()


# ---- what becomes of them -------------------------------------------------------------------------
def test_an_account_is_switched_off_and_on(panel, sim):
    panel.open("accounts")
    row = panel.account("Claude team")
    row.get_by_role("switch").click()
    expect(row.get_by_text("Switched off")).to_be_visible()
    assert panel.chat("careful").status_code == 404
    row.get_by_role("switch").click()
    expect(row.get_by_text("Ready")).to_be_visible()
    assert panel.chat("careful").status_code == 200


def test_a_login_is_switched_off_edited_and_deleted(visit, claude):
    panel = visit(claude.config()).signed_in()
    keep(panel, claude)
    panel.open("accounts")
    row = panel.account("Claude person0@example.com")
    row.get_by_role("switch").click()
    expect(row.get_by_text("Switched off")).to_be_visible()
    row.get_by_role("switch").click()
    expect(row.get_by_text("Ready")).to_be_visible()
    panel.button("Edit", row).click()
    panel.dialog.get_by_label("Weight").fill("some")
    panel.button("Save", panel.dialog).click()
    expect(panel.dialog.get_by_role("alert")).to_have_text("Weight must be a whole number.")
    panel.dialog.get_by_label("Weight").fill("3")
    panel.dialog.get_by_label("Note").fill("the good one")
    panel.button("Save", panel.dialog).click()
    expect(row.get_by_text("weight 3")).to_be_visible()
    expect(row.get_by_text("the good one")).to_be_visible()
    kept = json.loads((panel.managed.auth / "claude-0.json").read_text())
    assert (kept["weight"], kept["note"]) == (3, "the good one")
    panel.button("Delete", row).click()
    panel.button("Delete", panel.dialog).click()
    expect(row).to_have_count(0)
    assert not (panel.managed.auth / "claude-0.json").exists()


def test_a_key_is_edited_and_deleted_in_the_file(panel):
    panel.open("accounts")
    row = panel.account("Claude team")
    panel.button("Edit", row).click()
    panel.dialog.get_by_label("Priority").fill("7")
    panel.dialog.get_by_label("Weight").fill("2")
    panel.button("Save", panel.dialog).click()
    expect(row.get_by_text("priority 7")).to_be_visible()
    expect(row.get_by_text("weight 2")).to_be_visible()
    panel.button("Delete", row).click()
    panel.button("Cancel", panel.dialog).click()
    expect(row).to_be_visible()
    panel.button("Delete", row).click()
    panel.button("Delete", panel.dialog).click()
    expect(row).to_have_count(0)
    assert "sk-ant-claude-key" not in panel.managed.text
    assert panel.managed.text.startswith("# My proxy.")


def test_what_is_left_of_an_account_is_shown(visit, claude):
    panel = visit(claude.config()).signed_in()
    keep(panel, claude)
    panel.open("accounts")
    meters = panel.account("Claude person0@example.com").get_by_role("meter")
    expect(meters).to_have_count(3)
    shown = [meter.get_attribute("aria-valuenow") for meter in meters.all()]
    assert shown == ["13", "40", "99"]


def test_an_account_at_its_limit_tells_when_it_is_free_again(panel, sim):
    sim.script(Failure(429, "slow down", retry_after=600))
    assert panel.chat("careful").status_code == 429
    panel.open("accounts")
    row = panel.account("Claude team")
    expect(row.get_by_text("Rate limit")).to_be_visible()
    expect(row.get_by_text("9 min")).to_be_visible()
    panel.page.get_by_label("State").select_option("resting")
    expect(panel.page.locator("li.acct")).to_have_count(1)
    panel.go("")
    expect(panel.page.get_by_role("region", name="Needs attention")).to_contain_text("team")
    panel.go("accounts")
    panel.button("Ask again now", row).click()
    expect(row.get_by_text("Ready")).to_be_visible()
    assert panel.chat("careful").status_code == 200


def test_an_account_whose_login_has_ended_says_so(visit, claude):
    panel = visit(claude.config()).signed_in()
    keep(panel, claude, expired=written(time.time() - 60))
    claude.revoke()
    assert panel.chat(claude.model).status_code in (401, 403)
    panel.refused = {502}
    panel.open("accounts")
    expect(panel.account("Claude person0@example.com").get_by_text("Broken")).to_be_visible()


def test_an_account_is_asked_a_real_question(panel, sim):
    panel.open("accounts")
    row = panel.account("first first")
    panel.button("Test", row).click()
    panel.button("Ask now", panel.dialog).click()
    expect(panel.dialog.get_by_text("It answers.")).to_be_visible()
    panel.page.keyboard.press("Escape")
    expect(panel.button("Test", row)).to_be_focused()
    panel.button("Models", row).click()
    expect(panel.dialog).to_contain_text("fast")


@pytest.mark.parametrize("where", ["accounts", "models", ""])
def test_an_answer_that_cannot_be_had_is_told_and_asked_for_again(visit, sim, where):
    panel = visit(hosts(sim)).signed_in()
    panel.refused = {500}
    bad = {"status": 500, "json": {"error": "broken", "message": "The disk is full."}}
    for path in ("auth-files", "models"):
        panel.context.route(f"**/v0/management/{path}", lambda route: route.fulfill(**bad))
    panel.open(where)
    if where == "":
        # The rest of the page is there all the same.
        expect(panel.heading("Latest requests")).to_be_visible()
    alert = panel.page.get_by_role("alert")
    expect(alert).to_contain_text("The disk is full.")
    panel.context.unroute_all()
    panel.button("Try again", alert).click()
    expect(alert).to_have_count(0)

"""Accounts: the first one, more of them, and what becomes of them."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import expect

from cliproxy.account.credential import written
from cliproxy.login.grants import Pace
from tests.manage.conftest import HEAD, KEY
from tests.panel.conftest import AXE, hosts
from tests.sim import Answer, Failure
from tests.sim.accounts_claude import ClaudeAccounts
from tests.sim.accounts_devices import KimiServer

MANAGEMENT = f"remote-management:\n  secret-key: {KEY}\n"


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
def test_a_fresh_server_leads_to_a_first_answer(visit, sim):
    panel = visit(alone=True).signed_in().open()
    page, steps = panel.page, panel.page.locator("ol.steps > li")
    expect(page.get_by_text("This proxy has no account yet")).to_be_visible()
    expect(page.locator("[aria-current=step]")).to_contain_text("Add an account")
    expect(page.get_by_text("One client key exists.")).to_be_visible()
    panel.button("Add account").click()
    page.get_by_role("tab", name="API key").click()
    fill_key(panel, sim)
    expect(steps.first).to_contain_text("One account: somewhere.")
    expect(page.locator("[aria-current=step]")).to_contain_text("Point a client here")
    page.get_by_label("Model").select_option("quick")
    lines = page.get_by_role("region", name="curl").inner_text()
    assert f"curl {panel.origin}/v1/chat/completions" in lines
    assert '"model": "quick"' in lines
    expect(page.get_by_text("Waiting for the first request…")).to_be_visible()
    assert not AXE.is_file() or panel.axe() == []
    sim.script(Failure(400, "No such thing."))
    panel.chat("quick")
    expect(steps.last).to_contain_text("No such thing.")
    panel.chat("quick")
    expect(steps.last).to_contain_text(re.compile("quick.*answered by somewhere in"))
    panel.button("To the overview").click()
    expect(panel.heading("Everything is all right")).to_be_visible()
    page.reload()
    expect(panel.heading("Everything is all right")).to_be_visible()


def test_a_guide_makes_a_key_and_sends_a_first_request_itself(visit, sim):
    panel = visit(hosts(sim), head=HEAD.split("api-keys")[0] + MANAGEMENT, alone=True)
    page = panel.signed_in().open().page
    expect(page.locator("[aria-current=step]")).to_contain_text("Have a client key")
    panel.button("New key").click()
    expect(page.get_by_text("One client key exists.")).to_be_visible()
    assert len(panel.managed.get("/api-keys")["api-keys"]) == 1
    panel.button("Send one from here").click()
    expect(page.get_by_text("A client asked, and an account answered.")).to_be_visible()


def test_a_guide_can_be_skipped_for_good(visit, sim):
    panel = visit(hosts(sim), alone=True).signed_in().open()
    panel.button("Skip the guide").click()
    expect(panel.heading("Latest requests")).to_be_visible()
    panel.page.reload()
    expect(panel.heading("Latest requests")).to_be_visible()


def add_key(panel, sim):
    fill_key(panel, sim)
    expect(panel.account("somewhere somewhere")).to_be_visible()


def fill_key(panel, sim):
    dialog = panel.dialog
    dialog.get_by_label("Service").select_option("openai-compatibility")
    dialog.get_by_label("Host name").fill("somewhere")
    dialog.get_by_role("textbox", name="API key").fill("key-one-0123456789 key-two-0123456789")
    dialog.get_by_label("Address").fill(f"{sim.url}/v1")
    dialog.get_by_label("Models").fill("gpt-5 = quick\ngpt-5-mini")
    panel.button("Add", dialog).click()
    expect(dialog).to_have_count(0)


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
    expect(dialog.get_by_text(re.compile(r"valid for \d+ min"))).to_be_visible()
    panel.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=panel.origin)
    panel.button("Copy code", dialog).click()
    expect(panel.page.get_by_text("Copied")).to_be_visible()
    assert panel.page.evaluate("navigator.clipboard.readText()") == "ABCD-1234"
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
    # With its limits, which the provider is asked for.
    row = panel.account("Claude person0@example.com")
    expect(row.get_by_role("meter").first).to_be_visible()


# ---- what becomes of them -------------------------------------------------------------------------
def test_an_account_is_switched_off_and_on(panel, sim):
    panel.open("accounts")
    row = panel.account("Claude team")
    row.get_by_role("switch").focus()
    panel.page.keyboard.press("Space")
    expect(row.get_by_text("Switched off")).to_be_visible()
    expect(row.get_by_role("switch")).to_be_focused()
    assert "disabled: true" in panel.managed.text
    assert "excluded-models" not in panel.managed.text
    assert panel.chat("careful").status_code == 404
    row.get_by_role("switch").click()
    expect(row.get_by_text("Ready")).to_be_visible()
    assert "disabled" not in panel.managed.text
    assert panel.chat("careful").status_code == 200


def test_a_key_that_another_program_switched_off_is_switched_on(visit, sim):
    off = hosts(sim).replace("    name: team\n", "    name: team\n    excluded-models: ['*']\n")
    panel = visit(off).signed_in().open("accounts")
    row = panel.account("Claude team")
    expect(row.get_by_text("Switched off")).to_be_visible()
    row.get_by_role("switch").click()
    expect(row.get_by_text("Ready")).to_be_visible()
    assert "excluded-models" not in panel.managed.text
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
    panel.button("Details", row).click()
    expect(panel.dialog).to_contain_text("the good one")
    panel.button("Delete", panel.dialog).click()
    panel.button("Delete", panel.dialog.last).click()
    expect(row).to_have_count(0)
    expect(panel.dialog).to_have_count(0)
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
    panel.button("team", row).click()
    panel.button("Delete", panel.dialog).click()
    panel.button("Cancel", panel.dialog.last).click()
    expect(panel.dialog).to_have_count(1)
    panel.button("Delete", panel.dialog).click()
    panel.button("Delete", panel.dialog.last).click()
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
    expect(panel.page.locator("li.acct").first).to_contain_text("team")
    panel.page.get_by_label("Resting 1").check()
    expect(panel.page.locator("li.acct")).to_have_count(1)
    panel.go("")
    expect(panel.heading("Everything is all right")).to_be_visible()
    told = panel.page.get_by_role("list", name="Needs attention")
    expect(told).to_contain_text("team")
    expect(told).to_contain_text("Nothing to do")
    panel.button("Details", told).click()
    expect(panel.dialog.get_by_role("heading", name="team")).to_be_visible()
    panel.page.keyboard.press("Escape")
    # The list is as it was left.
    expect(panel.page.get_by_label("Resting 1")).to_be_checked()
    panel.page.get_by_label("All 3").check()
    panel.button("Ask again now", row).click()
    expect(row.get_by_text("Ready")).to_be_visible()
    expect(row.get_by_role("button", name="team")).to_be_focused()
    assert panel.chat("careful").status_code == 200


def test_an_account_whose_login_has_ended_says_so(visit, claude):
    panel = visit(claude.config()).signed_in()
    keep(panel, claude, expired=written(time.time() - 60))
    claude.revoke()
    assert panel.chat(claude.model).status_code in (401, 403)
    panel.open("")
    expect(panel.heading("No account can answer")).to_be_visible()
    told = panel.page.get_by_role("list", name="Needs attention")
    expect(told).to_contain_text("Log in again.")
    panel.go("accounts")
    row = panel.account("Claude person0@example.com")
    expect(row.get_by_text("Login has ended")).to_be_visible()
    panel.button("Log in again", row).click()
    expect(panel.dialog.get_by_role("heading", name="Log in to Claude")).to_be_visible()


def test_the_token_of_a_login_is_renewed(visit, claude):
    panel = visit(claude.config()).signed_in()
    keep(panel, claude)
    panel.open("accounts")
    panel.button("Details", panel.account("Claude person0@example.com")).click()
    panel.button("Renew token", panel.dialog).click()
    expect(panel.page.get_by_text(re.compile("^Token renewed; the next time in"))).to_be_visible()
    assert claude.refreshes == 1
    panel.refused = {502}
    claude.revoke()
    panel.button("Renew token", panel.dialog).click()
    expect(panel.dialog.get_by_text("Login has ended")).to_be_visible()
    expect(panel.button("Renew token", panel.dialog)).to_have_count(0)


def test_an_account_is_asked_a_real_question(panel, sim):
    panel.open("accounts")
    row = panel.account("first first")
    panel.button("Test", row).click()
    sim.script(Answer("ready"))
    panel.button("Ask now", panel.dialog).click()
    expect(panel.dialog.get_by_text("It answers.")).to_be_visible()
    expect(panel.dialog).to_contain_text("gpt-5: “ready”")
    (asked,) = sim.requests
    assert asked.headers.get("authorization") == "Bearer first-key-0123456789"
    panel.page.keyboard.press("Escape")
    expect(panel.button("Test", row)).to_be_focused()
    panel.button("Details", row).click()
    panel.button("Models", panel.dialog).click()
    expect(panel.dialog.last).to_contain_text("fast")


def test_an_account_that_does_not_answer_is_told_with_what_helps(panel, sim):
    panel.open("accounts")
    row = panel.account("Claude team")
    panel.button("Test", row).click()
    sim.script(Failure(401, "That key is not known."))
    panel.button("Ask now", panel.dialog).click()
    expect(panel.dialog).to_contain_text("401")
    expect(panel.dialog).to_contain_text("That key is not known.")
    expect(panel.dialog).to_contain_text("Put in another key")
    panel.button("Ask again", panel.dialog).click()
    expect(panel.dialog).to_contain_text("Wait until its rest is over")
    assert not AXE.is_file() or panel.axe() == []
    panel.button("End the rest and ask", panel.dialog).click()
    expect(panel.dialog.get_by_text("It answers.")).to_be_visible()
    panel.dialog.get_by_role("link", name="Look at the request").click()
    expect(panel.heading("Requests")).to_be_visible()
    expect(panel.dialog).to_contain_text("this panel")


def test_a_key_that_is_refused_comes_first_with_its_cure(panel, sim):
    sim.script(Failure(401, "That key is not known."))
    panel.chat("careful")
    panel.open("accounts")
    row = panel.page.locator("li.acct").first
    expect(row).to_contain_text("team")
    expect(row).to_contain_text("Key refused")
    panel.button("Change key", row).click()
    expect(panel.dialog.get_by_role("heading", name="Edit team")).to_be_visible()
    panel.page.keyboard.press("Escape")
    panel.go("")
    expect(panel.heading("One account needs you")).to_be_visible()


@pytest.mark.parametrize("where", ["accounts", "models", ""])
def test_an_answer_that_cannot_be_had_is_told_and_asked_for_again(visit, sim, where):
    panel = visit(hosts(sim)).signed_in()
    panel.refused = {500}
    bad = {"status": 500, "json": {"error": "broken", "message": "The disk is full."}}
    for path in ("auth-files", "models"):
        panel.context.route(f"**/v0/management/{path}", lambda route: route.fulfill(**bad))
    panel.open(where)
    alert = panel.page.get_by_role("alert")
    expect(alert).to_contain_text("The disk is full.")
    panel.context.unroute_all()
    panel.button("Try again", alert).click()
    expect(alert).to_have_count(0)

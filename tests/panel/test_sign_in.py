"""Getting in, staying in, getting out."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.manage.conftest import CLIENT_KEY, KEY


def sign_in(panel, key=KEY):
    panel.page.get_by_label("Management key").fill(key)
    panel.button("Sign in").click()


def test_the_right_key_opens_it_until_one_signs_out(visit):
    panel = visit().open()
    sign_in(panel)
    expect(panel.heading("Overview")).to_be_visible()
    panel.page.reload()
    expect(panel.heading("Overview")).to_be_visible()
    panel.button("Sign out").click()
    expect(panel.heading("Sign in")).to_be_visible()
    panel.page.reload()
    expect(panel.heading("Sign in")).to_be_visible()


def test_another_tab_knows_the_key_only_if_it_is_to_be_kept(visit):
    panel = visit().open()
    sign_in(panel)
    expect(panel.heading("Overview")).to_be_visible()
    panel.page = panel.context.new_page()
    panel.open()
    expect(panel.heading("Sign in")).to_be_visible()
    panel.page.get_by_label("Stay signed in on this device").check()
    sign_in(panel)
    expect(panel.heading("Overview")).to_be_visible()
    panel.page = panel.context.new_page()
    panel.open()
    expect(panel.heading("Overview")).to_be_visible()


def test_a_wrong_key_is_told(visit):
    panel = visit().open()
    panel.refused = {401}
    sign_in(panel, "not the key")
    expect(panel.page.get_by_role("alert")).to_contain_text("This key is not right")
    expect(panel.page.get_by_label("Management key")).to_have_attribute("aria-invalid", "true")
    sign_in(panel)
    expect(panel.heading("Overview")).to_be_visible()


def test_after_five_wrong_keys_the_wait_is_told(visit):
    panel = visit().open()
    panel.refused = {401, 403, 429}
    for _ in range(5):
        with panel.page.expect_response(re.compile("/config$")):
            sign_in(panel, "not the key")
        expect(panel.button("Sign in")).to_be_enabled()
    sign_in(panel)
    expect(panel.page.get_by_role("alert")).to_contain_text("banned")


def test_a_server_without_a_management_key_says_how_to_set_one(visit):
    panel = visit(head=f"api-keys: [{CLIENT_KEY}]\n").open()
    panel.refused = {404}
    sign_in(panel)
    expect(panel.page.get_by_role("alert")).to_contain_text("switched off")
    expect(panel.page.get_by_text("Set remote-management.secret-key")).to_be_visible()


def test_a_server_that_is_gone_is_told(visit):
    panel = visit().open()
    panel.context.route("**/v0/**", lambda route: route.abort("connectionrefused"))
    sign_in(panel)
    expect(panel.page.get_by_role("alert")).to_contain_text("cannot be reached")
    panel.faults = [fault for fault in panel.faults if "ERR_CONNECTION_REFUSED" not in fault]


def test_a_key_that_was_changed_meanwhile_leads_back_to_the_door(visit):
    panel = visit().open("accounts")
    sign_in(panel)
    expect(panel.heading("Accounts")).to_be_visible()
    panel.refused = {401}
    panel.page.evaluate("sessionStorage.setItem('cliproxy.key', 'of yesterday')")
    panel.page.reload()
    expect(panel.page.get_by_role("alert")).to_contain_text("no longer accepts the key")
    sign_in(panel)
    expect(panel.heading("Accounts")).to_be_visible()


def test_everything_can_be_done_with_the_keyboard(visit):
    panel = visit().open()
    page, press = panel.page, panel.page.keyboard.press
    expect(page.get_by_label("Management key")).to_be_focused()
    page.keyboard.type(KEY)
    press("Enter")
    expect(panel.heading("Overview")).to_be_focused()
    page.reload()
    expect(panel.heading("Overview")).to_be_visible()
    press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    press("Enter")
    expect(panel.heading("Overview")).to_be_focused()
    for _ in range(30):
        if page.evaluate("document.activeElement.getAttribute('href')") == "#/accounts":
            break
        press("Shift+Tab")
    press("Enter")
    expect(panel.heading("Accounts")).to_be_focused()
    press("Tab")
    press("Tab")
    expect(panel.button("Add account").first).to_be_focused()
    press("Enter")
    expect(panel.dialog.get_by_role("heading", name="Add account")).to_be_focused()
    press("Tab")
    expect(panel.button("Close")).to_be_focused()
    press("Tab")
    expect(page.get_by_role("tab", name="Log in")).to_be_focused()
    press("ArrowRight")
    expect(page.get_by_role("tab", name="API key")).to_be_focused()
    expect(page.get_by_label("Service")).to_be_visible()
    press("Escape")
    expect(panel.dialog).to_have_count(0)
    expect(panel.button("Add account").first).to_be_focused()

"""The configuration: by form, as text, and what is done about mistakes."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def save(panel):
    panel.button("Review and save").click()
    panel.button("Save", panel.dialog).click()


def kept(panel):
    """Return the file but for the management key, which the server keeps as a digest."""
    return re.sub("secret-key: .*", "", panel.managed.text)


def write(panel, text):
    """Put something at the end of the text."""
    panel.page.get_by_role("tab", name="YAML").click()
    panel.page.get_by_role("textbox", name="YAML").click()
    panel.page.keyboard.press("Control+End")
    panel.page.keyboard.insert_text(text)


def test_the_form_changes_what_is_meant_and_nothing_else(panel):
    before = kept(panel)
    page = panel.open("config").page
    page.get_by_label("Strategy").select_option("fill-first")
    page.get_by_role("switch", name="Debug log").click()
    rounds = page.get_by_label("Further rounds")
    rounds.fill("many")
    rounds.blur()
    expect(page.get_by_role("alert")).to_have_text("A whole number is needed.")
    rounds.fill("4")
    rounds.blur()
    save(panel)
    expect(page.get_by_text("Configuration saved and applied")).to_be_visible()
    expect(page.get_by_text("No unsaved changes")).to_be_visible()
    added = "routing:\n  strategy: fill-first\ndebug: true\nrequest-retry: 4\n"
    assert kept(panel) == before + added
    assert panel.managed.get("/config")["request-retry"] == 4
    panel.button("Back to the default: Further rounds").click()
    save(panel)
    expect(page.get_by_text("No unsaved changes")).to_be_visible()
    assert kept(panel) == before + added.replace("request-retry: 4\n", "")


def test_a_setting_is_found(panel):
    page = panel.open("config").page
    page.get_by_label("Find a setting").fill("affinity")
    expect(page.get_by_role("switch")).to_have_count(1)
    page.get_by_label("Find a setting").fill("nothing of the kind")
    expect(panel.heading("Nothing fits the filters")).to_be_visible()


def test_the_text_is_saved_after_a_look_at_what_changes(panel):
    panel.open("config")
    write(panel, "debug: true # for a day\n")
    panel.button("Review and save").click()
    expect(panel.dialog.locator("tr.add")).to_have_count(1)
    expect(panel.dialog.locator("tr.add")).to_contain_text("debug: true # for a day")
    expect(panel.dialog.locator("tr.del")).to_have_count(0)
    panel.button("Save", panel.dialog).click()
    expect(panel.page.get_by_text("No unsaved changes")).to_be_visible()
    assert panel.managed.text.endswith("debug: true # for a day\n")
    assert panel.managed.text.startswith("# My proxy.")


def test_keys_are_not_shown_unasked(panel):
    page = panel.open("config").page
    page.get_by_role("tab", name="YAML").click()
    secret = page.get_by_text("management-key-0123456789")
    expect(secret.first).to_have_css("-webkit-text-security", "disc")
    # Also between braces.
    between = page.get_by_text("first-key-0123456789").first
    expect(between).to_have_css("-webkit-text-security", "disc")
    write(panel, "claude-header-defaults: {api-key: other-key-0123456789}\n")
    panel.button("Review and save").click()
    expect(panel.dialog.locator("tr.add")).to_contain_text("{api-key: ••••••••}")
    panel.button("Back", panel.dialog).click()
    page.get_by_label("Show secrets").check()
    expect(secret.first).to_have_css("-webkit-text-security", "none")


def test_what_is_no_yaml_cannot_be_saved(panel):
    panel.open("config")
    write(panel, "broken: [1\n")
    expect(panel.page.get_by_text(re.compile(r"^line \d+: "))).to_be_visible()
    expect(panel.button("Review and save")).to_be_disabled()
    panel.button("Discard").click()
    expect(panel.page.get_by_text("No unsaved changes")).to_be_visible()


def test_what_the_server_refuses_is_told_with_its_line(panel):
    before = panel.managed.text
    panel.refused = {400, 422}
    panel.open("config")
    write(panel, "request-retry: often\n")
    save(panel)
    told = panel.page.get_by_role("alert")
    expect(told).to_contain_text("The server refused this configuration.")
    expect(told).to_contain_text(f"line {len(before.splitlines()) + 1}")
    assert panel.managed.text == before
    panel.button("Discard").click()
    expect(told).to_have_count(0)


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(panel):
    page = panel.open("config").page
    panel.refused = {412}
    page.get_by_role("switch", name="Debug log").click()
    panel.managed.file.write_text(panel.managed.text + "request-retry: 2 # by hand\n")
    save(panel)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The file was changed meanwhile.")
    alert.get_by_text("What changed there").click()
    expect(alert).to_contain_text("request-retry: 2 # by hand")
    assert "debug" not in panel.managed.text
    panel.button("Drop my changes").click()
    expect(page.get_by_text("No unsaved changes")).to_be_visible()
    page.get_by_role("switch", name="Debug log").click()
    save(panel)
    expect(page.get_by_text("No unsaved changes")).to_be_visible()
    assert panel.managed.text.endswith("request-retry: 2 # by hand\ndebug: true\n")


def test_unsaved_changes_are_still_there_after_a_look_elsewhere(panel):
    page = panel.open("config").page
    page.get_by_role("switch", name="Debug log").click()
    page.get_by_role("link", name="Models").click()
    expect(panel.heading("Models")).to_be_visible()
    page.get_by_role("link", name="Configuration").click()
    expect(page.get_by_text("Unsaved changes")).to_be_visible()
    expect(page.get_by_role("switch", name="Debug log")).to_be_checked()
    save(panel)
    expect(page.get_by_text("No unsaved changes")).to_be_visible()
    assert panel.managed.get("/debug")["debug"] is True


def test_a_line_that_means_nothing_is_told(panel):
    panel.open("config")
    write(panel, "home: {enabled: true}\n")
    save(panel)
    expect(panel.page.get_by_role("alert")).to_contain_text("some lines mean nothing")


def test_a_server_without_a_file_says_so(panel):
    panel.managed.control.config_path = None
    panel.refused = {404}
    panel.open("config")
    expect(panel.heading("There is no configuration file")).to_be_visible()

"""What one sees of requests: live, one by one, summed up; who would answer; the log."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from tests.manage.conftest import CLIENT_KEY
from tests.panel.conftest import AXE, hosts
from tests.sim import Answer, Failure, Gate, Usage


def test_a_request_appears_while_one_watches(panel):
    panel.open("requests")
    expect(panel.heading("No requests yet")).to_be_visible()
    panel.chat("fast")
    row = panel.page.get_by_role("row", name=re.compile("fast"))
    expect(row).to_be_visible()
    panel.button("Pause").click()
    panel.chat("careful")
    panel.button("Follow").click()
    expect(panel.page.get_by_role("row", name=re.compile("careful"))).to_be_visible()


def test_requests_are_found_by_what_is_known_of_them(panel, sim):
    sim.script(Failure(400, "No such thing."))
    panel.chat("careful")
    panel.chat("fast")
    page = panel.open("requests").page
    found = page.get_by_text(re.compile(r"^\d+ requests?$"))
    expect(found).to_have_text("2 requests")
    page.get_by_label("Failed").check()
    expect(found).to_have_text("1 request")
    expect(page.get_by_role("row", name=re.compile("careful"))).to_contain_text("400")
    search = page.get_by_label("Search model, account, key, id…")
    search.fill("the laptop")
    expect(found).to_have_text("1 request")
    search.fill("nobody")
    expect(panel.heading("Nothing fits the filters")).to_be_visible()
    page.reload()
    expect(search).to_have_value("nobody")
    expect(page.get_by_label("Failed")).to_be_checked()
    panel.button("Clear filters").click()
    expect(found).to_have_text("2 requests")


def test_a_request_tells_its_attempts_and_its_losses(panel, sim):
    sim.script(Failure(500, "The first host is broken."), Answer("Hi", usage=Usage(31, 7)))
    assert panel.chat("fast").status_code == 200
    panel.chat("careful", logit_bias={"7": 5})
    panel.until_counted()
    page = panel.open("requests").page
    row = page.get_by_role("row", name=re.compile("fast"))
    expect(row).to_contain_text("after 2 attempts")
    panel.button("fast", row).click()
    tries = panel.dialog.locator("ol.line > li")
    expect(tries).to_have_count(2)
    expect(tries.first).to_contain_text("The first host is broken.")
    expect(tries.first).to_contain_text("500")
    expect(tries.last).to_contain_text("Answered")
    expect(panel.dialog).to_contain_text("31 in (0 cached), 7 out")
    page.keyboard.press("Escape")
    expect(panel.button("fast", row)).to_be_focused()
    assert page.evaluate("location.hash") == "#/requests"
    # The way back leads out of the list, not into the window that was closed.
    panel.go("models")
    page.go_back()
    expect(panel.heading("Requests")).to_be_visible()
    expect(panel.dialog).to_have_count(0)
    row = page.get_by_role("row", name=re.compile("careful"))
    expect(row).to_contain_text("lossy")
    panel.button("careful", row).click()
    losses = panel.dialog.get_by_role("table", name="What the translation could not carry")
    expect(losses.get_by_role("row", name=re.compile("logit_bias"))).to_contain_text("left out")


def test_a_stream_is_told_of_while_it_runs(panel, sim):
    gate = Gate()
    sim.script(Answer(["one", "two"], gate=gate, gate_at=3))
    key = {"authorization": f"Bearer {CLIENT_KEY}"}
    body = {"model": "fast", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    page = panel.open("requests").page
    with panel.managed.client.stream(
        "POST", "/v1/chat/completions", json=body, headers=key
    ) as answer:
        lines = answer.iter_lines()
        next(lines)
        page.get_by_label("Running").check()
        row = page.get_by_role("row", name=re.compile("fast"))
        expect(row).to_contain_text("streaming")
        expect(row).to_contain_text(re.compile("first token after"))
        gate.open()
        list(lines)
    expect(panel.heading("Nothing fits the filters")).to_be_visible()


def test_a_request_that_is_no_longer_known_is_told(panel):
    panel.refused = {404}
    panel.open("requests/gone-for-good")
    expect(panel.dialog.get_by_text("No longer known")).to_be_visible()


def test_a_logged_request_can_be_read_whole(visit, sim):
    panel = visit(hosts(sim) + "request-log: true\n").signed_in()
    panel.chat("fast")
    row = panel.open("requests").page.get_by_role("row", name=re.compile("fast"))
    panel.button("fast", row).click()
    log = panel.dialog.get_by_role("region", name="Log of this request", exact=True)
    asked = log.get_by_role("region", name="What the client asked", exact=True)
    expect(asked).to_contain_text('"content": "Hello?"')
    expect(log).to_contain_text("You said: Hello?")
    log.get_by_text("What the provider was asked").click()
    sent = log.get_by_role("region", name="What the provider was asked: headers")
    expect(sent).to_contain_text(f"{sim.url}/v1/chat/completions")
    for secret in ("first-key-0123456789", CLIENT_KEY):
        expect(log).not_to_contain_text(secret)
    assert not AXE.is_file() or panel.axe() == []
    with panel.page.expect_download() as download:
        panel.button("Download", panel.dialog).click()
    assert "You said: Hello?" in download.value.path().read_text()


def test_logs_of_requests_are_switched_on_where_they_are_missing(panel, sim):
    panel.chat("fast")
    page = panel.open("requests").page
    panel.button("fast", page.get_by_role("row", name=re.compile("fast"))).click()
    expect(panel.dialog).to_contain_text("Headers and bodies are not kept.")
    panel.button("Log every request", panel.dialog).click()
    expect(panel.dialog).to_contain_text("This request has no log")
    assert "request-log: true" in panel.managed.text
    page.keyboard.press("Escape")
    panel.chat("careful")
    panel.button("careful", page.get_by_role("row", name=re.compile("careful"))).click()
    expect(panel.dialog).to_contain_text("You said: Hello?")


def test_one_sees_at_once_that_most_requests_fail(panel, sim):
    for number in range(4):
        sim.script(Failure(400, f"No such thing as {number}."))
        panel.chat("careful")
    panel.open("")
    expect(panel.heading("4 of the last 4 requests failed")).to_be_visible()
    panel.button("Look at it").click()
    expect(panel.dialog).to_contain_text("No such thing as 3.")


def test_a_failed_request_tells_why_in_the_list(panel, sim):
    sim.script(Failure(400, "No such thing."))
    panel.chat("careful")
    row = panel.open("requests").page.get_by_role("row", name=re.compile("careful"))
    expect(row).to_contain_text("No such thing.")
    expect(row).to_contain_text("team")
    moment = row.get_by_role("time")
    expect(moment).to_have_text(re.compile("now|ago"))
    expect(moment).to_have_attribute("title", re.compile(r"\d{4}.*\d\d:\d\d:\d\d"))


@pytest.mark.parametrize("where", ["", "requests"])
def test_what_was_seen_stays_while_the_server_is_gone(panel, where):
    panel.chat("fast")
    panel.page.clock.install()
    page = panel.open(where).page
    row = page.get_by_role("row", name=re.compile("fast"))
    expect(row).to_be_visible()
    alert = page.get_by_role("alert")

    def wait_for(count):
        # A page that asks every few seconds is given the seconds.
        for _ in range(100):
            page.clock.run_for(2_000)
            if alert.count() == count:
                return
        raise AssertionError(f"not {count} alerts but {alert.count()}")

    panel.context.route("**/v0/**", lambda route: route.abort("connectionrefused"))
    wait_for(1)
    expect(alert).to_contain_text("The server does not answer.")
    expect(row).to_be_visible()
    panel.context.unroute_all()
    wait_for(0)
    expect(row).to_be_visible()
    panel.faults = [fault for fault in panel.faults if "ERR_CONNECTION_REFUSED" not in fault]


def test_usage_is_drawn_and_told_in_numbers(visit, sim):
    panel = visit(hosts(sim), alone=True).signed_in()
    page = panel.open("usage").page
    expect(page.get_by_text("Nothing was used in this time")).to_be_visible()
    sim.script(*(Answer("Hi", usage=Usage(1000, 200)) for _ in range(3)))
    for model in ("fast", "fast", "careful"):
        panel.chat(model)
    panel.until_counted()
    page.reload()
    expect(page.locator(".chart canvas")).to_be_visible()
    totals = page.locator(".figures")
    expect(totals).to_contain_text("3,000")
    expect(totals).to_contain_text("600")
    models = page.get_by_role("table", name="Models")
    expect(models.get_by_role("row", name=re.compile("^gpt-5"))).to_contain_text("2,400")
    panel.button("Table").click()
    today = page.get_by_role("table", name="Over time").get_by_role("row").last
    expect(today).to_contain_text("2,400")
    expect(today).to_contain_text("1,200")
    page.get_by_label("24 h").check()
    expect(page.get_by_role("table", name="Over time").get_by_role("row")).to_have_count(25)
    page.get_by_label("Split by").select_option("account")
    expect(page.get_by_role("table", name="Accounts")).to_be_visible()
    page.get_by_label("Dates").check()
    page.get_by_label("To").fill("2020-01-02")
    page.get_by_label("From").fill("2020-01-01")
    expect(page.get_by_text("Nothing was used in this time")).to_be_visible()


def test_it_is_explained_who_would_answer_and_what_would_be_sent(panel, sim):
    panel.open("models")
    row = panel.page.get_by_role("row", name=re.compile("fast"))
    panel.button("Explain", row).click()
    expect(panel.page.get_by_label("Model", exact=True)).to_have_value("fast")
    panel.button("Explain").click()
    expect(panel.heading("2 of 2 would be asked, in this order")).to_be_visible()
    first = panel.page.locator("main ol > li").first
    expect(first).to_contain_text("first")
    expect(first.get_by_role("region")).to_contain_text(f"POST {sim.url}/v1/chat/completions")
    expect(first.get_by_role("region")).not_to_contain_text("first-key-0123456789")
    panel.page.get_by_label("Body").fill("{]")
    panel.button("Explain").click()
    expect(panel.page.get_by_role("alert")).to_contain_text("This is not JSON")
    assert sim.requests == []


def test_a_model_that_nobody_serves_is_told(panel):
    panel.refused = {404}
    panel.open("explain").page.get_by_label("Model", exact=True).fill("no-such-model")
    panel.button("Explain").click()
    expect(panel.page.locator("main")).to_contain_text(re.compile("no-such-model|No account"))


def test_models_are_listed_with_their_accounts(panel):
    page = panel.open("models").page
    expect(page.get_by_role("row", name=re.compile("fast"))).to_contain_text("first")
    page.get_by_label("Search models").fill("careful")
    expect(page.get_by_text("1 model", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("careful"))).to_contain_text("Claude")


# ---- the log --------------------------------------------------------------------------------------
@pytest.fixture
def log(tmp_path):
    path = tmp_path / "writable" / "logs" / "main.log"
    path.parent.mkdir(parents=True)

    def write(text, level="INFO"):
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        with path.open("a") as file:
            file.write(f"{moment} {level:7} cliproxy.x: {text}\n")

    return write


def test_the_log_goes_on_while_one_reads(visit, log):
    panel = visit("logging-to-file: true\n").signed_in()
    log("it begins")
    page = panel.open("logs").page
    lines = page.get_by_role("log")
    expect(lines).to_contain_text("it begins")
    log("it goes on", "WARNING")
    expect(lines).to_contain_text("it goes on")
    page.get_by_label("Warnings").check()
    expect(lines).not_to_contain_text("it begins")
    panel.button("Clear log").click()
    panel.button("Clear log", panel.dialog).click()
    expect(panel.heading("The log is empty")).to_be_visible()


def test_a_log_that_is_off_can_be_switched_on(visit, log):
    panel = visit().signed_in()
    log("it was here before")
    panel.open("logs")
    expect(panel.heading("Logging to files is off")).to_be_visible()
    panel.button("Log to files").click()
    expect(panel.page.get_by_role("log")).to_contain_text("it was here before")
    assert "logging-to-file: true" in panel.managed.text


def test_the_log_of_a_failed_request_can_be_read(visit, log, sim):
    panel = visit(hosts(sim) + "logging-to-file: true\n").signed_in()
    sim.script(Failure(400, "No such thing."))
    panel.chat("careful")
    panel.until_counted()
    page = panel.open("logs").page
    page.get_by_role("tab", name="Failed requests").click()
    page.get_by_role("button", name=re.compile("^error-v1-chat-completions")).click()
    expect(panel.dialog).to_contain_text("No such thing.")

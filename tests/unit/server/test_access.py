import pytest

from cliproxy.base.errors import Forbidden, RateLimited, Unauthenticated
from cliproxy.server.access import FAILURES, WINDOW, Access, Failures


class Clock:
    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    def monotonic(self):
        return self.time

    async def sleep(self, seconds):
        self.time += seconds


def access(*keys):
    return Access(keys, Failures(Clock()))


def check(checker, headers=None, query=None, peer="1.2.3.4", loopback=False):
    return checker.check(headers or {}, query or {}, peer=peer, loopback=loopback)


@pytest.mark.parametrize(
    ("headers", "query", "source"),
    [
        ({"authorization": "Bearer k2"}, {}, "authorization"),
        ({"authorization": "bearer   k2"}, {}, "authorization"),
        ({"authorization": "k2"}, {}, "authorization"),
        ({"x-api-key": "k2"}, {}, "x-api-key"),
        ({"x-goog-api-key": " k2 "}, {}, "x-goog-api-key"),
        ({}, {"key": "k2"}, "query-key"),
        ({}, {"auth_token": "k2"}, "query-auth-token"),
    ],
)
def test_a_key_is_found_in_every_place(headers, query, source):
    client = check(access("k1", "k2"), headers, query)
    assert (client.label, client.source) == ("key-2", source)


def test_a_wrong_key_in_one_place_does_not_spoil_a_right_one_in_another():
    headers = {"authorization": "Bearer stale", "x-api-key": "k1"}
    assert check(access("k1"), headers).source == "x-api-key"


def test_missing_and_wrong_keys_are_told_apart():
    with pytest.raises(Unauthenticated, match="Missing"):
        check(access("k1"))
    with pytest.raises(Unauthenticated, match="Invalid"):
        check(access("k1"), {"x-api-key": "k"})
    with pytest.raises(Unauthenticated, match="Invalid"):
        check(access("k1"), {"x-api-key": "ключ-\ud800"})


def test_no_configured_keys_admit_everybody():
    assert check(access(), {}).label == "anonymous"
    assert check(access("", "  "), {}).label == "anonymous"


def test_published_sample_keys_work_from_this_machine_only():
    checker = access("your-api-key-1")
    assert check(checker, {"x-api-key": "your-api-key-1"}, loopback=True).label == "key-1"
    with pytest.raises(Unauthenticated, match="sample"):
        check(checker, {"x-api-key": "your-api-key-1"}, loopback=False)


def test_guessing_is_slowed_down_for_that_address_only():
    clock = Clock()
    checker = Access(["k1"], Failures(clock))
    for _ in range(FAILURES):
        with pytest.raises(Unauthenticated):
            check(checker, {"x-api-key": "guess"})
    with pytest.raises(RateLimited) as caught:
        check(checker, {"x-api-key": "k1"})
    assert caught.value.retry_after == WINDOW
    assert check(checker, {"x-api-key": "k1"}, peer="5.6.7.8")
    clock.time += WINDOW + 1
    assert check(checker, {"x-api-key": "k1"})


def test_memory_of_failures_is_bounded():
    failures = Failures(Clock())
    for n in range(10_000):
        failures.record(f"peer-{n}")
    assert len(failures._seen) <= 4096


@pytest.mark.parametrize(
    ("origin", "fine"),
    [
        (None, True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:8317", True),
        ("http://[::1]:5173", True),
        ("http://tauri.localhost", True),
        ("app://obsidian.md", True),
        ("vscode-webview://abc", True),
        ("chrome-extension://abcdef", True),
        ("file://", True),
        ("https://page.example", False),
        ("http://localhost.page.example", False),
        ("http://127.0.0.1.page.example", False),
        ("HTTPS://PAGE.EXAMPLE", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_without_keys_pages_from_elsewhere_may_not_ask(origin, fine):
    headers = {} if origin is None else {"origin": origin}
    checker = access()
    for ask in (checker.check, checker.check_code_assist):
        if fine:
            assert ask(headers, {}, peer="127.0.0.1", loopback=True).label == "anonymous"
            continue
        with pytest.raises(Forbidden, match="api-keys"):
            ask(headers, {}, peer="127.0.0.1", loopback=True)


def test_with_keys_or_where_its_owner_lets_everybody_in_pages_may_ask():
    elsewhere = {"origin": "https://page.example"}
    open_to_all = Access((), Failures(Clock()), pages=True)
    assert check(open_to_all, elsewhere).label == "anonymous"
    assert check(access("k"), {**elsewhere, "x-api-key": "k"}).label == "key-1"


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_key_may_be_of_any_letters(name, encoding):
    given = "clà".encode(encoding).decode("latin-1")
    assert check(access("clà"), {name: given}).label == "key-1"

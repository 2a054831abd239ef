"""The panel's page and files."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from cliproxy.manage import panel

BROWSER = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def built(tmp_path, monkeypatch):
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>panel</title>")
    (folder / "assets" / "index-abc123.js").write_text("1")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder.parent / "secret.txt").write_text("secret")
    monkeypatch.setattr(panel, "built", lambda: folder)
    return folder


def test_a_browser_is_sent_to_it(managed):
    answer = managed.ask("GET", "//", key=None, **BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (302, "/management.html")
    assert managed.ask("GET", "//", key=None).json()["message"]


def test_it_is_served_without_a_key_and_without_strangers(managed, built):
    answer = managed.ask("GET", "//management.html", key=None)
    assert answer.text == "<title>panel</title>"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "x-cpa-version" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy


def test_it_is_there_also_where_management_is_not(manage, built):
    managed = manage(head="api-keys: [k]\n")
    assert managed.ask("GET", "//management.html", key=None).status_code == 200


def test_hashed_files_are_kept_for_ever(managed, built):
    answer = managed.ask("GET", "//panel/assets/index-abc123.js", key=None)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")
    answer = managed.ask("GET", "//panel/favicon.svg", key=None)
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["../secret.txt", "%2e%2e/secret.txt", "assets/%2e%2e/%2e%2e/secret.txt", "..%5cx",
             "%00", "none.js", "assets", ".hidden"]
)  # fmt: skip
def test_nothing_else_is_served(managed, built, name):
    assert managed.ask("GET", f"//panel/{name}", key=None).status_code in (401, 404)


def test_a_copy_without_it_says_how_to_build_it(managed, monkeypatch, tmp_path):
    monkeypatch.setattr(panel, "built", lambda: tmp_path / "none")
    answer = managed.ask("GET", "//management.html", key=None)
    assert answer.status_code == 200
    assert "npm run build" in answer.text
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_it_can_be_switched_off(manage, built):
    head = "remote-management: {secret-key: k, disable-control-panel: true}\napi-keys: [k]\n"
    managed = manage(head=head)
    for path in ("//management.html", "//panel/favicon.svg"):
        answer = managed.ask("GET", path, key=None)
        assert (answer.status_code, answer.content) == (404, b"")
    assert managed.ask("GET", "//", key=None, **BROWSER).json()["message"]


@pytest.mark.parametrize("as_file", [True, False])
def test_an_owners_own_page_comes_first(managed, built, tmp_path, monkeypatch, as_file):
    page = tmp_path / "own" / "management.html"
    page.parent.mkdir()
    page.write_text("own")
    monkeypatch.setenv("MANAGEMENT_STATIC_PATH", str(page if as_file else page.parent))
    answer = managed.ask("GET", "//management.html", key=None)
    assert answer.text == "own"
    assert answer.headers["x-frame-options"] == "DENY"

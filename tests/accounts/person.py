"""A person at a standard OAuth server's pages: fills in forms until there is nothing more to do."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2 as httpx

ANSWERS = {"login": "me", "password": "secret"}


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.forms.append((found.get("action", ""), {}))
        elif tag in ("input", "button") and self.forms and found.get("name"):
            name = found["name"]
            if name != "abort":
                self.forms[-1][1][name] = found.get("value", "") or ANSWERS.get(name, "")


def log_in(url: str, *, until: str, code: str = "") -> str:
    """Open a page and go on until an address that starts with `until`, or a page without a form."""
    with httpx.Client(follow_redirects=False, timeout=20) as browser:
        answer = browser.get(url)
        for _ in range(20):
            while answer.is_redirect:
                to = urljoin(str(answer.url), answer.headers["location"])
                if until and to.startswith(until):
                    return to
                answer = browser.get(to)
            assert answer.status_code < 400, answer.text
            page = _Forms()
            page.feed(answer.text)
            if not page.forms:
                return answer.text
            action, fields = page.forms[0]
            if code and "user_code" in fields:
                fields["user_code"] = code
            answer = browser.post(urljoin(str(answer.url), action), data=fields)
        raise AssertionError(f"still at {urlsplit(str(answer.url)).path} after twenty pages")

"""Leads a talk to its end without sockets: answers what it asks from a list, and writes it down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cliproxy.base.http import HttpRequest
from cliproxy.login.flow import (
    Answer,
    Callback,
    Problem,
    Show,
    Step,
    Talk,
    Unreachable,
    Visit,
    Wait,
)

Json = Any
CODE = "the-code"


@dataclass
class Reply:
    """What an HTTP request is answered with."""

    status: int = 200
    body: Json = None
    """JSON, or bytes as they are."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self) -> Answer:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body or {}).encode()
        return Answer(self.status, dict(self.headers), body)


@dataclass
class Asked:
    """An HTTP request of the talk, taken apart."""

    request: HttpRequest

    @property
    def line(self) -> str:
        return f"{self.request.method} {self.request.url}"

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.request.headers.items()}

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.request.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Json:
        return json.loads(self.request.body)


@dataclass
class Heard:
    """What became of a talk."""

    result: Json = None
    problem: Problem | None = None
    unreachable: Unreachable | None = None
    """A missing answer that the talk let pass: its driver calls that a problem of the network."""
    steps: list[Step] = field(default_factory=list)

    @property
    def asked(self) -> list[Asked]:
        return [Asked(step) for step in self.steps if isinstance(step, HttpRequest)]

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]

    @property
    def visits(self) -> list[Visit]:
        return [step for step in self.steps if isinstance(step, Visit)]

    @property
    def shows(self) -> list[Show]:
        return [step for step in self.steps if isinstance(step, Show)]

    @property
    def waited(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Wait)]

    @property
    def kind(self) -> str:
        """Return the kind of problem, "" when there was none."""
        if self.problem is not None:
            return self.problem.kind
        return "network" if self.unreachable is not None else ""


Given = Reply | Unreachable | Callback | Json


def drive(talk: Talk[Any], *given: Given, forever: Given = None) -> Heard:
    """Lead a talk to its end.

    Each HTTP request takes the next of `given`: a `Reply`, a JSON object (status 200), or an
    `Unreachable`; afterwards `forever`. A visit takes a `Callback` if one is next, else the right
    one is made up. What is given and not asked for is a failure of the test.
    """
    left = list(given)
    heard = Heard()
    sent: Any = None
    failure: Unreachable | None = None
    try:
        while True:
            step = talk.throw(failure) if failure is not None else talk.send(sent)
            heard.steps.append(step)
            assert len(heard.steps) < 1000, "the talk does not end"
            sent, failure = None, None
            match step:
                case HttpRequest():
                    assert left or forever is not None, f"nobody answers {step.method} {step.url}"
                    reply = left.pop(0) if left else forever
                    if isinstance(reply, Unreachable):
                        failure = reply
                    else:
                        assert not isinstance(reply, Callback), f"not a visit: {step.url}"
                        sent = (reply if isinstance(reply, Reply) else Reply(body=reply)).answer()
                case Visit():
                    own = bool(left) and isinstance(left[0], Callback)
                    sent = left.pop(0) if own else Callback(CODE, step.state)
                case _:
                    pass
    except StopIteration as stop:
        heard.result = stop.value
    except Problem as problem:
        heard.problem = problem
    except Unreachable as err:
        heard.unreachable = err
    finally:
        talk.close()
    assert not left or heard.kind, f"not asked for: {left}"
    return heard


def query(url: str) -> dict[str, str]:
    """Return the query of an address."""
    return dict(parse_qsl(urlsplit(url).query))

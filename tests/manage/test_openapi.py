"""The OpenAPI document, and what it promises, tried with requests that nobody thought of."""

from __future__ import annotations

import os

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cliproxy.manage import openapi
from cliproxy.manage.app import ENDPOINTS
from tests.proxy import Proxy

KEY = "from-the-environment"
DOCUMENT = openapi.document(ENDPOINTS)
# They would go out into the world, or replace the configuration that the rest is tried with.
ELSEWHERE = r"/(api-call|config\.yaml|vertex/import|[a-z-]+-auth-url)$"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_route_is_in_it(managed):
    told = managed.get("/openapi.json")
    assert told["openapi"] == "3.1.0"
    for endpoint in ENDPOINTS:
        path = endpoint.address.replace(":path}", "}")
        assert endpoint.method.lower() in told["paths"][path]
    assert "/v0/management/usage" in told["paths"]


def test_all_that_it_refers_to_is_in_it():
    names = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(references(DOCUMENT)) <= names


def test_operations_have_names_of_their_own():
    names = [o["operationId"] for path in DOCUMENT["paths"].values() for o in path.values()]
    assert len(names) == len(set(names))


def test_little_is_open():
    open_ones = {p for p, path in DOCUMENT["paths"].items() for o in path.values()
                 if o.get("security") == []}  # fmt: skip
    assert open_ones == {"/v0/management/oauth-callback", "/v0/resource/plugins/{path}"}


def test_what_is_never_served_promises_no_success():
    for endpoint in ENDPOINTS:
        path = DOCUMENT["paths"][endpoint.address.replace(":path}", "}")]
        statuses = path[endpoint.method.lower()]["responses"].keys()
        assert ("200" in statuses, "501" in statuses) == (endpoint.served, not endpoint.served)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    before = {name: os.environ.get(name) for name in ("MANAGEMENT_PASSWORD", "HOME")}
    os.environ |= {"MANAGEMENT_PASSWORD": KEY, "HOME": str(folder)}
    text = f"auth-dir: {folder}/auth\napi-keys: [k]\nlogging-to-file: true\n"
    path = folder / "config.yaml"
    path.write_text(text)
    try:
        with Proxy(text) as proxy, requests.Session() as session:
            proxy.runtime.control.config_path = path
            session.trust_env = False
            yield proxy.url, session
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path_regex=ELSEWHERE)


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_sent_breaks_it(live, case):
    url, session = live
    key = {"Authorization": f"Bearer {KEY}"}
    answer = case.call(base_url=url, session=session, headers=key)
    assert answer.status_code not in (401, 403)
    # What is not built says so, where the document tells it.
    checks = CHECKS[1:] if answer.status_code == 501 else CHECKS
    case.validate_response(answer, checks=checks)

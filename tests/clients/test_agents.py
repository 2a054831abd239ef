"""Real coding agents through the proxy: each finishes a tool loop on models that are not its own."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from cliproxy.usage import questions
from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.node_clients import node_client  # noqa: F401  # fixture
from tests.sim import Answer, Call, Failure, tool_loop

pytestmark = [pytest.mark.needs_node, pytest.mark.slow]
every = pytest.mark.parametrize("upstream", DIALECTS)


def run(program, arguments, home, **variables):
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "NO_PROXY": "127.0.0.1",
        "TERM": "dumb",
        **variables,
    }
    return subprocess.run(
        [program, *arguments],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def strict(start_sim):
    return start_sim(
        strict=True, keys={"chat-key", "codex-key", "claude-key", "gemini-key", "interactions-key"}
    )


@every
def test_claude_code_finishes_a_tool_loop(strict, start_proxy, node_client, tmp_path, upstream):  # noqa: F811
    (tmp_path / "secret.txt").write_text("The word is heliotrope.\n")
    loop = tool_loop([Call("Bash", {"command": "cat secret.txt"})], "The word is heliotrope.")
    strict.script(*[plain_or(loop)] * 30)
    proxy = start_proxy(config(strict))
    done = run(
        node_client("claude"),
        ["-p", "Read secret.txt and tell me the word.", "--output-format", "stream-json",
         "--verbose", "--allowedTools", "Bash", "--model", f"to-{upstream}"],
        tmp_path,
        ANTHROPIC_BASE_URL=proxy.url,
        ANTHROPIC_AUTH_TOKEN=proxy.key,
        ANTHROPIC_SMALL_FAST_MODEL=f"to-{upstream}",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        DISABLE_AUTOUPDATER="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    final = lines[-1]
    assert final["type"] == "result"
    assert final["is_error"] is False, final
    assert "heliotrope" in final["result"]
    results = [text for record in strict.requests for _, text in record.results]
    assert any("heliotrope" in text for text in results), "the tool's output reached the model"
    assert all(record.status == 200 for record in strict.requests)


def codex_reads(strict, codex, folder, proxy, *, model, websockets):
    """Have Codex read a word from a file, through the proxy."""
    (folder / "secret.txt").write_text("The word is heliotrope.\n")
    home = folder / ".codex"
    home.mkdir()
    (home / "config.toml").write_text(f"""
model = "{model}"
model_provider = "proxy"
[model_providers.proxy]
name = "proxy"
base_url = "{proxy.url}/v1"
env_key = "PROXY_KEY"
wire_api = "responses"
supports_websockets = {str(websockets).lower()}
""")
    strict.script(*[codex_loop] * 30)
    done = run(
        codex,
        ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
         "Read secret.txt and tell me the word."],
        folder,
        PROXY_KEY=proxy.key,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "heliotrope" in done.stdout
    results = [text for record in strict.requests for _, text in record.results]
    assert any("heliotrope" in text for text in results), "the tool's output reached the model"


@every
@pytest.mark.parametrize("websockets", [False, True], ids=["http", "websocket"])
def test_codex_finishes_a_tool_loop(
    strict,
    start_proxy,
    node_client,  # noqa: F811
    tmp_path,
    upstream,
    websockets,
):
    proxy = start_proxy(config(strict))
    codex_reads(
        strict, node_client("codex"), tmp_path, proxy, model=f"to-{upstream}", websockets=websockets
    )
    proxy.settle()
    found = proxy.runtime.usage.store.read(lambda db: questions.requests(db, filters={}))
    asked = {row["endpoint"] for row in found["requests"]}
    assert asked == {"GET /v1/responses" if websockets else "POST /v1/responses"}


@pytest.mark.parametrize("upstream", ["websocket", "refused"])
def test_codex_finishes_a_tool_loop_over_websockets_on_both_sides(
    strict,
    start_proxy,
    node_client,  # noqa: F811
    tmp_path,
    upstream,
):
    key = "  - api-key: codex-key\n"
    proxy = start_proxy(config(strict).replace(key, f"{key}    websockets: true\n"))
    if upstream == "refused":
        strict.refuse(*[Failure(426, "no websockets")] * 30)
    codex_reads(
        strict, node_client("codex"), tmp_path, proxy, model="to-openai-responses", websockets=True
    )
    way = "websocket" if upstream == "websocket" else "http"
    assert {record.over for record in strict.requests} == {way}
    assert all(record.status == 200 for record in strict.requests)
    last = strict.requests[-1].body
    if upstream == "websocket":
        assert last["previous_response_id"]
        assert {item["type"] for item in last["input"]} == {"function_call_output"}


def test_codex_falls_back_to_http_when_its_websocket_is_refused(
    strict,
    start_proxy,
    node_client,  # noqa: F811
    tmp_path,
):
    home = tmp_path / ".codex"
    home.mkdir()
    proxy = start_proxy(config(strict), websockets=False)
    (home / "config.toml").write_text(f"""
model = "to-anthropic"
model_provider = "proxy"
[model_providers.proxy]
name = "proxy"
base_url = "{proxy.url}/v1"
env_key = "PROXY_KEY"
wire_api = "responses"
supports_websockets = true
""")
    strict.script(*[Answer("Plain HTTP will do.")] * 10)
    done = run(
        node_client("codex"),
        ["exec", "--skip-git-repo-check", "Say something."],
        tmp_path,
        PROXY_KEY=proxy.key,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Plain HTTP will do." in done.stdout


def plain_or(loop):
    """Answer side questions (titles, summaries) with words, turns that offer tools with the loop."""
    return lambda record: loop(record) if "Bash" in record.tools else Answer("A title")


def codex_loop(record):
    """Call the shell by whatever name this request offers it."""
    if record.results:
        return Answer("The word is heliotrope.")
    for tool in record.tools:
        if tool in ("shell", "shell_command", "local_shell"):
            command = "cat secret.txt"
            value = ["bash", "-lc", command] if tool == "shell" else command
            return Answer(tools=[Call(tool, {"command": value})])
        if tool == "exec_command":
            return Answer(tools=[Call(tool, {"cmd": "cat secret.txt"})])
    return Answer("A title")

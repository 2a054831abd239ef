"""Shells and patches of the Responses API, where the upstream knows only functions."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects import Built, ParseMeta, get
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import ArgsDelta, BlockStart, BlockStop, End, Finish, Start
from cliproxy.ir.fold import fold
from cliproxy.ir.restore import RestoreStream

RESPONSES = get("openai-responses")
TOOLS = [{"type": "local_shell"}, {"type": "shell"}, {"type": "apply_patch"}]
BODY = {"model": "m", "input": "Go.", "tools": TOOLS, "stream": True}
FOREIGN = ("openai-chat", "anthropic", "gemini")


def built(target: str, **changes) -> Built:
    req = RESPONSES.parse({**BODY, **changes}, ParseMeta())
    return get(target).build(req, Caps(model="up"))


def answered(upstream: str, name: str, args: str) -> tuple[list[dict], dict]:
    """Return the stream's events about items, and the whole answer, for one call."""
    req = RESPONSES.parse(BODY, ParseMeta())
    call = [BlockStart(0, "tool_call", id="c1", name=name), ArgsDelta(0, args), BlockStop(0)]
    events = [Start("r"), *call, Finish("tool_calls"), End()]
    events = RestoreStream(built(upstream).restore).feed(events)
    frames = RESPONSES.writer(req).feed(events).decode().split("\n\n")
    told = [json.loads(frame.partition("data: ")[2]) for frame in frames if frame]
    about = [event for event in told if "output_index" in event]
    return about, json.loads(RESPONSES.render(fold(events), req))


CALLED = [
    pytest.param(
        "shell",
        '{"commands":["ls","pwd"],"timeout_ms":5}',
        {
            "type": "shell_call",
            "action": {"commands": ["ls", "pwd"], "timeout_ms": 5, "max_output_length": None},
        },
        id="shell",
    ),
    pytest.param(
        "local_shell",
        '{"command":["bash","-lc","ls"],"working_directory":"/w"}',
        {
            "type": "local_shell_call",
            "action": {
                "type": "exec",
                "command": ["bash", "-lc", "ls"],
                "working_directory": "/w",
                "env": {},
            },
        },
        id="local shell",
    ),
    pytest.param(
        "apply_patch",
        '{"type":"update_file","path":"a.py","diff":"@@\\n-a\\n+b"}',
        {
            "type": "apply_patch_call",
            "operation": {"type": "update_file", "path": "a.py", "diff": "@@\n-a\n+b"},
        },
        id="patch",
    ),
    pytest.param(
        "apply_patch",
        '{"type":"delete_file","path":"a.py"}',
        {
            "type": "apply_patch_call",
            "operation": {"type": "delete_file", "path": "a.py"},
        },
        id="deletion",
    ),
]


@pytest.mark.parametrize("upstream", FOREIGN)
@pytest.mark.parametrize(("name", "args", "item"), CALLED)
def test_a_call_comes_back_as_the_item_the_client_knows(upstream, name, args, item):
    about, whole = answered(upstream, name, args)
    assert [event["type"].rpartition(".")[2] for event in about] == ["added", "done"]
    begun, done = (event["item"] for event in about)
    known = {key: done[key] for key in item}
    assert known == item
    assert (begun["status"], done["status"]) == ("in_progress", "completed")
    assert begun["id"] == done["id"]
    assert (begun["call_id"], done["call_id"]) == ("c1", "c1")
    (only,) = whole["output"]
    assert {**only, "id": ""} == {**done, "id": ""}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("shell", '{"cmd":"ls"}'),
        ("shell", '{"commands":"ls"}'),
        ("local_shell", "not JSON"),
        ("apply_patch", '{"type":"update_file","path":"a.py"}'),
        ("apply_patch", '{"type":"rename","path":"a.py","diff":""}'),
    ],
)
def test_a_call_the_client_could_not_run_is_shown_as_the_model_wrote_it(name, args):
    about, whole = answered("anthropic", name, args)
    assert [event["type"] for event in about][-1] == "response.output_item.done"
    (item,) = whole["output"]
    assert (item["type"], item["name"], item["arguments"]) == ("function_call", name, args)


@pytest.mark.parametrize("target", FOREIGN)
def test_history_is_told_as_calls_and_results(target):
    history = [
        {"role": "user", "content": "Go."},
        {"type": "local_shell_call", "id": "lsh_1", "call_id": "c1", "status": "completed",
         "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"type": "local_shell_call_output", "id": "c1", "output": "files"},
        {"type": "shell_call", "id": "sh_1", "call_id": "c2", "status": "completed",
         "action": {"commands": ["ls", "x"]}},
        {"type": "shell_call_output", "call_id": "c2", "output": [
            {"stdout": "a\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
            {"stdout": "", "stderr": "no x\n", "outcome": {"type": "exit", "exit_code": 127}},
            {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
        ]},
    ]  # fmt: skip
    done = built(target, input=history)
    sent = json.dumps(done.body)
    assert "files" in sent
    assert json.dumps("a\nno x\n[exit code 127]\n[timed out]") in sent
    assert [loss for loss in done.losses if "[result]" in loss.field or "input" in loss.field] == []


@pytest.mark.parametrize(
    ("target", "choice"),
    [
        ("openai-chat", {"type": "function", "function": {"name": "shell"}}),
        ("anthropic", {"type": "tool", "name": "shell"}),
        ("gemini", {"mode": "ANY", "allowedFunctionNames": ["shell"]}),
    ],
)
def test_such_a_tool_can_be_chosen(target, choice):
    body = built(target, tool_choice={"type": "shell"}).body
    given = body.get("tool_choice") or body["toolConfig"]["functionCallingConfig"]
    assert given == choice


@pytest.mark.parametrize("target", FOREIGN)
def test_a_shell_in_a_container_of_the_provider_cannot_be_had_elsewhere(target):
    hosted = [{"type": "shell", "environment": {"type": "container_auto"}}]
    done = built(target, tools=hosted)
    assert "tools" not in done.body
    assert [(loss.field, loss.severity) for loss in done.losses] == [("tools[0]", "error")]


def test_upstreams_of_the_same_api_get_what_the_client_wrote():
    call = {"type": "shell_call", "id": "sh_1", "call_id": "c", "action": {"commands": ["ls"]}}
    result = {"type": "shell_call_output", "call_id": "c", "output": [], "caller": None}
    done = built("openai-responses", input=[call, result])
    assert done.body["input"] == [call, result]
    assert done.body["tools"] == TOOLS
    assert not done.restore
    assert done.losses == ()


def test_a_function_of_the_same_name_is_the_clients_own():
    own = {"type": "function", "name": "shell", "parameters": {"type": "object"}}
    done = built("anthropic", tools=[own, {"type": "shell"}])
    assert [tool["name"] for tool in done.body["tools"]] == ["shell"]
    assert not done.restore

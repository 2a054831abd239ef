"""Which request a short message stands for."""

from __future__ import annotations

import json

import pytest

from cliproxy.base.errors import BadRequest
from cliproxy.server.transcript import Memory, Transcript

CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "old"}
ASK = {"role": "user", "content": "Hi"}
ANSWER = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
SIGNED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}
UNSIGNED = {"type": "reasoning", "id": "rs_2", "summary": []}


def transcript(limit=10_000, memory=None):
    return Transcript(memory or Memory(), lambda: limit)


def read(state, kept=(), **message):
    data = json.dumps({"type": "response.create", **message}).encode()
    return state.read(data, lambda response_id: response_id in kept)


def after(*output, state=None, last="resp_1", **message):
    """Return a transcript with one turn behind it."""
    state = state or transcript()
    turn = read(state, **{"model": "m", "input": [ASK], **message})
    state.answered(turn, None, last, [json.dumps(item).encode() for item in output])
    return state


def asked(turn):
    body = json.loads(turn.body)
    assert body.pop("stream") is True
    return body


MORE = {"role": "user", "content": "More"}
PREVIOUS = {"previous_response_id": "resp_1"}


@pytest.mark.parametrize(
    ("output", "message", "expected"),
    [
        pytest.param([ANSWER], {**PREVIOUS, "input": [MORE]}, [ASK, ANSWER, MORE], id="goes on"),
        pytest.param([ANSWER], {"input": [MORE]}, [ASK, ANSWER, MORE], id="no model"),
        pytest.param([ANSWER], {"model": "m", "input": [MORE]}, [MORE], id="stands alone"),
        pytest.param(
            [ANSWER], {"previous_response_id": None, "input": [MORE]}, [MORE], id="from nothing"
        ),
        pytest.param([CALL], {"model": "m", "input": [RESULT]}, [ASK, CALL, RESULT], id="result"),
        pytest.param(
            [CALL], {"model": "m", "input": [{**RESULT, "call_id": "c2"}]},
            [{**RESULT, "call_id": "c2"}], id="result of nothing",
        ),
        pytest.param([ANSWER], {"input": [MORE, ANSWER]}, [MORE, ANSWER], id="retold"),
        pytest.param(
            [ANSWER], {"input": [{"type": "compaction", "encrypted_content": "z"}]},
            [{"type": "compaction", "encrypted_content": "z"}], id="compacted",
        ),
        pytest.param(
            [CALL], {**PREVIOUS, "input": [CALL, RESULT]}, [ASK, CALL, RESULT], id="call again"
        ),
        pytest.param(
            [CALL], {**PREVIOUS, "input": [RESULT, {**RESULT, "output": "new"}]},
            [ASK, CALL, {**RESULT, "output": "new"}], id="result again",
        ),
        pytest.param(
            [CALL, RESULT, {**CALL, "id": "fc_2"}], {**PREVIOUS, "input": [RESULT]},
            [ASK, CALL, RESULT, {**CALL, "id": "fc_2"}, RESULT], id="an id given twice",
        ),
        pytest.param(
            [ANSWER], {**PREVIOUS, "input": [{"type": "item_reference", "id": "msg_1"}, MORE]},
            [ASK, ANSWER, MORE], id="reference",
        ),
        pytest.param(
            [SIGNED, UNSIGNED, ANSWER], {**PREVIOUS, "input": [MORE]},
            [ASK, SIGNED, ANSWER, MORE], id="reasoning",
        ),
        pytest.param(
            [ANSWER], {**PREVIOUS, "input": "words"},
            [ASK, ANSWER, {"type": "message", "role": "user", "content": "words"}], id="words",
        ),
        pytest.param([ANSWER], PREVIOUS, [ASK, ANSWER], id="nothing new"),
        pytest.param(
            [], {**PREVIOUS, "input": [5, {"type": [1], "call_id": {}}]},
            [ASK, 5, {"type": [1], "call_id": {}}], id="odd items",
        ),
    ],
)  # fmt: skip
def test_what_a_message_stands_for(output, message, expected):
    body = asked(read(after(*output), **message))
    assert body["input"] == expected
    assert body["model"] == "m"
    assert not body.get("previous_response_id")


def test_model_and_instructions_are_inherited_and_nothing_else():
    state = after(ANSWER, instructions="Be brief.", temperature=1, tools=[])
    body = asked(read(state, input=[MORE]))
    assert body == {"model": "m", "instructions": "Be brief.", "input": [ASK, ANSWER, MORE]}
    assert asked(read(state, input=[MORE], model="n", instructions=None, **PREVIOUS)) == {
        "model": "n", "instructions": None, "input": [ASK, ANSWER, MORE],
    }  # fmt: skip


def test_an_append_inherits_all():
    state = after(ANSWER, tools=[{"type": "x"}], temperature=0.5)
    body = asked(read(state, type="response.append", input=[MORE]))
    assert body == {
        "model": "m", "tools": [{"type": "x"}], "temperature": 0.5, "input": [ASK, ANSWER, MORE],
    }  # fmt: skip


def test_what_the_store_keeps_is_left_to_it_and_still_remembered():
    state = after(ANSWER)
    turn = read(state, ["resp_1"], input=[MORE], **PREVIOUS)
    assert asked(turn) == {"model": "m", "input": [MORE], **PREVIOUS}
    state.answered(turn, None, "resp_2", [])
    body = asked(read(state, input=[], previous_response_id="resp_2"))
    assert body["input"] == [ASK, ANSWER, MORE]


def test_what_only_an_upstream_knows_is_gone_on_from_by_its_name():
    state = transcript()
    turn = read(state, model="m", input=[ASK], previous_response_id="resp_elsewhere")
    state.answered(turn, None, "resp_1", [])
    assert asked(read(state, input=[MORE], **PREVIOUS))["previous_response_id"] == "resp_1"
    appended = asked(read(state, type="response.append", input=[MORE]))
    assert appended["previous_response_id"] == "resp_1"


def test_numbers_and_unknown_fields_pass_as_they_stand():
    data = (
        b'{ "type" : "response.create", "model":"m", "seed": 12345678901234567890123, "x": 1.10 }'
    )
    assert b'"seed":12345678901234567890123,"x":1.10' in transcript().read(data, bool).body


def test_a_half_of_a_pair_in_the_words_is_no_fault():
    data = b'{"type":"response.create","model":"m","input":"\\ud83d"}'
    assert b'"input"' in transcript().read(data, bool).body


def test_the_memory_of_all_is_bounded_and_the_oldest_forgets():
    memory = Memory(most=1000)
    first, second = (after(state=transcript(memory=memory), input="x" * 600) for _ in range(2))
    assert memory.bytes < 1000
    assert asked(read(first, input=[MORE], **PREVIOUS))["previous_response_id"] == "resp_1"
    assert len(asked(read(second, input=[MORE], **PREVIOUS))["input"]) == 2
    with pytest.raises(BadRequest) as caught:
        read(first, type="response.append", input=[MORE])
    assert caught.value.code == "previous_response_not_found"
    second.forget()
    assert memory.bytes == 0


def test_a_conversation_that_would_be_too_large_is_refused():
    state = after(state=transcript(limit=1000), input="x" * 600)
    with pytest.raises(BadRequest) as caught:
        read(state, input="y" * 600, **PREVIOUS)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("message", "previous", "new"),
    [
        pytest.param({**PREVIOUS, "input": [MORE]}, "resp_1", [MORE], id="goes on"),
        pytest.param({"input": [MORE]}, "resp_1", [MORE], id="no model"),
        pytest.param({**PREVIOUS, "input": [ANSWER, MORE]}, "", None, id="comes again"),
        pytest.param({"model": "m", "input": [MORE]}, "", None, id="stands alone"),
        pytest.param({"previous_response_id": "other", "input": [MORE]}, "", None, id="other"),
    ],
)
@pytest.mark.parametrize("kept", [(), ("resp_1",)], ids=["", "kept"])
def test_what_is_new_in_a_turn_is_known_where_it_goes_on(message, previous, new, kept):
    turn = read(after(ANSWER), kept, **message)
    assert turn.previous == previous
    if new is None:
        assert turn.short == b""
    else:
        assert json.loads(turn.short) == {"model": "m", "input": new, "stream": True}


def test_what_is_new_is_known_although_the_rest_was_forgotten():
    state = after(ANSWER)
    state.forget()
    turn = read(state, **PREVIOUS, input=[MORE])
    assert (turn.previous, turn.items) == ("resp_1", None)
    assert json.loads(turn.short) == {"model": "m", "input": [MORE], "stream": True}
    assert asked(turn)["previous_response_id"] == "resp_1"

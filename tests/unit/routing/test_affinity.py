"""A conversation keeps to the account that answered it, as long as that one answers."""

import json
import random
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clock import FakeClock

from cliproxy.account.model import Account, ModelRule
from cliproxy.base.errors import RateLimited, UpstreamRefused
from cliproxy.config.schema import Config
from cliproxy.pipeline.context import Request
from cliproxy.pipeline.peek import peek, session_of
from cliproxy.routing.affinity import Affinity, Session
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Registry

A, B = ("a", "m"), ("b", "m")


# ---- the memory -------------------------------------------------------------------------------
def test_a_binding_lasts_as_long_as_the_conversation_is_not_silent():
    clock = FakeClock()
    memory = Affinity(clock, 100.0)
    memory.bind("k", A)
    for _ in range(3):
        clock.time += 99
        assert memory.get("k") == A
    clock.time += 100
    assert memory.get("k") is None
    assert len(memory) == 0


def test_only_so_many_conversations_are_remembered_the_liveliest():
    memory = Affinity(FakeClock(), 100.0, capacity=3)
    for key in "abc":
        memory.bind(key, A)
    memory.get("a")
    memory.bind("d", A)
    assert [key for key in "abcd" if memory.get(key)] == ["a", "c", "d"]


def test_only_the_binding_that_failed_is_undone():
    memory = Affinity(FakeClock(), 100.0)
    memory.bind("k", A)
    memory.drop("k", B)
    assert memory.get("k") == A
    memory.drop("k", A)
    memory.drop("k", A)
    assert memory.get("k") is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.floats(0, 50)), max_size=60))
def test_the_memory_is_never_larger_than_it_may_be_nor_older(steps):
    clock = FakeClock()
    memory = Affinity(clock, 60.0, capacity=4)
    used: dict[str, float] = {}
    for key, bind, passing in steps:
        clock.time += passing
        if bind:
            memory.bind(key, A)
            used[key] = clock.time
        elif memory.get(key) is not None:
            assert clock.time - used[key] < 60
            used[key] = clock.time
        assert len(memory) <= 4


# ---- the order of attempts --------------------------------------------------------------------
def pool_of(names="a b c", strategy="round-robin", models="m", priorities=None):
    rules = tuple(ModelRule(name, "m") for name in models.split())
    accounts = [
        Account(n, "openai-compatible-h", n, models=rules, priority=(priorities or {}).get(n, 0))
        for n in names.split()
    ]
    clock = FakeClock()
    pool = Pool(strategy, affinity_ttl=3600.0, clock=clock)
    return pool, Registry(accounts, Config()).resolve("m"), clock


def shown(plan):
    return "".join(c.account.id for c in plan)


def turn(pool, candidates, key, *failures, opening=False):
    """One request: the given failures first, then an answer. Returns who was asked."""
    session = Session(key, opening)
    plan = pool.plan(candidates, session)
    asked = plan[: len(failures) + 1]
    for candidate, status in zip(asked, failures, strict=False):
        pool.report(candidate, UpstreamRefused("x", status=status), session=session)
    pool.report(asked[-1], session=session)
    return shown(asked)


def test_a_conversation_stays_while_new_ones_go_round():
    pool, candidates, _ = pool_of()
    seen = [turn(pool, candidates, key) for key in ("x", "y", "x", "z", "x", "y", "w")]
    assert seen == ["a", "b", "a", "c", "a", "b", "a"]


def test_the_first_turn_of_a_conversation_known_by_its_beginning_may_go_anywhere():
    pool, candidates, _ = pool_of()
    assert [turn(pool, candidates, "k", opening=True) for _ in range(5)] == list("abcab")
    assert [turn(pool, candidates, "k") for _ in range(3)] == list("bbb")


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429])
def test_a_refusal_for_good_moves_it_in_the_same_request(status):
    pool, candidates, clock = pool_of()
    turn(pool, candidates, "k")
    assert turn(pool, candidates, "k", status) == "ab"
    assert turn(pool, candidates, "k") == "b"
    clock.time += 50_000
    pool.report(candidates[0])
    assert turn(pool, candidates, "k") == "b", "its cache is there now"


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_a_stumble_does_not(status):
    pool, candidates, clock = pool_of()
    turn(pool, candidates, "k")
    assert turn(pool, candidates, "k", status)[0] == "a"
    assert turn(pool, candidates, "k") == "a", "its cache is worth more than one stumble"
    for _ in range(3):
        assert turn(pool, candidates, "k", status)[0] == "a"
    assert turn(pool, candidates, "k") != "a", "three in a row are more than a stumble"
    clock.time += 61
    assert turn(pool, candidates, "k") == "a"


def test_a_limit_that_another_conversation_met_moves_it_too():
    pool, candidates, clock = pool_of("a b")
    turn(pool, candidates, "k")
    pool.report(candidates[0], UpstreamRefused("x", status=429, retry_after=20.0))
    assert [turn(pool, candidates, "k") for _ in range(2)] == ["b", "b"]
    clock.time += 21
    assert turn(pool, candidates, "k") == "b"


def test_a_conversation_is_worth_more_than_a_priority():
    pool, candidates, clock = pool_of("a b", priorities={"b": 10})
    pool.report(candidates[1], UpstreamRefused("x", status=429, retry_after=20.0))
    assert turn(pool, candidates, "k") == "a"
    clock.time += 21
    pool.report(candidates[1])
    assert turn(pool, candidates, "k") == "a"
    assert turn(pool, candidates, "new") == "b"


def test_among_several_models_behind_one_name_it_keeps_to_the_one_that_answered():
    pool, candidates, _ = pool_of("a", models="m1 m2 m3")
    first = pool.plan(candidates, Session("k"))[0]
    pool.report(first, session=Session("k"))
    for _ in range(3):
        assert pool.plan(candidates, Session("k"))[0] is first


def test_a_binding_to_somebody_who_is_not_asked_for_is_left_alone():
    pool, candidates, _ = pool_of("a b")
    assert turn(pool, candidates, "k") == "a"
    assert turn(pool, candidates[1:], "k") == "b"
    assert turn(pool, candidates, "k") == "a"


def test_when_all_are_at_their_limit_a_conversation_changes_nothing_about_it():
    pool, candidates, _ = pool_of("a b")
    turn(pool, candidates, "k")
    for candidate in candidates:
        pool.report(candidate, UpstreamRefused("x", status=429, retry_after=20.0))
    with pytest.raises(RateLimited):
        pool.plan(candidates, Session("k"))


def test_a_name_that_was_looked_up_only_is_not_kept_alive():
    clock = FakeClock()
    memory = Affinity(clock, 100.0)
    memory.bind("k", A)
    clock.time += 99
    assert memory.peek("k") == A
    clock.time += 1
    assert memory.peek("k") is None
    assert memory.peek("other") is None


def test_of_a_thousand_conversations_with_stumbles_nearly_all_turns_begin_with_their_account():
    chance = random.Random(23)
    pool, candidates, clock = pool_of(" ".join(f"a{n}" for n in range(10)))
    own, at_home, turns = {}, 0, 0
    for number in range(20):
        for key in chance.sample(range(1000), 1000):
            clock.time += 0.2
            session = Session(key, opening=number == 0)
            for asked, candidate in enumerate(pool.plan(candidates, session)):
                if key in own and asked == 0:
                    turns += 1
                    at_home += candidate.account.id == own[key]
                if chance.random() < 0.05:
                    pool.report(candidate, UpstreamRefused("x", status=503), session=session)
                    continue
                pool.report(candidate, session=session)
                own.setdefault(key, candidate.account.id)
                break
    assert turns == 19_000
    assert at_home >= 0.95 * turns


def test_a_dead_account_is_not_asked_by_each_of_its_conversations():
    pool, candidates, clock = pool_of("a b")
    for key in range(50):
        pool.report(candidates[0], session=Session(key))
    asked = 0
    for key in range(50):
        for candidate in pool.plan(candidates, Session(key)):
            if candidate.account.id == "a":
                asked += 1
                pool.report(candidate, UpstreamRefused("x", status=503), session=Session(key))
                continue
            pool.report(candidate, session=Session(key))
            break
    assert asked == 3
    clock.time += 61
    pool.report(candidates[0])
    assert pool.plan(candidates, Session(7))[0].account.id == "a", "they come back"


def test_requests_that_were_on_their_way_together_stumble_once():
    pool, candidates, clock = pool_of("a b")
    turn(pool, candidates, "k")
    began, clock.time = clock.time, clock.time + 1
    for _ in range(5):
        pool.report(candidates[0], UpstreamRefused("x", status=503), began=began)
        clock.time += 1
    assert pool.plan(candidates, Session("k"))[0].account.id == "a"
    for _ in range(2):
        pool.report(candidates[0], UpstreamRefused("x", status=503), began=clock.time)
    assert pool.plan(candidates, Session("k"))[0].account.id == "b"


# ---- begun elsewhere --------------------------------------------------------------------------
def homes(names, keys=2000, **more):
    pool, candidates, _ = pool_of(names, **more)
    return {
        key: pool.plan(candidates, Session(("m", "client", f"s{key}"), going=True))[0].account.id
        for key in range(keys)
    }


def test_nodes_agree_without_talking_whatever_they_did_before():
    pool, candidates, _ = pool_of()
    for key in "xyz":
        turn(pool, candidates, key, opening=True)
    for key, home in homes("a b c", 50).items():
        session = Session(("m", "client", f"s{key}"), going=True)
        assert pool.plan(list(reversed(candidates)), session)[0].account.id == home


def test_the_agreement_is_the_same_in_every_process_and_version():
    assert "".join(homes("a b c d e", 20).values()) == "dddbebcadbaaaaceeaba"


@pytest.mark.parametrize("strategy", ["round-robin", "least-in-flight", "quota-aware"])
def test_they_are_spread_evenly(strategy):
    counts = Counter(homes("a b c d e", strategy=strategy).values())
    assert set(counts) == set("abcde")
    assert all(320 < count < 480 for count in counts.values())


def test_only_the_conversations_of_an_account_that_comes_or_goes_move():
    before, after = homes("a b c d e"), homes("a b c d")
    moved = {key for key in before if before[key] != after[key]}
    assert moved == {key for key, home in before.items() if home == "e"}
    assert 0.15 < len(moved) / len(before) < 0.25


def test_shares_follow_weights_where_weights_count():
    accounts = [
        Account(n, "h", n, models=(ModelRule("m"),), weight=w) for n, w in (("a", 3), ("b", 1))
    ]
    candidates = Registry(accounts, Config()).resolve("m")
    pool = Pool("weighted-round-robin", affinity_ttl=60.0, clock=FakeClock())
    counts = Counter(
        pool.plan(candidates, Session(key, going=True))[0].account.id for key in range(2000)
    )
    assert 0.7 < counts["a"] / 2000 < 0.8


def test_filling_the_first_is_not_given_up_for_it():
    assert set(homes("a b c", 50, strategy="fill-first").values()) == {"a"}


def test_priority_comes_before_and_a_binding_comes_first():
    assert set(homes("a b c", 50, priorities={"c": 1}).values()) == {"c"}
    pool, candidates, _ = pool_of()
    for candidate in candidates:
        session = Session(candidate.account.id, going=True)
        pool.report(candidate, session=session)
        assert pool.plan(candidates, session)[0] is candidate


def test_when_its_account_is_resting_the_next_in_its_own_order_answers():
    pool, candidates, _ = pool_of("a b c d")
    session = Session("k", going=True)
    first, second = pool.plan(candidates, session)[:2]
    pool.report(first, UpstreamRefused("x", status=429, retry_after=30.0))
    assert pool.plan(candidates, session)[0] is second


def test_among_models_behind_one_name_nodes_agree_too():
    firsts = set()
    for _ in range(3):
        pool, candidates, _ = pool_of("a b", models="m1 m2 m3")
        for _ in range(3):
            firsts.add(pool.plan(candidates, Session("k", going=True))[0].upstream_model)
    assert len(firsts) == 1


# ---- which conversation it is -----------------------------------------------------------------
def request(body, headers=None, dialect="openai-chat", client="", model="m"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("r", dialect, "generate", data, headers or {}, model, False, client=client)


def key(body, headers=None, **more):
    found = session_of(request(body, headers, **more))
    return found and found.key[-1]


UUID = "01234567-89ab-cdef-0123-456789abcdef"
HI = {"messages": [{"role": "user", "content": "Hi"}]}
NAMED = [
    ({"x-claude-code-session-id": "h1", "session-id": "h2"}, {"prompt_cache_key": "b"}, "h1"),
    ({"session-id": "h2", "thread-id": "h4"}, {"prompt_cache_key": "b"}, "h2"),
    ({"session_id": "h3"}, {}, "h3"),
    ({"thread-id": "h4", "x-session-id": "h6"}, {}, "h4"),
    ({"x-session-affinity": "h5", "x-session-id": "h6"}, {}, "h5"),
    ({"x-session-id": " h6 "}, {"prompt_cache_key": "b"}, "h6"),
    ({"x-session-id": " "}, {"prompt_cache_key": "b"}, "b"),
    ({"x-session-id": "x" * 257}, {"prompt_cache_key": "b"}, "b"),
    ({"x-session-id": "a\x07b"}, {"prompt_cache_key": "b"}, "b"),
    ({}, {"prompt_cache_key": "b", "metadata": {"user_id": f"u_session_{UUID}"}}, "b"),
    ({}, {"prompt_cache_key": 7, "metadata": {"user_id": f"u_session_{UUID}"}}, UUID),
    ({}, {"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": UUID})}}, UUID),
]


@pytest.mark.parametrize(("headers", "body", "name"), NAMED)
def test_a_conversation_has_the_most_trusted_of_its_names(headers, body, name):
    assert key({**HI, **body}, headers) == name
    assert not session_of(request({**HI, **body}, headers)).opening


@pytest.mark.parametrize(
    "metadata",
    [None, [], "session", {}, {"user_id": "me"}, {"user_id": 5, "x": "session"},
     {"user_id": "{session"}, {"user_id": '["session"]'}, {"user_id": '{"session_id": 1}'}],
)  # fmt: skip
def test_metadata_without_a_session_is_no_name(metadata):
    assert session_of(request({**HI, "metadata": metadata})) == session_of(request(HI))


def test_names_of_different_clients_and_models_do_not_meet():
    keys = {
        session_of(request(HI, {"session-id": "s"}, client=client, model=model)).key
        for client in ("one", "two")
        for model in ("m", "n")
    }
    assert len(keys) == 4


def chat(role_last=False, **top):
    def turns(*texts):
        rows = []
        for number, text in enumerate(texts):
            row = {"role": ("user", "assistant")[number % 2], "content": text}
            rows.append(dict(reversed(row.items())) if role_last else row)
        return {**top, "messages": rows}

    return turns


def system_inside(*texts):
    body = chat()(*texts)
    return {"messages": [{"role": "system", "content": "Be {brief}]."}, *body["messages"]]}


def blocks(*texts):
    body = chat(system=[{"type": "text", "text": "Be brief."}])(*texts)
    for row in body["messages"]:
        row["content"] = [{"type": "text", "text": row["content"]}]
    # As clients do: the mark stands on the newest block.
    body["messages"][-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return body


def gemini(role_last):
    def turns(*texts):
        rows = []
        for number, text in enumerate(texts):
            row = {"role": ("user", "model")[number % 2], "parts": [{"text": text}]}
            rows.append(dict(reversed(row.items())) if role_last else row)
        return {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": rows}

    return turns


def responses(*texts):
    rows = [{"type": "message", "role": "user", "content": texts[0]}]
    for text in texts[1:]:
        rows.append({"type": "function_call", "call_id": "c", "name": "f", "arguments": text})
    return {"instructions": "Be brief.", "input": rows}


def responses_text(*texts):
    return {"input": texts[0]} if len(texts) == 1 else responses(*texts)


SHAPES = {
    "chat": chat(),
    "chat, role last": chat(role_last=True),
    "chat, system inside": system_inside,
    "anthropic": chat(system="Be brief."),
    "anthropic, blocks": blocks,
    "gemini": gemini(False),
    "gemini, role last": gemini(True),
    "responses": responses,
}
texts = st.text(st.sampled_from(string.printable + '{}[]"\\é☃'), max_size=40) | st.text(
    st.sampled_from("ab "), min_size=3000, max_size=3200
).map(lambda text: text * 4)


@pytest.mark.parametrize("shape", SHAPES)
@given(first=texts, more=st.lists(texts, min_size=1, max_size=5), indent=st.sampled_from([None, 1]))
def test_a_conversation_is_known_by_its_beginning_however_long_it_grows(shape, first, more, indent):
    def told(*said):
        data = json.dumps(SHAPES[shape](*said), indent=indent, ensure_ascii=False)
        return session_of(request(data.encode()))

    opening = told(first)
    assert opening.opening
    for length in range(1, len(more) + 1):
        later = told(first, *more[:length])
        assert later.key == opening.key
        assert not later.opening


@pytest.mark.parametrize("shape", [*SHAPES, "responses, text"])
def test_another_beginning_is_another_conversation(shape):
    turns = SHAPES.get(shape, responses_text)
    keys = {
        session_of(request(turns(text))).key
        for text in ("a", "b", "a" * 9000, "a" * 9001, "a" * 9000 + "b", "b" + "a" * 9000)
    }
    if "role last" not in shape and shape != "responses, text":
        # Of a very long first turn only the beginning is looked at.
        assert len(keys) >= 4
    else:
        assert len(keys) == 6


@pytest.mark.parametrize("part", ["system", "instructions", "systemInstruction"])
def test_another_instruction_is_another_conversation(part):
    keys = {session_of(request({**HI, part: text})).key for text in ("one", "two")}
    assert len(keys) == 2


@pytest.mark.parametrize(
    "body",
    [{}, {"messages": []}, {"prompt": "Hi"}, {"messages": 5}, {"messages": None},
     {"contents": [{"parts": [{"text": "no role"}]}]}, {"input": [{"type": "reasoning"}]}],
)  # fmt: skip
def test_without_a_user_there_is_no_conversation(body):
    assert session_of(request(body)) is None


def test_half_an_emoji_is_no_obstacle():
    body = b'{"messages": [{"role": "user", "content": "\\ud83d"}], "prompt_cache_key": "k"}'
    assert key(body) == "k"
    assert peek(body).prompt_cache_key == "k"


def test_the_servers_own_peek_is_used_when_there_is_one():
    asked = request(b"never looked at", {})
    asked.peeked = peek(json.dumps({**HI, "prompt_cache_key": "k"}).encode())
    assert session_of(asked).key[-1] == "k"


@given(st.binary(max_size=60))
def test_whatever_the_turns_are_nothing_breaks(junk):
    text = json.dumps(junk.decode("latin-1"))
    body = f'{{"messages": [{text}, {{"role": "user"}}, {{"x": {text}}}]}}'.encode()
    session_of(request(body))

"""A client of the Responses API sends only what is new; every upstream still hears all of it."""

from __future__ import annotations

import json
from contextlib import ExitStack

import openai
import pytest
from openai import OpenAI

from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.proxy import KEY
from tests.sim import Answer, Call, Failure, Raw

TRANSLATED = [dialect for dialect in DIALECTS if dialect != "openai-responses"]
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
TWO_KEYS = f"api-keys: [{KEY}, other-key]"


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim, TWO_KEYS))


@pytest.fixture
def sdk():
    with ExitStack() as stack:

        def connect(proxy, key):
            made = OpenAI(base_url=f"{proxy.url}/v1", api_key=key, max_retries=0)
            return stack.enter_context(made)

        yield connect


@pytest.fixture
def client(proxy, sdk):
    return sdk(proxy, KEY)


def heard(sim):
    """Return who said what, as the upstream heard it."""
    return [
        (role, *(piece[1] for piece in pieces if piece[0] == "text"))
        for role, pieces in sim.last.turns
    ]


def streamed(client, **fields):
    with client.responses.stream(**fields) as stream:
        for _ in stream:
            pass
        return stream.get_final_response()


@pytest.mark.parametrize("upstream", TRANSLATED)
@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_an_upstream_without_memory_hears_the_conversation_in_full(sim, client, upstream, how):
    def ask(**fields):
        fields["model"] = f"to-{upstream}"
        return client.responses.create(**fields) if how == "whole" else streamed(client, **fields)

    sim.script(Answer(text="Hello Ada."), Answer(text="Ada."), Answer(text="Of course."))
    first = ask(input="I am Ada.", instructions="Be brief.")
    assert first.store is True
    second = ask(input="Who am I?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    ask(input=[{"role": "user", "content": "Sure?"}], previous_response_id=second.id)
    assert heard(sim) == [
        ("user", "I am Ada."),
        ("assistant", "Hello Ada."),
        ("user", "Who am I?"),
        ("assistant", "Ada."),
        ("user", "Sure?"),
    ]
    # Instructions belong to one request only.
    assert not sim.last.system


@pytest.mark.parametrize("upstream", TRANSLATED)
def test_a_tool_loop_goes_on_by_its_id_alone(sim, client, upstream):
    sim.script(
        Answer(thinking="Look.", tools=[Call("get_weather", {"city": "Oslo"})]), Answer(text="5 C")
    )
    first = client.responses.create(model=f"to-{upstream}", input="Weather?", tools=[TOOL])
    call = next(item for item in first.output if item.type == "function_call")
    second = client.responses.create(
        model=f"to-{upstream}",
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "5 C"}],
        previous_response_id=first.id,
        tools=[TOOL],
    )
    assert second.output_text == "5 C"
    assert sim.last.results


def test_the_account_that_remembers_gets_the_clients_own_request(sim, client):
    sim.script(Answer(text="one", id="resp_first"), Answer(text="two"))
    first = client.responses.create(model="to-openai-responses", input="1")
    assert first.id == "resp_first"
    client.responses.create(
        model="to-openai-responses", input="2", previous_response_id="resp_first"
    )
    assert sim.last.body["previous_response_id"] == "resp_first"
    assert sim.last.body["input"] == "2"


def test_another_account_gets_the_conversation_in_full(start_sim, start_proxy, sdk):
    remembers, other = start_sim(), start_sim()
    proxy = start_proxy(f"""
codex-api-key:
  - {{api-key: a, base-url: "{remembers.url}/v1", models: [{{name: gpt-5.5, alias: m}}]}}
  - {{api-key: b, base-url: "{other.url}/v1", models: [{{name: gpt-5.5, alias: m}}]}}
routing: {{strategy: fill-first}}
""")
    client = sdk(proxy, KEY)
    remembers.script(Answer(text="one", id="resp_1"), Failure(429, "slow down"))
    client.responses.create(model="m", input="1")
    answer = client.responses.create(model="m", input="2", previous_response_id="resp_1")
    assert answer.status == "completed"
    assert remembers.last.body["previous_response_id"] == "resp_1"
    assert "previous_response_id" not in other.last.body
    assert heard(other) == [("user", "1"), ("assistant", "one"), ("user", "2")]


def test_an_account_that_lost_its_memory_is_reminded(sim, client):
    sim.script(
        Answer(text="one", id="resp_1"),
        Failure(400, "Previous response not found.", code="previous_response_not_found"),
        Answer(text="two"),
    )
    client.responses.create(model="to-openai-responses", input="1")
    answer = client.responses.create(
        model="to-openai-responses", input="2", previous_response_id="resp_1"
    )
    assert answer.output_text == "two"
    assert heard(sim) == [("user", "1"), ("assistant", "one"), ("user", "2")]


@pytest.mark.parametrize("upstream", TRANSLATED)
def test_a_response_nobody_kept_is_named(sim, client, upstream):
    with pytest.raises(openai.BadRequestError, match="resp_unknown") as caught:
        client.responses.create(
            model=f"to-{upstream}", input="2", previous_response_id="resp_unknown"
        )
    assert caught.value.code == "previous_response_not_found"
    assert caught.value.param == "previous_response_id"
    assert not sim.requests


def test_an_id_only_the_upstream_may_know_is_left_to_it(sim, client):
    client.responses.create(
        model="to-openai-responses", input="2", previous_response_id="resp_from_before"
    )
    assert sim.last.body["previous_response_id"] == "resp_from_before"


class TestWhatAnAccountAloneKnows:
    """The proxy has the end of such a conversation, and not its beginning."""

    @pytest.fixture
    def sims(self, start_sim):
        return start_sim(), start_sim()

    @pytest.fixture
    def proxy(self, sims, start_proxy):
        knows, other = sims
        return start_proxy(f"""
codex-api-key:
  - {{api-key: a, base-url: "{knows.url}/v1", models: [{{name: gpt-5.5, alias: m}}]}}
  - api-key: b
    base-url: "{other.url}/v1"
    models: [{{name: gpt-5.5, alias: m}}, {{name: gpt-5.4, alias: elsewhere}}]
routing: {{strategy: fill-first}}
""")

    @pytest.fixture(
        params=[{"previous_response_id": "resp_older"}, {"conversation": {"id": "conv_older"}}],
        ids=["response", "conversation"],
    )
    def older(self, request):
        return request.param

    def test_it_hears_the_rest_in_short(self, sims, client, older):
        knows, other = sims
        knows.script(*(Answer(text=f"{n}", id=f"resp_{n}") for n in (1, 2, 3)))
        client.responses.create(model="m", input="1", **older)
        for n in (1, 2):
            client.responses.create(model="m", input=f"{n + 1}", previous_response_id=f"resp_{n}")
            assert knows.last.body["previous_response_id"] == f"resp_{n}"
            assert knows.last.body["input"] == f"{n + 1}"
        assert not other.requests

    def test_nobody_else_is_asked_in_its_place(self, sims, client, older):
        knows, other = sims
        knows.script(Answer(text="one", id="resp_1"), Failure(429, "slow down"))
        client.responses.create(model="m", input="1", **older)
        with pytest.raises(openai.RateLimitError):
            client.responses.create(model="m", input="2", previous_response_id="resp_1")
        for ask in (client.responses.create, client.responses.compact):
            with pytest.raises(openai.BadRequestError, match="resp_1") as caught:
                ask(model="elsewhere", input="2", previous_response_id="resp_1")
            assert caught.value.code == "previous_response_not_found"
        assert not other.requests

    def test_it_compacts_what_it_alone_knows(self, sims, client, older):
        knows, other = sims
        knows.script(Answer(text="one", id="resp_1"), COMPACTED)
        client.responses.create(model="m", input="1", **older)
        client.responses.compact(model="m", previous_response_id="resp_1")
        assert knows.last.path.endswith("/responses/compact")
        assert knows.last.body["previous_response_id"] == "resp_1"
        assert not other.requests

    def test_an_item_beside_it_that_nobody_else_knows_is_left_to_it(self, sims, client):
        knows, other = sims
        knows.script(Answer(text="one", id="resp_1"), Answer(text="two"), Failure(429, "slow down"))
        client.responses.create(model="m", input="1")
        given = [{"type": "item_reference", "id": "msg_older"}, {"role": "user", "content": "2"}]
        asked = {"model": "m", "input": given, "previous_response_id": "resp_1"}
        client.responses.create(**asked)
        assert knows.last.body["input"] == given
        with pytest.raises(openai.RateLimitError):
            client.responses.create(**asked)
        assert not other.requests

    def test_an_answer_that_it_does_not_know_leads_no_further(self, sims, client, older):
        # Translated for the sake of the suffix, so the answer has an id of the proxy's own.
        first = client.responses.create(model="m(high)", input="1", **older)
        with pytest.raises(openai.BadRequestError, match="(resp|conv)_older") as caught:
            client.responses.create(model="m", input="2", previous_response_id=first.id)
        assert caught.value.code == "previous_response_not_found"
        assert len(sims[0].requests) == 1
        assert not sims[1].requests

    def test_an_id_that_was_given_twice_is_no_endless_chain(self, sims, client):
        knows, other = sims
        knows.script(
            *(Answer(text="x", id=name) for name in ("resp_1", "resp_2", "resp_1")),
            Failure(429, "slow down"),
        )
        client.responses.create(model="m", input="1", previous_response_id="resp_2")
        client.responses.create(model="m", input="2", previous_response_id="resp_1")
        client.responses.create(model="m", input="3", previous_response_id="resp_2")
        with pytest.raises(openai.RateLimitError):
            client.responses.create(model="m", input="4", previous_response_id="resp_1")
        assert not other.requests


def test_references_to_items_are_written_out(sim, client):
    sim.script(Answer(text="Hello Ada."), Answer(text="Ada."))
    first = client.responses.create(model="to-anthropic", input="I am Ada.")
    client.responses.create(
        model="to-anthropic",
        input=[
            {"role": "user", "content": "I am Ada."},
            {"type": "item_reference", "id": first.output[0].id},
            {"role": "user", "content": "Who am I?"},
        ],
    )
    assert heard(sim) == [
        ("user", "I am Ada."),
        ("assistant", "Hello Ada."),
        ("user", "Who am I?"),
    ]


COMPACTED = Raw(
    b'{"id":"resp_c","object":"response.compaction","created_at":1,'
    b'"output":[{"type":"compaction","id":"cmp_1","encrypted_content":"gAAA"}],"usage":null}'
)
REFERRED = [{"type": "item_reference", "id": "msg_older"}, {"role": "user", "content": "And?"}]


class TestWhatIsKeptElsewhere:
    """Of two hosts of a model, the one that is asked first keeps nothing."""

    @pytest.fixture
    def sims(self, start_sim):
        return start_sim(), start_sim()

    @pytest.fixture
    def proxy(self, sims, start_proxy):
        forgets, keeps = sims
        return start_proxy(f"""
xai-api-key: [{{api-key: a, base-url: "{forgets.url}/v1", models: [{{name: g, alias: m}}],
               priority: 9}}]
codex-api-key: [{{api-key: b, base-url: "{keeps.url}/v1", models: [{{name: gpt-5.5, alias: m}}]}}]
claude-api-key: [{{api-key: c, base-url: "{forgets.url}", models: [{{name: c, alias: forgetful}}]}}]
""")

    def test_items_that_are_referred_to_are_asked_of_who_may_keep_them(self, sims, client):
        client.responses.create(model="m", input=REFERRED)
        assert sims[1].last.body["input"] == REFERRED
        assert not sims[0].requests

    def test_what_merely_speaks_of_references_is_asked_of_anybody(self, sims, client):
        client.responses.create(model="m", input='What is {"type":"item_reference"}?')
        client.responses.create(
            model="m", input=[{"role": "user", "content": "Hi"}], metadata={"item_reference": "x"}
        )
        assert len(sims[0].requests) == 2

    @pytest.mark.parametrize("how", ["create", "compact"])
    def test_an_item_nobody_keeps_is_named(self, sims, client, how):
        with pytest.raises(openai.BadRequestError, match="msg_older") as caught:
            getattr(client.responses, how)(model="forgetful", input=REFERRED)
        assert (caught.value.code, caught.value.param) == ("item_not_found", "input")
        assert not sims[0].requests

    def test_an_item_beside_what_the_proxy_alone_knows_is_named(self, sims, client):
        sims[0].script(Answer(text="one"))
        first = client.responses.create(model="forgetful", input="1")
        with pytest.raises(openai.BadRequestError, match="msg_older"):
            client.responses.create(model="m", input=REFERRED, previous_response_id=first.id)
        assert not sims[1].requests

    @pytest.mark.parametrize(
        "fields", [{"previous_response_id": "resp_older"}, {"input": REFERRED}],
        ids=["response", "items"],
    )  # fmt: skip
    def test_it_is_compacted_where_it_is_kept_or_not_at_all(self, sims, client, fields):
        sims[1].script(COMPACTED, Failure(404, "No such route"))
        assert client.responses.compact(model="m", **fields).output[0].id == "cmp_1"
        assert {k: v for k, v in sims[1].last.body.items() if k in fields} == fields
        # A summary of the rest would leave out what it is about.
        with pytest.raises(openai.BadRequestError, match="older"):
            client.responses.compact(model="m", **fields)
        assert len(sims[1].requests) == 2
        assert not sims[0].requests


class TestRoutes:
    @pytest.fixture
    def kept(self, sim, client):
        sim.script(Answer(text="Hello."))
        return client.responses.create(
            model="to-anthropic",
            input=[
                {"role": "user", "content": "One."},
                {"role": "assistant", "content": "Yes?"},
                {"role": "user", "content": "Two."},
            ],
        )

    def test_a_response_comes_back_as_it_was(self, client, kept):
        assert client.responses.retrieve(kept.id) == kept

    def test_its_input_is_listed_latest_first_in_pages(self, client, kept):
        page = client.responses.input_items.list(kept.id, limit=2)
        assert [item.content[0].text for item in page.data] == ["Two.", "Yes?"]
        assert page.has_more
        every = [i.content[0].text for i in client.responses.input_items.list(kept.id, limit=2)]
        assert every == ["Two.", "Yes?", "One."]
        ordered = client.responses.input_items.list(kept.id, order="asc")
        assert [item.role for item in ordered.data] == ["user", "assistant", "user"]
        assert len({item.id for item in ordered.data}) == 3

    def test_a_deleted_response_is_gone_for_good(self, client, kept):
        client.responses.delete(kept.id)
        with pytest.raises(openai.NotFoundError, match=kept.id):
            client.responses.retrieve(kept.id)
        with pytest.raises(openai.BadRequestError, match=kept.id):
            client.responses.create(model="to-anthropic", input="?", previous_response_id=kept.id)

    def test_only_background_responses_can_be_cancelled(self, client, kept):
        with pytest.raises(openai.BadRequestError, match="synchronous"):
            client.responses.cancel(kept.id)

    def test_another_key_sees_nothing_of_it(self, proxy, sdk, kept):
        other = sdk(proxy, "other-key")
        with pytest.raises(openai.NotFoundError):
            other.responses.retrieve(kept.id)
        with pytest.raises(openai.BadRequestError):
            other.responses.create(model="to-anthropic", input="?", previous_response_id=kept.id)

    @pytest.mark.parametrize(
        ("query", "field"),
        [({"limit": 0}, "limit"), ({"order": "up"}, "order"), ({"after": "x"}, "after")],
    )
    def test_a_wrong_page_is_named(self, client, kept, query, field):
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.input_items.list(kept.id, **query)
        assert caught.value.param == field

    def test_background_is_refused_before_anybody_is_asked(self, sim, client):
        for upstream in DIALECTS:
            with pytest.raises(openai.BadRequestError, match="Background") as caught:
                client.responses.create(model=f"to-{upstream}", input="Hi", background=True)
            assert caught.value.param == "background"
        assert not sim.requests


@pytest.mark.parametrize("how", ["whole", "streamed"])
@pytest.mark.parametrize("upstream", DIALECTS)
def test_nothing_is_kept_that_the_client_wants_forgotten(sim, client, upstream, how):
    fields = {"model": f"to-{upstream}", "input": "Hi", "store": False}
    answer = client.responses.create(**fields) if how == "whole" else streamed(client, **fields)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_an_answer_that_failed_is_not_kept(sim, client, proxy):
    sim.script(Answer(text="Hello", cut=4))
    with pytest.raises(openai.APIError):
        streamed(client, model="to-anthropic", input="Hi")
    assert len(proxy.runtime.app.generation.gateway.responses) == 0


def test_keeping_can_be_turned_off(sim, start_proxy, sdk):
    client = sdk(start_proxy(config(sim, "responses: {store: false}")), KEY)
    first = client.responses.create(model="to-anthropic", input="Hi")
    assert first.store is False
    with pytest.raises(openai.NotFoundError, match="not kept"):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="to-anthropic", input="?", previous_response_id=first.id)


def test_what_is_kept_survives_another_configuration(sim, proxy, client):
    first = client.responses.create(model="to-anthropic", input="Hi")
    proxy.loop.call_soon_threadsafe(proxy.runtime.reload, proxy.loaded.config)
    assert client.responses.retrieve(first.id).id == first.id


class TestConversations:
    def test_a_conversation_grows_with_every_answer(self, sim, client):
        sim.script(Answer(text="Hello Ada."), Answer(text="Ada."))
        conversation = client.conversations.create(
            metadata={"topic": "names"}, items=[{"role": "developer", "content": "Be brief."}]
        )
        client.responses.create(
            model="to-anthropic", input="I am Ada.", conversation=conversation.id
        )
        client.responses.create(
            model="to-gemini", input="Who am I?", conversation={"id": conversation.id}
        )
        assert heard(sim) == [
            ("user", "I am Ada."),
            ("assistant", "Hello Ada."),
            ("user", "Who am I?"),
        ]
        items = client.conversations.items.list(conversation.id, order="asc")
        assert [item.role for item in items] == [
            "developer",
            "user",
            "assistant",
            "user",
            "assistant",
        ]
        assert client.conversations.retrieve(conversation.id).metadata == {"topic": "names"}

    def test_its_items_are_added_read_and_taken_out(self, client):
        conversation = client.conversations.create()
        added = client.conversations.items.create(
            conversation.id,
            items=[{"type": "message", "role": "user", "content": c} for c in "ab"],
        )
        first, second = added.data
        found = client.conversations.items.retrieve(first.id, conversation_id=conversation.id)
        assert found == first
        client.conversations.items.delete(first.id, conversation_id=conversation.id)
        left = client.conversations.items.list(conversation.id)
        assert [item.id for item in left] == [second.id]
        client.conversations.update(conversation.id, metadata={"k": "v"})
        assert client.conversations.retrieve(conversation.id).metadata == {"k": "v"}
        client.conversations.delete(conversation.id)
        with pytest.raises(openai.NotFoundError, match=conversation.id):
            client.conversations.retrieve(conversation.id)

    def test_an_unknown_one_is_named(self, sim, client):
        with pytest.raises(openai.NotFoundError, match="conv_x"):
            client.responses.create(model="to-anthropic", input="?", conversation="conv_x")
        assert not sim.requests

    @pytest.mark.parametrize("kind", [[], {}, 7, True])
    def test_the_type_of_an_item_is_a_word(self, client, kind):
        items = [{"role": "user", "content": "a"}, {"type": kind}]
        conversation = client.conversations.create()
        for ask in (
            lambda: client.conversations.create(items=items),
            lambda: client.conversations.items.create(conversation.id, items=items),
        ):
            with pytest.raises(openai.BadRequestError, match="type") as caught:
                ask()
            assert caught.value.param == "items[1].type"

    def test_an_id_that_is_no_word_is_at_fault_beside_references_too(self, sim, client):
        items = [{"role": "user", "content": "a", "id": ["x"]}, {"role": "user", "content": "b"}]
        conversation = client.conversations.create(items=items)
        known = client.conversations.items.list(conversation.id).data[0].id
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(
                model="to-anthropic",
                input=[{"type": "item_reference", "id": known}],
                conversation=conversation.id,
            )
        assert caught.value.param == "input[0].id"
        assert not sim.requests

    def test_it_excludes_a_previous_response(self, client):
        with pytest.raises(openai.BadRequestError, match="together"):
            client.responses.create(
                model="to-anthropic", input="?", conversation="c", previous_response_id="r"
            )


class TestCompaction:
    LONG = (
        {"role": "user", "content": "Call me Ada."},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at":"x"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "nothing"},
        {"role": "assistant", "content": "Done."},
    )

    @pytest.mark.parametrize("upstream", TRANSLATED)
    def test_a_summary_stands_for_the_conversation_everywhere(self, sim, client, upstream):
        sim.script(Answer(text="The user is Ada."), Answer(text="Ada."))
        short = client.responses.compact(
            model=f"to-{upstream}", input=list(self.LONG), instructions="Be kind."
        )
        assert short.object == "response.compaction"
        assert [item.type for item in short.output] == ["message", "compaction"]
        assert short.usage.input_tokens > 0
        (role, said), *others = heard(sim)[0][:2], *heard(sim)[1:]
        assert role == "user"
        assert not others
        for word in ("Be kind.", "Call me Ada.", "look", '{"at":"x"}', "nothing", "Done."):
            assert word in said
        for target in DIALECTS:
            client.responses.create(
                model=f"to-{target}",
                input=[
                    *(item.model_dump(exclude_none=True, warnings=False) for item in short.output),
                    {"role": "user", "content": "Who am I?"},
                ],
            )
            told = json.dumps(heard(sim))
            assert "The user is Ada." in told
            assert "Call me Ada." in told

    def test_an_account_that_compacts_does_it_itself(self, sim, client):
        sim.script(COMPACTED)
        short = client.responses.compact(model="to-openai-responses", input=list(self.LONG))
        assert sim.last.path.endswith("/responses/compact")
        assert short.output[0].encrypted_content == "gAAA"

    @pytest.mark.parametrize("upstream", TRANSLATED)
    def test_what_only_its_issuer_can_read_is_refused(self, sim, client, upstream):
        with pytest.raises(openai.BadRequestError, match="compaction"):
            client.responses.create(
                model=f"to-{upstream}",
                input=[
                    {"type": "compaction", "encrypted_content": "gAAAA"},
                    {"role": "user", "content": "Go on."},
                ],
            )
        assert not sim.requests

    def test_it_is_not_streamed(self, client):
        with pytest.raises(openai.BadRequestError, match="[Ss]tream"):
            client.responses.compact(model="to-anthropic", input="Hi", extra_body={"stream": True})

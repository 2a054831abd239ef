"""Counting with OpenAI's own vocabulary: what it covers, and that it is the published one."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources

import pytest

from cliproxy import dialects
from cliproxy.dialects import ParseMeta
from cliproxy.tokens import openai

PUBLISHED = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def request(**body):
    return dialects.get("openai-chat").parse({"model": "gpt-5.5", **body}, ParseMeta())


def test_the_vocabulary_is_the_published_one():
    packed = resources.files("cliproxy.tokens") / "vocabulary" / "o200k_base.tiktoken.gz"
    assert hashlib.sha256(gzip.decompress(packed.read_bytes())).hexdigest() == PUBLISHED


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello world", 2),
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
        ("", 0),
    ],
)
def test_a_text_has_as_many_tokens_as_the_published_encoder_gives(text, tokens):
    counted = openai.count(request(messages=[{"role": "user", "content": text or "x"}]))
    one = openai.count(request(messages=[{"role": "user", "content": "x"}]))
    assert counted is not None
    assert one is not None
    assert counted[0] - one[0] == (tokens or 1) - 1
    assert counted[1]


def test_messages_carry_the_marks_of_the_cookbook():
    system = {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate "
        "jargon into plain English.",
    }
    assert openai.count(request(messages=[system, {"role": "user", "content": "Hi"}])) == (
        3 + (3 + 1 + 17) + (3 + 1 + 1),
        True,
    )


@pytest.mark.parametrize(
    ("model", "covered"),
    [
        ("gpt-4o-mini", True),
        ("chatgpt-4o-latest", True),
        ("gpt-4.1-nano", True),
        ("gpt-5.6-sol", True),
        ("gpt-6-astra", True),
        ("o1", True),
        ("o4-mini", True),
        ("gpt-oss-120b", True),
        ("openai/gpt-5.5", True),
        ("gpt-4", False),
        ("gpt-4-turbo", False),
        ("gpt-3.5-turbo", False),
        ("claude-sonnet-4-5", False),
        ("gemini-2.5-pro", False),
        ("olmo-2", False),
    ],
)
def test_only_models_with_this_vocabulary_are_counted_with_it(model, covered):
    assert openai.speaks(model) is covered


def test_tools_are_counted_closely_and_said_to_be_an_estimate():
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the weather.",
            "parameters": {
                "type": "object",
                "properties": {"unit": {"type": "string", "enum": ["c", "f"]}},
            },
        },
    }
    bare = openai.count(request(messages=[{"role": "user", "content": "Hi"}]))
    with_tool = openai.count(request(messages=[{"role": "user", "content": "Hi"}], tools=[tool]))
    assert bare is not None
    assert with_tool is not None
    assert with_tool[1] is False
    assert 20 < with_tool[0] - bare[0] < 60


def test_pictures_are_left_to_the_estimate():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    assert openai.count(request(messages=[{"role": "user", "content": [image]}])) is None


def test_a_lone_surrogate_does_no_harm():
    assert openai.count(request(messages=[{"role": "user", "content": "a\ud800b"}])) is not None

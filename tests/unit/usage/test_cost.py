"""What tokens cost: by model, by owner's price, by length."""

from __future__ import annotations

import pytest

from cliproxy.config.schema import Price
from cliproxy.usage.cost import Prices, bundled
from cliproxy.usage.record import Tokens

MILLION = Tokens(input=1_000_000, output=1_000_000)


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("claude", "claude-sonnet-4-5-20250929", 18),
        ("claude", "claude-opus-4-5-20251101", 30),
        ("claude", "claude-opus-4-1-20250805", 90),
        ("claude", "claude-opus-4-20250514", 90),
        ("openai-compatible-openrouter", "anthropic/claude-haiku-4.5", None),
        ("openai-compatible-openrouter", "openai/gpt-4o-mini", 0.75),
        ("codex", "gpt-5-mini-2025-08-07", 2.25),
        ("codex", "gpt-5.9", None),
        ("codex", "gpt-5-unheard-of", None),
        ("local", "anything", 0),
        ("gemini", "gemini-2.5-flash-preview-09-2025", 2.8),
        ("codex", "GPT-5.1", 11.25),
    ],
)
def test_a_model_is_found_by_its_name_and_never_taken_for_another(provider, model, dollars):
    cost = Prices().cost(provider, model, MILLION)
    assert cost == (None if dollars is None else round(dollars * 1e9))


@pytest.mark.parametrize(
    ("tokens", "dollars"),
    [
        (Tokens(input=1000), 3000),
        (Tokens(input=1000, cached=1000), 300),
        (Tokens(input=1000, cache_write=1000), 3750),
        (Tokens(input=1000, cache_write=1000, cache_write_1h=1000), 6000),
        (
            Tokens(input=1000, cached=400, cache_write=500, cache_write_1h=200),
            300 + 120 + 1125 + 1200,
        ),
        (Tokens(output=1000, reasoning=900), 15000),
        # A host that counts more cached than read: nothing is paid back.
        (Tokens(input=10, cached=1000), 300),
    ],
)
def test_each_kind_of_token_has_its_price(tokens, dollars):
    cost = Prices().cost("claude", "claude-sonnet-4-5", tokens)
    assert cost == pytest.approx(dollars * 1000)


def test_long_input_may_cost_more():
    prices = Prices()
    short = prices.cost("gemini", "gemini-2.5-pro", Tokens(input=200_000, output=1000))
    long = prices.cost("gemini", "gemini-2.5-pro", Tokens(input=200_001, output=1000))
    assert short == round(200_000 * 1250 + 1000 * 10_000)
    assert long == round(200_001 * 2500 + 1000 * 15_000)


def test_the_owners_price_comes_first():
    prices = Prices(
        {
            "claude/claude-sonnet-4-5": Price(input=1),
            "claude-opus-*": Price(input=2),
            "Mine": Price(input=3),
            "other/*": Price(input=4),
        }
    )
    tokens = Tokens(input=1_000_000)
    found = [
        prices.cost(provider, model, tokens)
        for provider, model in [
            ("claude", "claude-sonnet-4-5"),
            ("bedrock", "claude-sonnet-4-5"),
            ("claude", "claude-opus-4-5"),
            ("x", "mine"),
            ("other", "thing"),
        ]
    ]
    assert found == [1_000_000_000, 3_000_000_000, 2_000_000_000, 3_000_000_000, 4_000_000_000]


def test_the_table_is_dated_and_sensible():
    table = bundled()
    assert table.date >= "2026-11-21"
    for model, price in table.models.items():
        assert model == model.lower()
        assert 0 < price.input <= price.output
        assert price.cached is None or price.cached <= price.input
        assert price.cache_write is None or price.cache_write >= price.input
        assert not price.above or (price.above_input or 0) > price.input

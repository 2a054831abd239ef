"""How much a model thinks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.base.errors import BadRequest
from cliproxy.ir.caps import Caps, ThinkingCaps
from cliproxy.ir.loss import Losses
from cliproxy.ir.request import IRRequest, ThinkingConfig
from cliproxy.ir.thinking import (
    LEVELS,
    Resolved,
    budget_to_level,
    clamp_level,
    config_of,
    level_to_budget,
    resolve,
    split_suffix,
)


def off() -> ThinkingConfig:
    return ThinkingConfig("off", origin="suffix")


def auto() -> ThinkingConfig:
    return ThinkingConfig("auto", origin="suffix")


def level(name: str) -> ThinkingConfig:
    return ThinkingConfig("level", level=name, origin="suffix")


def budget(tokens: int) -> ThinkingConfig:
    return ThinkingConfig("budget", budget=tokens, origin="suffix")


@pytest.mark.parametrize(
    ("model", "base", "config"),
    [
        pytest.param("m", "m", None, id="none"),
        pytest.param("m(high)", "m", level("high"), id="edge-153-level"),
        pytest.param("m(HIGH)", "m", level("high"), id="edge-153-any-case"),
        pytest.param("m( max )", "m", level("max"), id="edge-153-space"),
        pytest.param("m(8192)", "m", budget(8192), id="edge-153-budget"),
        pytest.param("m(08192)", "m", budget(8192), id="edge-153-leading-zero"),
        pytest.param("m(00000000000008192)", "m", budget(8192), id="edge-153-many-zeros"),
        pytest.param("m(0)", "m", off(), id="edge-153-zero"),
        pytest.param("m(000)", "m", off(), id="edge-153-zeros"),
        pytest.param("m(none)", "m", off(), id="edge-153-none"),
        pytest.param("m(auto)", "m", auto(), id="edge-153-auto"),
        pytest.param("m(-1)", "m", auto(), id="edge-153-minus-one"),
        pytest.param("m()", "m", None, id="edge-153-empty"),
        pytest.param("m(word)", "m", None, id="edge-153-unknown-is-stripped"),
        pytest.param("m(-2)", "m", None, id="edge-153-invalid-number"),
        pytest.param("m(²)", "m", None, id="edge-153-not-a-digit"),
        pytest.param("m(a)(low)", "m(a)", level("low"), id="edge-153-last-pair"),
        pytest.param("m(low", "m(low", None, id="edge-153-open"),
        pytest.param("m(low)x", "m(low)x", None, id="edge-153-in-the-middle"),
        pytest.param("m)", "m)", None, id="edge-153-closed-only"),
        pytest.param("(low)", "(low)", None, id="edge-153-no-name"),
        pytest.param("p/m:free(low)", "p/m:free", level("low"), id="edge-153-path"),
    ],
)
def test_the_suffix_of_a_model_name(model, base, config):
    assert split_suffix(model) == (base, config)


@given(st.text())
def test_any_name_can_be_split(model):
    base, config = split_suffix(model)
    assert model.startswith(base)
    assert config is None or base != model


@pytest.mark.parametrize(
    ("tokens", "name"),
    [
        (-1, "auto"), (0, "none"), (1, "minimal"), (512, "minimal"), (513, "low"), (1024, "low"),
        (1025, "medium"), (8192, "medium"), (8193, "high"), (24576, "high"), (24577, "xhigh"),
        (128000, "xhigh"),
    ],
)  # fmt: skip
def test_budgets_stand_for_levels(tokens, name):
    assert budget_to_level(tokens) == name


@pytest.mark.parametrize("name", ["none", "auto", *LEVELS[:5]])
def test_a_level_s_budget_stands_for_that_level(name):
    assert budget_to_level(level_to_budget(name)) == name


@pytest.mark.parametrize(
    ("name", "supported", "nearest"),
    [
        ("high", (), "high"),
        ("high", ("low", "high"), "high"),
        pytest.param("max", ("low", "high"), "high", id="edge-155-max-of-two"),
        ("medium", ("low", "high"), "low"),
        ("minimal", ("low", "medium"), "low"),
        ("xhigh", ("low", "high", "max"), "max"),
        ("max", ("low", "high", "xhigh"), "xhigh"),
        ("max", ("low", "medium"), "medium"),
        ("low", ("minimal", "high"), "minimal"),
        ("medium", ("none", "low"), "low"),
        ("unheard-of", ("low", "medium"), "medium"),
        ("high", ("own-word",), "high"),
    ],
)
def test_the_nearest_supported_level(name, supported, nearest):
    assert clamp_level(name, supported) == nearest


SUPPORTED = st.sets(st.sampled_from(LEVELS), min_size=1).map(lambda s: tuple(sorted(s)))


@given(st.sampled_from(LEVELS), SUPPORTED)
def test_a_clamped_level_is_supported_and_stays(name, supported):
    clamped = clamp_level(name, supported)
    assert clamped in supported
    assert clamp_level(clamped, supported) == clamped


# ---- what a target is told --------------------------------------------------------------------
BUDGETS = Caps("m", known=True, thinking=ThinkingCaps(1024, 64000, zero_allowed=True))
NO_ZERO = Caps("m", known=True, thinking=ThinkingCaps(128, 32768, dynamic_allowed=True))
BY_LEVEL = Caps("m", known=True, thinking=ThinkingCaps(levels=("low", "medium", "high")))
HYBRID = Caps("m", known=True, thinking=ThinkingCaps(1024, 9000, levels=("low", "high")))
NONE_LEVEL = Caps("m", known=True, thinking=ThinkingCaps(levels=("none", "low")))
CANNOT = Caps("m", known=True)
UNKNOWN = Caps("m")


def body(mode: str, **more) -> ThinkingConfig:
    return ThinkingConfig(mode, **more)


def ask(config, caps, *, model: str = "m", same: bool = False):
    losses = Losses()
    req = IRRequest(model, "openai-chat", (), thinking=config)
    return resolve(req, caps, losses, same_family=same), [loss.field for loss in losses]


@pytest.mark.parametrize(
    ("config", "caps", "expected"),
    [
        pytest.param(body("unset"), BUDGETS, Resolved(), id="unset"),
        pytest.param(body("level", level="medium"), BUDGETS, Resolved("budget", budget=8192),
                     id="level-to-budget"),
        pytest.param(body("level", level="minimal"), BUDGETS, Resolved("budget", budget=1024),
                     id="edge-154-level-to-smallest-budget"),
        pytest.param(body("budget", budget=8192), BY_LEVEL, Resolved("level", level="medium"),
                     id="budget-to-level"),
        pytest.param(body("budget", budget=100), BUDGETS, Resolved("budget", budget=1024),
                     id="edge-154-budget-raised"),
        pytest.param(body("budget", budget=10**6), BUDGETS, Resolved("budget", budget=64000),
                     id="edge-154-budget-lowered"),
        pytest.param(body("level", level="max"), BY_LEVEL, Resolved("level", level="high"),
                     id="edge-155-level-lowered"),
        pytest.param(body("level", level="low"), HYBRID, Resolved("level", level="low"),
                     id="hybrid-keeps-level"),
        pytest.param(body("budget", budget=2048), HYBRID, Resolved("budget", budget=2048),
                     id="hybrid-keeps-budget"),
        pytest.param(body("off"), BUDGETS, Resolved("off"), id="off"),
        pytest.param(body("off"), NONE_LEVEL, Resolved("off"), id="off-by-level-none"),
        pytest.param(body("off"), NO_ZERO, Resolved("off", off_budget=128),
                     id="edge-157-smallest-budget"),
        pytest.param(body("off"), BY_LEVEL, Resolved("off", off_level="low"),
                     id="edge-157-lowest-level"),
        pytest.param(body("off", visible=True, detail="auto"), BUDGETS, Resolved("off"),
                     id="edge-158-visibility-does-not-switch-it-on"),
        pytest.param(body("budget", budget=0), NO_ZERO, Resolved("off", off_budget=128),
                     id="zero-budget-is-off"),
        pytest.param(body("budget", budget=-1), NO_ZERO, Resolved("auto"), id="minus-one-is-auto"),
        pytest.param(body("auto"), NO_ZERO, Resolved("auto"), id="auto"),
        pytest.param(body("auto"), BUDGETS, Resolved("budget", budget=32512),
                     id="auto-by-budget-is-the-middle"),
        pytest.param(body("auto"), BY_LEVEL, Resolved("level", level="medium"),
                     id="auto-by-level-is-medium"),
        pytest.param(body("level", level="low", visible=False, detail="concise"), BY_LEVEL,
                     Resolved("level", level="low", visible=False, detail="concise"),
                     id="visibility-travels-along"),
        pytest.param(body("off"), CANNOT, Resolved(strip=True), id="edge-159-cannot-think"),
        pytest.param(body("budget", budget=7), UNKNOWN, Resolved("budget", budget=7),
                     id="edge-159-unknown-model-budget"),
        pytest.param(body("level", level="own"), UNKNOWN, Resolved("level", level="own"),
                     id="edge-159-unknown-model-level"),
    ],
)  # fmt: skip
def test_what_the_model_is_told(config, caps, expected):
    assert ask(config, caps)[0] == expected


@pytest.mark.parametrize(
    ("config", "caps", "told"),
    [
        (body("level", level="low"), CANNOT, ["thinking"]),
        (body("off"), CANNOT, []),
        (body("level", level="max"), BY_LEVEL, ["thinking"]),
        (body("level", level="own"), BY_LEVEL, ["thinking"]),
        (body("budget", budget=1), BUDGETS, ["thinking"]),
        (body("budget", budget=2000), BUDGETS, []),
        (body("level", level="own"), UNKNOWN, []),
    ],
)
def test_what_is_changed_is_reported(config, caps, told):
    assert ask(config, caps)[1] == told


@pytest.mark.parametrize(
    ("config", "caps", "code"),
    [
        (body("budget", budget=1), BUDGETS, "BUDGET_OUT_OF_RANGE"),
        (body("budget", budget=10**6), BUDGETS, "BUDGET_OUT_OF_RANGE"),
        (body("level", level="max"), BY_LEVEL, "LEVEL_NOT_SUPPORTED"),
        (body("level", level="own"), BY_LEVEL, "UNKNOWN_LEVEL"),
    ],
)
def test_edge_154_the_body_is_refused_in_its_own_family_only(config, caps, code):
    with pytest.raises(BadRequest) as caught:
        ask(config, caps, same=True)
    assert (caught.value.code, caught.value.param) == (code, "thinking")
    ask(config, caps, same=False)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("m(max)", Resolved("level", level="high")),
        ("m(1)", Resolved("level", level="low")),
        ("m(none)", Resolved("off", off_level="low")),
        ("m(odd)", Resolved("level", level="medium")),
    ],
)
def test_edge_154_the_suffix_beats_the_body_and_is_never_refused(model, expected):
    config = body("level", level="medium")
    assert ask(config, BY_LEVEL, model=model, same=True)[0] == expected


def test_the_suffix_says_nothing_about_visibility():
    req = IRRequest("m(low)", "openai-chat", (), thinking=body("off", visible=True, detail="auto"))
    assert config_of(req) == ThinkingConfig(
        "level", level="low", visible=True, detail="auto", origin="suffix"
    )


CONFIGS = st.builds(
    ThinkingConfig,
    st.sampled_from(["unset", "off", "auto", "level", "budget"]),
    level=st.sampled_from([*LEVELS, "odd"]),
    budget=st.integers(-2, 200_000),
)
THINKERS = st.builds(
    ThinkingCaps,
    st.integers(0, 2000),
    st.integers(2000, 99_999),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(), ("low", "high"), ("none", "low", "medium"), LEVELS]),
)


@given(CONFIGS, THINKERS)
def test_what_is_sent_is_always_in_the_model_s_range(config, thinking):
    resolved, _ = ask(config, Caps("m", known=True, thinking=thinking))
    if resolved.mode == "budget":
        assert thinking.min <= resolved.budget <= thinking.max
    if resolved.mode == "level":
        assert resolved.level in thinking.levels
    if resolved.mode == "auto":
        assert thinking.dynamic_allowed
    if resolved.mode == "off" and not thinking.zero_allowed and "none" not in thinking.levels:
        assert resolved.off_level in thinking.levels or resolved.off_budget == thinking.min

import pytest

from cliproxy.server.paths import framing_of, guess_dialect, match


@pytest.mark.parametrize(
    ("path", "dialect", "operation"),
    [
        ("/v1/chat/completions", "openai-chat", "generate"),
        ("/chat/completions", "openai-chat", "generate"),
        ("/v1/v1/chat/completions", "openai-chat", "generate"),
        ("//v1//chat/completions/", "openai-chat", "generate"),
        ("/openai/v1/chat/completions", "openai-chat", "generate"),
        ("/v1/completions", "openai-completions", "generate"),
        ("/v1/responses", "openai-responses", "generate"),
        ("/responses/", "openai-responses", "generate"),
        ("/backend-api/codex/responses", "openai-responses", "generate"),
        ("/v1/responses/input_tokens", "openai-responses", "count"),
        ("/v1/messages", "anthropic", "generate"),
        ("/v1/v1/messages", "anthropic", "generate"),
        ("/messages", "anthropic", "generate"),
        ("/v1/messages/count_tokens", "anthropic", "count"),
        ("/v1/v1/messages/count_tokens", "anthropic", "count"),
        ("/v1beta/models/m:generateContent", "gemini", "generate"),
        ("/v1/models/m:generateContent", "gemini", "generate"),
        ("/v1beta/v1beta/models/m:countTokens", "gemini", "count"),
        ("/models/m:countTokens", "gemini", "count"),
        ("/api/provider/claude/v1/messages", "anthropic", "generate"),
        ("/v1/images/generations", "openai-images", "generate"),
        ("/images/generations/", "openai-images", "generate"),
        ("/openai/v1/images/edits", "openai-image-edits", "generate"),
        ("/v1beta/interactions", "interactions", "generate"),
        ("/v1/interactions/", "interactions", "generate"),
        ("/api/provider/gemini/v1beta/interactions", "interactions", "generate"),
    ],
)
def test_every_spelling_of_a_route_is_one_route(path, dialect, operation):
    route = match(path)
    assert route is not None
    assert (route.name, route.dialect, route.operation) == ("generate", dialect, operation)
    assert route.methods == ("POST",)


@pytest.mark.parametrize(
    ("path", "name", "model"),
    [
        ("/v1/models", "models", None),
        ("/models/", "models", None),
        ("/v1/v1/models", "models", None),
        ("/v1beta/models", "gemini_models", None),
        ("/v1/models/a/b", "model", "a/b"),
        ("/v1/models/local/smollm2/functions", "functions", "local/smollm2"),
        ("/v1beta/models/team/g", "gemini_model", "team/g"),
        ("/healthz", "health", None),
        ("/health", "health", None),
        ("/", "root", None),
        ("", "root", None),
        ("/v1", None, None),
        ("/v1/nothing", None, None),
        ("/api/hello", None, None),
        ("/v1beta/chat/completions", None, None),
        ("/v1betas/models", None, None),
    ],
)
def test_model_routes_and_unknown_paths(path, name, model):
    route = match(path)
    assert (route.name if route else None) == name
    assert (route.model if route else None) == model


def test_gemini_model_names_keep_slashes_and_colons():
    route = match("/v1beta/models/or/moonshotai/kimi-k2:free:streamGenerateContent")
    assert route is not None
    assert (route.model, route.stream) == ("or/moonshotai/kimi-k2:free", True)


def test_provider_path_pins_the_provider():
    route = match("/api/provider/openrouter/v1/chat/completions")
    assert route is not None
    assert route.pin_provider == "openrouter"


def test_gemini_streams_an_array_unless_sse_is_asked_for():
    route = match("/v1beta/models/m:streamGenerateContent")
    assert route is not None
    assert framing_of(route, {}) == "array"
    assert framing_of(route, {"alt": "json"}) == "array"
    assert framing_of(route, {"alt": "sse"}) == "sse"
    assert framing_of(route, {"$alt": "SSE"}) == "sse"


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/x", {}, "openai-chat"),
        ("/x", {"anthropic-version": "1"}, "anthropic"),
        ("/x", {"x-goog-api-key": "1"}, "gemini"),
        ("/v1beta/x", {}, "gemini"),
        ("/v1/messages/batches", {}, "anthropic"),
        ("/v1/responses/resp_1", {}, "openai-responses"),
    ],
)
def test_unknown_paths_are_refused_in_a_likely_dialect(path, headers, dialect):
    assert guess_dialect(path, headers) == dialect

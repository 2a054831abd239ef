"""Answers that hold as many fields as fit into one: whole, streamed, and errors."""

from __future__ import annotations

from typing import Any

Json = Any
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEA"
SIG = "U2lnbmF0dXJl"

# ---- chat -------------------------------------------------------------------------------------
_CHAT: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "up",
}
_CHAT_EXTRA: Json = {
    "service_tier": "default",
    "system_fingerprint": "fp_1",
    "moderation": {
        "input": {
            "type": "moderation_results",
            "model": "mod",
            "results": [
                {
                    "type": "moderation_result",
                    "categories": {"hate": False},
                    "category_applied_input_types": {"hate": ["text"]},
                    "category_scores": {"hate": 0.5},
                    "flagged": False,
                    "model": "mod",
                }
            ],
        },
        "output": {"type": "error", "code": "c", "message": "m"},
    },
}
_CHAT_USAGE: Json = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "prompt_tokens_details": {
        "cached_tokens": 3,
        "cache_write_tokens": 4,
        "audio_tokens": 5,
        "image_tokens": 6,
        "text_tokens": 7,
    },
    "completion_tokens_details": {
        "reasoning_tokens": 8,
        "audio_tokens": 9,
        "text_tokens": 10,
        "accepted_prediction_tokens": 11,
        "rejected_prediction_tokens": 12,
    },
}
_LOGPROB: Json = {
    "token": "t",
    "bytes": [1],
    "logprob": -0.5,
    "top_logprobs": [{"token": "t", "bytes": [1], "logprob": -0.5}],
}
_CITATION: Json = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.example/x", "title": "A", "start_index": 0, "end_index": 5},
}
_MESSAGES: tuple[tuple[Json, str], ...] = (
    ({"content": "Hello there", "reasoning_content": "Hmm", "annotations": [_CITATION]}, "stop"),
    ({"content": None, "refusal": "No."}, "stop"),
    (
        {
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":"b'},
                    "extra_content": {"google": {"thought_signature": SIG}},
                },
                {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": "text"}},
            ],
        },
        "tool_calls",
    ),
    ({"content": None, "function_call": {"name": "f", "arguments": '{"a":"b'}}, "function_call"),
    (
        {
            "content": None,
            "audio": {"id": "audio_1", "data": WAV, "expires_at": 1, "transcript": "Hi"},
        },
        "stop",
    ),
    (
        {
            "content": "Look",
            "images": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
        },
        "stop",
    ),
)


def _chat_whole(message: Json, finish: str) -> Json:
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", **message},
        "logprobs": {"content": [_LOGPROB], "refusal": [_LOGPROB]},
    }
    extra = {**_CHAT_EXTRA, "metadata": {"k": "v"}}
    return {**_CHAT, **extra, "choices": [choice], "usage": _CHAT_USAGE}


def _chat_stream(message: Json, finish: str) -> Json:
    head = {**_CHAT, **_CHAT_EXTRA, "object": "chat.completion.chunk", "obfuscation": "xx"}
    calls = message.get("tool_calls", ())
    numbered = [{**call, "index": n} for n, call in enumerate(calls)]
    delta = {"role": "assistant", **message, **({"tool_calls": numbered} if calls else {})}
    logprobs = {"content": [_LOGPROB], "refusal": [_LOGPROB]}
    return [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": logprobs}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        {**head, "choices": [], "usage": _CHAT_USAGE},
    ]


_OPENAI_ERROR: Json = {
    "error": {
        "message": "No such thing.",
        "type": "invalid_request_error",
        "param": "p",
        "code": "thing_missing",
        "misalignment": {
            "detailed_explanation": "d",
            "error_type": "e",
            "review_target": "r",
            "steer": {"message": "s"},
        },
    }
}

# ---- responses --------------------------------------------------------------------------------
_CALLER: Json = {"type": "program", "caller_id": "c"}
_NOTES: list[Json] = [
    {"type": "url_citation", **_CITATION["url_citation"]},
    {"type": "file_citation", "file_id": "f", "filename": "n", "index": 1},
    {
        "type": "container_file_citation",
        "container_id": "c",
        "file_id": "f",
        "filename": "n",
        "start_index": 0,
        "end_index": 5,
    },
    {"type": "file_path", "file_id": "f", "index": 1},
]
_TEXT: Json = {
    "type": "output_text",
    "text": "Hello there",
    "annotations": _NOTES,
    "logprobs": [_LOGPROB],
}
_MESSAGE: Json = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "phase": "final_answer",
    "content": [_TEXT],
}
_REFUSAL: Json = {
    **_MESSAGE,
    "content": [{"type": "refusal", "refusal": "No."}],
}
_FUNCTION: Json = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "namespace": "n",
    "arguments": '{"a":"b',
    "status": "completed",
    "async": False,
    "caller": _CALLER,
}
_CUSTOM: Json = {
    "type": "custom_tool_call",
    "id": "ctc_1",
    "call_id": "call_2",
    "name": "g",
    "namespace": "n",
    "input": "text",
    "async": False,
    "caller": _CALLER,
}
_REASONING: Json = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hmm"}],
    "encrypted_content": SIG,
    "status": "completed",
}
_RAW_REASONING: Json = {
    "type": "reasoning",
    "id": "rs_2",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "Hmm"}],
}
_SEARCH: Json = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {
        "type": "search",
        "query": "q",
        "sources": [{"type": "url", "url": "https://a.example/x"}],
    },
}
_SEARCHES: list[Json] = [
    _SEARCH,
    {**_SEARCH, "action": {"type": "search", "queries": ["q", "r"]}},
    {**_SEARCH, "action": {"type": "open_page", "url": "https://a.example/x"}},
    {
        **_SEARCH,
        "action": {"type": "find_in_page", "url": "https://a.example/x", "pattern": "p"},
    },
]
_IMAGE: Json = {
    "type": "image_generation_call",
    "id": "ig_1",
    "status": "completed",
    "result": PNG,
    "output_format": "png",
    "action": "generate",
    "background": "opaque",
    "quality": "high",
    "revised_prompt": "r",
    "size": "1x1",
}
_OTHERS: list[Json] = [
    {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "code": "c",
        "container_id": "k",
        "status": "completed",
        "outputs": [{"type": "logs", "logs": "l"}, {"type": "image", "url": "u"}],
    },
    {
        "type": "file_search_call",
        "id": "fs_1",
        "queries": ["q"],
        "status": "completed",
        "results": [{"attributes": {}, "file_id": "f", "filename": "n", "score": 1, "text": "t"}],
    },
    {
        "type": "mcp_call",
        "id": "mcp_1",
        "name": "n",
        "arguments": '{"a":"b"}',
        "server_label": "s",
        "output": "o",
    },
    {
        "type": "mcp_call",
        "id": "mcp_2",
        "name": "n",
        "arguments": "{}",
        "server_label": "s",
        "error": {"type": "http_error", "code": 500, "message": "m"},
    },
    {"type": "compaction", "id": "cmp_1", "encrypted_content": SIG},
    {"type": "computer_call", "id": "cu_1", "call_id": "c", "status": "completed"},
    {
        "type": "local_shell_call",
        "id": "ls_1",
        "call_id": "c",
        "action": {"type": "exec", "command": ["ls"], "env": {"A": "b"}},
        "status": "completed",
    },
]
_RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "completed_at": 1700000001,
    "model": "up",
    "status": "completed",
    "background": False,
    "conversation": {"id": "conv_1"},
    "instructions": "i",
    "max_output_tokens": 5,
    "max_tool_calls": 5,
    "metadata": {"k": "v"},
    "parallel_tool_calls": True,
    "previous_response_id": "resp_0",
    "prompt": {"id": "p", "version": "1", "variables": {"a": "b"}},
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "s",
    "service_tier": "default",
    "temperature": 0.5,
    "text": {"verbosity": "low", "format": {"type": "text"}},
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
    "top_logprobs": 1,
    "top_p": 0.5,
    "tool_choice": {"type": "function", "name": "f"},
    "truncation": "auto",
    "user": "u",
    "usage": {
        "input_tokens": 1000,
        "output_tokens": 500,
        "total_tokens": 1500,
        "input_tokens_details": {
            "cached_tokens": 3,
            "cache_write_tokens": 4,
            "cache_write_tokens_details": {"ttl_12h_tokens": 1, "ttl_30m_tokens": 1},
        },
        "output_tokens_details": {"reasoning_tokens": 8},
    },
    "tool_usage": {"web_search": {"num_requests": 1}},
    "prompt_cache_diagnostics": {
        "type": "cache_miss",
        "cache_missed_tokens": 1,
        "reason": "r",
        "comparison_reusable_tokens": 1,
    },
    "input_transformations": [
        {"type": "reasoning", "id": "rs_0", "action": "dropped", "reason": "r"}
    ],
    "access_programs": {"cyber": "c"},
    "moderation": {"input": {"type": "error", "code": "c", "message": "m"}},
    "image": {"context_compression": "auto"},
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
}


def _response(*items: Json, **more: Json) -> Json:
    return {**_RESPONSE, "output": list(items), **more}


_FAILED: Json = {"object": "response", "status": "failed", "output": []}
_AT: Json = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def _responses_stream(events: list[Json], *items: Json) -> list[Json]:
    head = {"id": "resp_1", "created_at": 1700000000, "model": "up", "status": "in_progress"}
    found: list[Json] = [
        {"type": "response.created", "response": {**head, "output": []}},
        {"type": "response.in_progress", "response": {**head, "output": []}},
        *events,
        {"type": "response.completed", "response": _response(*items)},
    ]
    return [{**event, "sequence_number": n} for n, event in enumerate(found)]


def _begun(item: Json, **empty: Json) -> Json:
    began = {**item, **empty}
    return {"type": "response.output_item.added", "output_index": 0, "item": began}


def _ended(item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": 0, "item": item}


_SUMMARY_AT: Json = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
_SUMMARY_PART: Json = {"type": "summary_text", "text": "Hmm"}
_RESPONSES_STREAMS: list[list[Json]] = [
    _responses_stream(
        [
            _begun(_MESSAGE, content=[]),
            {
                **_AT,
                "type": "response.content_part.added",
                "part": {**_TEXT, "text": "", "annotations": []},
            },
            {
                **_AT,
                "type": "response.output_text.delta",
                "delta": "Hello there",
                "logprobs": [_LOGPROB],
            },
            *(
                {
                    **_AT,
                    "type": "response.output_text.annotation.added",
                    "annotation_index": n,
                    "annotation": note,
                }
                for n, note in enumerate(_NOTES)
            ),
            {
                **_AT,
                "type": "response.output_text.done",
                "text": "Hello there",
                "logprobs": [_LOGPROB],
            },
            {**_AT, "type": "response.content_part.done", "part": _TEXT},
            _ended(_MESSAGE),
        ],
        _MESSAGE,
    ),
    _responses_stream(
        [
            _begun(_REFUSAL, content=[]),
            {
                **_AT,
                "type": "response.content_part.added",
                "part": {"type": "refusal", "refusal": ""},
            },
            {**_AT, "type": "response.refusal.delta", "delta": "No."},
            {**_AT, "type": "response.refusal.done", "refusal": "No."},
            {**_AT, "type": "response.content_part.done", "part": _REFUSAL["content"][0]},
            _ended(_REFUSAL),
        ],
        _REFUSAL,
    ),
    _responses_stream(
        [
            _begun(_REASONING, summary=[]),
            {
                **_SUMMARY_AT,
                "type": "response.reasoning_summary_part.added",
                "part": {**_SUMMARY_PART, "text": ""},
            },
            {**_SUMMARY_AT, "type": "response.reasoning_summary_text.delta", "delta": "Hmm"},
            {**_SUMMARY_AT, "type": "response.reasoning_summary_text.done", "text": "Hmm"},
            {
                **_SUMMARY_AT,
                "type": "response.reasoning_summary_part.done",
                "part": _SUMMARY_PART,
                "status": "completed",
            },
            _ended(_REASONING),
        ],
        _REASONING,
        _MESSAGE,
    ),
    _responses_stream(
        [
            _begun(_RAW_REASONING, content=[]),
            {
                "type": "response.reasoning_text.delta",
                **_AT,
                "item_id": "rs_2",
                "delta": "Hmm",
            },
            {"type": "response.reasoning_text.done", **_AT, "item_id": "rs_2", "text": "Hmm"},
            _ended(_RAW_REASONING),
        ],
        _RAW_REASONING,
        _MESSAGE,
    ),
    _responses_stream(
        [
            _begun(_FUNCTION, arguments=""),
            {
                "type": "response.function_call_arguments.delta",
                "item_id": "fc_1",
                "output_index": 0,
                "delta": '{"a":"b',
            },
            {
                "type": "response.function_call_arguments.done",
                "item_id": "fc_1",
                "output_index": 0,
                "arguments": '{"a":"b',
            },
            _ended(_FUNCTION),
        ],
        _FUNCTION,
    ),
    _responses_stream(
        [
            _begun(_CUSTOM, input=""),
            {
                "type": "response.custom_tool_call_input.delta",
                "item_id": "ctc_1",
                "output_index": 0,
                "delta": "text",
            },
            {
                "type": "response.custom_tool_call_input.done",
                "item_id": "ctc_1",
                "output_index": 0,
                "input": "text",
            },
            _ended(_CUSTOM),
        ],
        _CUSTOM,
    ),
    _responses_stream(
        [
            _begun(_IMAGE, result=None),
            *(
                {
                    "type": f"response.image_generation_call.{step}",
                    "item_id": "ig_1",
                    "output_index": 0,
                }
                for step in ("in_progress", "generating")
            ),
            {
                "type": "response.image_generation_call.partial_image",
                "item_id": "ig_1",
                "output_index": 0,
                "partial_image_index": 0,
                "partial_image_b64": PNG,
                "background": "opaque",
                "output_format": "png",
                "quality": "high",
                "size": "1x1",
            },
            _ended(_IMAGE),
        ],
        _IMAGE,
        _MESSAGE,
    ),
    _responses_stream(
        [
            {"type": "response.audio.delta", "delta": WAV},
            {"type": "response.audio.transcript.delta", "delta": "Hi"},
        ],
        _MESSAGE,
    ),
    [
        *_responses_stream([], _MESSAGE)[:2],
        {
            "type": "error",
            "code": "server_error",
            "message": "Broken.",
            "param": "p",
            "sequence_number": 2,
        },
    ],
    [
        *_responses_stream([], _MESSAGE)[:2],
        {
            "type": "response.incomplete",
            "sequence_number": 2,
            "response": _response(
                _MESSAGE,
                status="incomplete",
                incomplete_details={"reason": "max_output_tokens"},
            ),
        },
    ],
    [
        *_responses_stream([], _MESSAGE)[:2],
        {
            "type": "response.failed",
            "sequence_number": 2,
            "response": {**_FAILED, "error": {"code": "server_error", "message": "Broken."}},
        },
    ],
]
_RESPONSE_ERROR: Json = {**_OPENAI_ERROR["error"], "code": "server_error", "type": "server_error"}

# ---- anthropic --------------------------------------------------------------------------------
_ANTHROPIC_USAGE: Json = {
    "input_tokens": 1000,
    "output_tokens": 500,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 4,
    "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 2},
    "output_tokens_details": {"thinking_tokens": 8},
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 1},
    "iterations": [{"type": "message", "input_tokens": 1, "output_tokens": 1, "model": "m"}],
    "inference_geo": "g",
    "service_tier": "standard",
    "speed": "fast",
    "fallback_credit": {
        "status": {"type": "not_applied", "reason": "r", "remove_to_redeem": ["x"]}
    },
}
_PLACES: list[Json] = [
    {
        "type": "web_search_result_location",
        "url": "https://a.example/x",
        "title": "A",
        "cited_text": "Hello",
        "encrypted_index": "e",
    },
    {
        "type": "char_location",
        "cited_text": "Hello",
        "document_index": 0,
        "document_title": "D",
        "start_char_index": 0,
        "end_char_index": 5,
        "file_id": "f",
    },
    {
        "type": "page_location",
        "cited_text": "Hello",
        "document_index": 0,
        "document_title": "D",
        "start_page_number": 1,
        "end_page_number": 2,
    },
    {
        "type": "search_result_location",
        "cited_text": "Hello",
        "search_result_index": 0,
        "source": "s",
        "title": "T",
        "start_block_index": 0,
        "end_block_index": 1,
    },
]
_DIRECT: Json = {"type": "code_execution_20250825", "tool_id": "t"}
_BLOCKS: list[Json] = [
    {"type": "thinking", "thinking": "Hmm", "signature": SIG},
    {"type": "redacted_thinking", "data": SIG},
    {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "q"},
        "caller": _DIRECT,
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "caller": _DIRECT,
        "content": [
            {
                "type": "web_search_result",
                "url": "https://a.example/y",
                "title": "Y",
                "page_age": "1 day",
                "encrypted_content": "e",
            }
        ],
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_2",
        "name": "code_execution",
        "input": {"code": "c"},
    },
    {
        "type": "code_execution_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": {
            "type": "code_execution_result",
            "stdout": "o",
            "stderr": "e",
            "return_code": 0,
            "content": [],
        },
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_3",
        "name": "code_execution",
        "input": {"code": "c"},
    },
    {
        "type": "code_execution_tool_result",
        "tool_use_id": "srvtoolu_3",
        "content": {"type": "code_execution_tool_result_error", "error_code": "unavailable"},
    },
    {
        "type": "mcp_tool_use",
        "id": "mcptoolu_1",
        "name": "n",
        "server_name": "s",
        "input": {"a": "b"},
    },
    {
        "type": "mcp_tool_result",
        "tool_use_id": "mcptoolu_1",
        "is_error": False,
        "content": [{"type": "text", "text": "o"}],
    },
    {"type": "container_upload", "file_id": "f"},
    {"type": "compaction", "content": "c"},
    {"type": "text", "text": "Hello there", "citations": _PLACES},
]
_TOOL: Json = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "f",
    "input": {"a": "b"},
    "caller": _DIRECT,
    "toolset_name": "t",
}
_ANTHROPIC: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "up",
    "container": {"id": "c", "expires_at": "2030-01-01T00:00:00Z"},
    "context_management": {
        "applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 1}]
    },
    "diagnostics": {"cache_miss_reason": {"type": "model_changed", "cache_missed_input_tokens": 1}},
    "input_transformations": [{"type": "thinking_dropped", "path": "messages[0]", "reason": "r"}],
    "stop_reason": "end_turn",
    "usage": _ANTHROPIC_USAGE,
}
_REFUSED: Json = {
    "type": "refusal",
    "category": "c",
    "explanation": "e",
    "fallback_credit_token": "t",
    "recommended_model": "m",
}


def _anthropic_stream(block: Json, *deltas: Json, stop: Json) -> list[Json]:
    empty = {key: "" for key in ("text", "thinking", "signature") if key in block}
    empty |= {"input": {}} if "input" in block else {}
    start = {**block, **empty} if deltas else block
    start = {k: v for k, v in start.items() if k != "citations" or not deltas}
    whole = {k: v for k, v in _ANTHROPIC.items() if k not in ("stop_reason", "container")}
    return [
        {"type": "message_start", "message": {**whole, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {**stop, "container": _ANTHROPIC["container"]},
            "context_management": _ANTHROPIC["context_management"],
            "usage": {k: v for k, v in _ANTHROPIC_USAGE.items() if k not in _START_ONLY},
        },
        {"type": "message_stop"},
    ]


_ENDED: Json = {"stop_reason": "end_turn"}
_START_ONLY = frozenset({"cache_creation", "inference_geo", "service_tier", "speed"})

# ---- gemini -----------------------------------------------------------------------------------
_COUNTED: list[Json] = [{"modality": "TEXT", "tokenCount": 1}]
_RATINGS: list[Json] = [{"category": "C", "probability": "LOW", "blocked": False}]
_GEMINI: Json = {
    "responseId": "r1",
    "modelVersion": "up",
    "createTime": "2030-01-01T00:00:00Z",
    "modelStatus": {"message": "m", "modelStage": "STABLE"},
    "usageMetadata": {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 500,
        "thoughtsTokenCount": 8,
        "cachedContentTokenCount": 3,
        "toolUsePromptTokenCount": 4,
        "totalTokenCount": 1512,
        "promptTokensDetails": _COUNTED,
        "candidatesTokensDetails": _COUNTED,
        "cacheTokensDetails": _COUNTED,
        "toolUsePromptTokensDetails": _COUNTED,
        "trafficType": "ON_DEMAND",
    },
}
_TOKEN: Json = {"token": "t", "tokenId": 1, "logProbability": -0.5}
_CANDIDATE: Json = {
    "index": 0,
    "finishReason": "STOP",
    "finishMessage": "m",
    "avgLogprobs": -0.5,
    "tokenCount": 5,
    "continuationToken": "c",
    "logprobsResult": {
        "chosenCandidates": [_TOKEN],
        "topCandidates": [{"candidates": [_TOKEN]}],
        "logProbabilitySum": -0.5,
    },
    "safetyRatings": _RATINGS,
    "citationMetadata": {
        "citations": [{"uri": "u", "title": "t", "license": "l", "startIndex": 0, "endIndex": 5}]
    },
}
_READ: Json = {
    "urlMetadata": [{"retrievedUrl": "u", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}]
}
_GROUNDING: Json = {
    "webSearchQueries": ["q"],
    "groundingChunks": [
        {"web": {"uri": "https://a.example/x", "title": "A", "domain": "a.example"}},
        {"web": {"uri": "https://a.example/y", "title": "B"}},
        {"maps": {"uri": "u", "title": "t", "text": "x", "placeId": "p"}},
    ],
    "groundingSupports": [
        {
            "segment": {"startIndex": 0, "endIndex": 5, "text": "Hello", "partIndex": 0},
            "groundingChunkIndices": [0],
            "confidenceScores": [1],
        }
    ],
    "searchEntryPoint": {"renderedContent": "<p>"},
    "retrievalQueries": ["q"],
    "imageSearchQueries": ["q"],
    "googleMapsWidgetContextToken": "t",
}
_PARTS: list[list[Json]] = [
    [{"text": "Hmm", "thought": True, "thoughtSignature": SIG}, {"text": "Hello there"}],
    [
        {"functionCall": {"id": "c1", "name": "f", "args": {"a": "b"}}, "thoughtSignature": SIG},
        {
            "functionCall": {
                "id": "c2",
                "name": "g",
                "willContinue": False,
                "partialArgs": [
                    {"jsonPath": "$.a", "stringValue": "x", "willContinue": False},
                    {"jsonPath": "$.b", "numberValue": 1},
                    {"jsonPath": "$.c", "boolValue": True},
                    {"jsonPath": "$.d", "nullValue": "NULL_VALUE"},
                ],
            }
        },
    ],
    [
        {"text": "Look"},
        {"inlineData": {"mimeType": "image/png", "data": PNG, "displayName": "d"}},
        {"executableCode": {"language": "PYTHON", "code": "c", "id": "e1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "o", "id": "e1"}},
        {"fileData": {"fileUri": "u", "mimeType": "text/plain", "displayName": "d"}},
        {"functionResponse": {"id": "i", "name": "n", "response": {"a": 1}}},
        {"toolCall": {"id": "t", "toolType": "x", "args": {}}},
        {"toolResponse": {"id": "t", "toolType": "x", "response": {}}},
        {"audioTranscription": {"text": "t", "languageCode": "en"}},
    ],
]


def _gemini(parts: list[Json], **more: Json) -> Json:
    content = {"role": "model", "parts": parts}
    return {**_GEMINI, "candidates": [{**_CANDIDATE, "content": content, **more}]}


_GEMINI_WHOLES: list[Json] = [
    *(_gemini(parts) for parts in _PARTS),
    _gemini([{"text": "Hello there"}], groundingMetadata=_GROUNDING),
    _gemini([{"text": "Hello there"}], urlContextMetadata=_READ),
    {
        **_GEMINI,
        "promptFeedback": {
            "blockReason": "SAFETY",
            "blockReasonMessage": "m",
            "safetyRatings": _RATINGS,
        },
    },
]

# ---- all --------------------------------------------------------------------------------------
WHOLES: dict[str, list[Json]] = {
    "openai-chat": [_chat_whole(*one) for one in _MESSAGES],
    "openai-responses": [
        *(_response(item) for item in (_MESSAGE, _REFUSAL, _FUNCTION, _CUSTOM, *_SEARCHES, _IMAGE)),
        _response(_REASONING, _RAW_REASONING, _MESSAGE),
        _response(*_OTHERS, _MESSAGE),
        _response(_MESSAGE, stop_sequence="END"),
        _response(
            _MESSAGE, status="incomplete", incomplete_details={"reason": "max_output_tokens"}
        ),
        {**_FAILED, "error": _RESPONSE_ERROR},
        {**_FAILED, "error": {"message": "Broken.", "type": "rate_limit_exceeded"}},
    ],
    "anthropic": [
        {**_ANTHROPIC, "content": _BLOCKS},
        {**_ANTHROPIC, "content": [_TOOL], "stop_reason": "tool_use"},
        {
            **_ANTHROPIC,
            "content": [_BLOCKS[-1]],
            "stop_reason": "stop_sequence",
            "stop_sequence": "END",
        },
        {
            **_ANTHROPIC,
            "content": [_BLOCKS[-1]],
            "stop_reason": "refusal",
            "stop_details": _REFUSED,
        },
    ],
    "gemini": _GEMINI_WHOLES,
}
STREAMS: dict[str, list[list[Json]]] = {
    "openai-chat": [_chat_stream(*one) for one in _MESSAGES],
    "openai-responses": _RESPONSES_STREAMS,
    "anthropic": [
        _anthropic_stream(
            _BLOCKS[-1],
            {"type": "text_delta", "text": "Hello there"},
            *({"type": "citations_delta", "citation": place} for place in _PLACES),
            stop=_ENDED,
        ),
        _anthropic_stream(
            _BLOCKS[0],
            {"type": "thinking_delta", "thinking": "Hmm", "estimated_tokens": 1},
            {"type": "signature_delta", "signature": SIG},
            stop=_ENDED,
        ),
        _anthropic_stream(
            {"type": "compaction", "content": ""},
            {"type": "compaction_delta", "content": "c", "encrypted_content": SIG},
            stop=_ENDED,
        ),
        _anthropic_stream(
            _TOOL,
            {"type": "input_json_delta", "partial_json": '{"a":"b'},
            stop={"stop_reason": "tool_use"},
        ),
        _anthropic_stream(_BLOCKS[-1], stop={"stop_reason": "stop_sequence", "stop_sequence": "E"}),
        _anthropic_stream(_BLOCKS[-1], stop={"stop_reason": "refusal", "stop_details": _REFUSED}),
    ],
    "gemini": [[body] for body in _GEMINI_WHOLES],
}
ERRORS: dict[str, list[Json]] = {
    "openai-chat": [_OPENAI_ERROR],
    "openai-responses": [_OPENAI_ERROR],
    "anthropic": [
        {
            "type": "error",
            "error": {"type": "not_found_error", "message": "No such thing."},
            "request_id": "req_1",
        }
    ],
    "gemini": [
        {
            "error": {
                "code": 404,
                "message": "No such thing.",
                "status": "NOT_FOUND",
            }
        },
        {
            "error": {
                "code": 404,
                "message": "No such thing.",
                "status": "NOT_FOUND",
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "THING"}
                ],
            }
        },
    ],
}

"""Requests that use every field worth proving, as values to add to a smallest request."""

from __future__ import annotations

import base64
from typing import Any

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\xfb\xff\xfe0").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
WAV = base64.b64encode(b"RIFF....WAVEfmt ").decode()
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CACHE = {"type": "ephemeral", "ttl": "1h"}
BREAKPOINT = {"mode": "explicit", "ttl": "30m"}
PLACE = {"city": "Oslo", "region": "Oslo", "country": "NO", "timezone": "Europe/Oslo"}
CHAT_TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Look.", "parameters": SCHEMA, "strict": True},
}
FLAT_TOOL = {
    "type": "function",
    "name": "look",
    "description": "Look.",
    "parameters": SCHEMA,
    "strict": True,
}
CLAUDE_TOOL = {"name": "look", "description": "Look.", "input_schema": SCHEMA}
GEMINI_TOOL = {
    "functionDeclarations": [
        {"name": "look", "description": "Look.", "parametersJsonSchema": SCHEMA}
    ]
}

BASE: dict[str, dict[str, Any]] = {
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai-responses": {"model": "m", "input": "hi"},
    "anthropic": {
        "model": "m",
        "max_tokens": 5000,
        "messages": [{"role": "user", "content": "hi"}],
    },
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "interactions": {"model": "m", "input": "hi"},
}

Case = tuple[str, Any, dict[str, Any]]
"""A field, its value, and what else the request must hold for it to make sense."""


def _chat() -> list[Case]:
    tools = {"tools": [CHAT_TOOL]}
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "look", "arguments": '{"city":"Oslo"}'},
    }
    answered = {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": [{"type": "text", "text": "5C"}],
    }
    ask = {"role": "user", "content": "where?"}
    cases: list[Case] = [
        ("model", "other", {}),
        ("messages", [{"role": "user", "content": "else"}], {}),
        ("frequency_penalty", 0.25, {}),
        ("presence_penalty", 0.5, {}),
        ("temperature", 0.75, {}),
        ("top_p", 0.875, {}),
        ("seed", 41, {}),
        ("n", 3, {}),
        ("stop", ["halt"], {}),
        ("logit_bias", {"50256": -100}, {}),
        ("logprobs", True, {}),
        ("top_logprobs", 7, {"logprobs": True}),
        ("max_completion_tokens", 777, {}),
        ("max_tokens", 776, {}),
        ("metadata", {"team": "red"}, {}),
        ("modalities", ["text", "audio"], {}),
        ("audio", {"format": "wav", "voice": "verse"}, {"modalities": ["text", "audio"]}),
        ("moderation", {"model": "omni-moderation-latest"}, {}),
        ("parallel_tool_calls", False, tools),
        ("prediction", {"type": "content", "content": "def f():"}, {}),
        ("prompt_cache_key", "thread-9", {}),
        ("prompt_cache_options", {"mode": "implicit", "ttl": "30m"}, {}),
        ("prompt_cache_retention", "24h", {}),
        ("reasoning_effort", "high", {}),
        (
            "response_format",
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "place",
                    "description": "A place.",
                    "schema": SCHEMA,
                    "strict": True,
                },
            },
            {},
        ),
        ("response_format", {"type": "json_object"}, {}),
        ("response_format", {"type": "text"}, {}),
        ("safety_identifier", "u-7", {}),
        ("user", "u-8", {}),
        ("service_tier", "flex", {}),
        ("store", True, {}),
        ("stream", True, {}),
        ("stream_options", {"include_usage": True}, {"stream": True}),
        ("stream_options", {"include_obfuscation": False}, {"stream": True}),
        ("tools", [CHAT_TOOL], {}),
        (
            "tools",
            [
                {
                    "type": "custom",
                    "custom": {
                        "name": "sql",
                        "description": "Run SQL.",
                        "format": {
                            "type": "grammar",
                            "grammar": {"syntax": "lark", "definition": "start: /.+/"},
                        },
                    },
                }
            ],
            {},
        ),
        ("tool_choice", {"type": "function", "function": {"name": "look"}}, tools),
        (
            "tool_choice",
            {"type": "custom", "custom": {"name": "sql"}},
            {
                "tools": [
                    {"type": "custom", "custom": {"name": name}} for name in ("sql", "sqlAAAA")
                ]
            },
        ),
        ("tool_choice", "required", tools),
        (
            "tool_choice",
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "look"}}],
                },
            },
            {"tools": [CHAT_TOOL, {"type": "function", "function": {"name": "other"}}]},
        ),
        ("functions", [{"name": "look", "description": "Look.", "parameters": SCHEMA}], {}),
        ("function_call", {"name": "look"}, tools),
        ("verbosity", "low", {}),
        (
            "web_search_options",
            {
                "search_context_size": "low",
                "user_location": {"type": "approximate", "approximate": PLACE},
            },
            {},
        ),
        ("top_k", 40, {}),
        ("reasoning", {"effort": "high", "exclude": True}, {}),
        ("include_reasoning", False, {"reasoning_effort": "low"}),
        ("thinking", {"type": "enabled", "budget_tokens": 20000}, {}),
        ("extra_body", {"google": {"thinking_config": {"thinking_budget": 2048}}}, {}),
        ("google", {"thinking_config": {"thinking_budget": 2048}}, {}),
    ]
    text = {"type": "text", "text": "see", "prompt_cache_breakpoint": BREAKPOINT}
    histories: list[list[Any]] = [
        [{"role": "system", "name": "boss", "content": [text]}, ask],
        [{"role": "developer", "name": "boss", "content": [text]}, ask],
        [{"role": "user", "name": "eve", "content": [text]}],
        *(
            [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]
            for part in (
                {
                    "type": "image_url",
                    "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"},
                    "prompt_cache_breakpoint": BREAKPOINT,
                },
                {
                    "type": "input_audio",
                    "input_audio": {"data": WAV, "format": "wav"},
                    "prompt_cache_breakpoint": BREAKPOINT,
                },
                {
                    "type": "file",
                    "file": {
                        "file_data": f"data:application/pdf;base64,{PDF}",
                        "filename": "a.pdf",
                    },
                    "prompt_cache_breakpoint": BREAKPOINT,
                },
                {"type": "file", "file": {"file_id": "file-1"}},
            )
        ),
        [
            ask,
            {
                "role": "assistant",
                "name": "bot",
                "content": [text],
                "tool_calls": [call],
            },
            answered,
        ],
        [
            ask,
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "SELECT"}}
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "call_2",
                "content": [
                    {"type": "text", "text": "1", "prompt_cache_breakpoint": BREAKPOINT},
                ],
            },
        ],
        [
            ask,
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            ask,
        ],
        [ask, {"role": "assistant", "content": None, "refusal": "no"}, ask],
        [ask, {"role": "assistant", "content": "la", "audio": {"id": "audio_1"}}, ask],
        [
            ask,
            {"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}},
            {"role": "function", "name": "look", "content": "5C"},
        ],
    ]
    cases += [("messages", history, {}) for history in histories]
    return cases


def _responses() -> list[Case]:
    tools = {"tools": [FLAT_TOOL]}
    ask = {"type": "message", "role": "user", "content": "where?"}
    cases: list[Case] = [
        ("model", "other", {}),
        ("input", "else", {}),
        ("access_programs", {"cyber": "x"}, {}),
        ("background", True, {}),
        ("context_management", [{"type": "compaction", "compact_threshold": 5000}], {}),
        ("conversation", {"id": "conv_1"}, {}),
        ("image", {"context_compression": "auto"}, {}),
        ("include", ["web_search_call.action.sources"], {}),
        ("instructions", "Be brief.", {}),
        ("max_output_tokens", 777, {}),
        ("max_tool_calls", 3, {}),
        ("metadata", {"team": "red"}, {}),
        ("moderation", {"model": "omni-moderation-latest"}, {}),
        ("parallel_tool_calls", False, tools),
        ("previous_response_id", "resp_1", {}),
        ("prompt", {"id": "pmpt_1", "version": "2"}, {}),
        ("prompt_cache_key", "thread-9", {}),
        ("prompt_cache_options", {"mode": "implicit", "ttl": "30m"}, {}),
        ("prompt_cache_retention", "24h", {}),
        (
            "reasoning",
            {"effort": "high", "summary": "detailed"},
            {},
        ),
        ("reasoning", {"effort": "low", "mode": "pro", "context": "auto"}, {}),
        ("reasoning", {"effort": "high", "generate_summary": "detailed"}, {}),
        ("safety_identifier", "u-7", {}),
        ("user", "u-8", {}),
        ("service_tier", "flex", {}),
        ("store", True, {}),
        ("stream", True, {}),
        ("stream_options", {"include_obfuscation": False}, {"stream": True}),
        ("temperature", 0.75, {}),
        (
            "text",
            {
                "verbosity": "low",
                "format": {
                    "type": "json_schema",
                    "name": "place",
                    "description": "A place.",
                    "schema": SCHEMA,
                    "strict": True,
                },
            },
            {},
        ),
        ("text", {"format": {"type": "json_object"}}, {}),
        ("text", {"format": {"type": "text"}}, {}),
        ("tool_choice", {"type": "function", "name": "look"}, tools),
        ("tool_choice", "required", tools),
        (
            "tool_choice",
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "look"}],
            },
            {"tools": [FLAT_TOOL, {"type": "function", "name": "other", "parameters": SCHEMA}]},
        ),
        (
            "tools",
            [
                {
                    **FLAT_TOOL,
                    "async": True,
                    "allowed_callers": ["direct"],
                    "defer_loading": True,
                    "output_schema": SCHEMA,
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "custom",
                    "name": "sql",
                    "description": "Run SQL.",
                    "async": True,
                    "allowed_callers": ["direct"],
                    "defer_loading": True,
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "namespace",
                    "name": "crm",
                    "description": "CRM.",
                    "tools": [{"type": "function", "name": "look", "parameters": SCHEMA}],
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "web_search",
                    "external_web_access": True,
                    "filters": {"allowed_domains": ["a.org"]},
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", **PLACE},
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "web_search_preview",
                    "search_content_types": ["text"],
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", **PLACE},
                }
            ],
            {},
        ),
        ("tools", [{"type": "file_search", "vector_store_ids": ["vs_1"]}], {}),
        ("tools", [{"type": "mcp", "server_label": "s", "server_url": "https://s"}], {}),
        ("tools", [{"type": "code_interpreter", "container": {"type": "auto"}}], {}),
        ("tools", [{"type": "image_generation", "size": "auto"}], {}),
        ("tools", [{"type": "local_shell"}], {}),
        ("tools", [{"type": "shell", "environment": {"type": "local"}}], {}),
        ("tools", [{"type": "apply_patch"}], {}),
        ("tools", [{"type": "computer"}], {}),
        ("tools", [{"type": "tool_search", "description": "Find."}], {}),
        ("tools", [{"type": "programmatic_tool_calling"}], {}),
        ("top_logprobs", 7, {"include": ["message.output_text.logprobs"]}),
        ("top_p", 0.875, {}),
        ("truncation", "auto", {}),
    ]
    text = {"type": "input_text", "text": "see", "prompt_cache_breakpoint": BREAKPOINT}
    call = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "look",
        "namespace": "crm",
        "arguments": '{"city":"Oslo"}',
        "status": "completed",
        "async": False,
        "caller": {"type": "direct"},
    }
    answered = {
        "type": "function_call_output",
        "id": "fco_1",
        "call_id": "call_1",
        "output": [
            {"type": "input_text", "text": "5C"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
            {"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}"},
        ],
        "status": "completed",
        "caller": {"type": "direct"},
        "name": "look",
        "namespace": "crm",
    }
    histories: list[list[Any]] = [
        [{"type": "message", "role": "system", "content": [text]}, ask],
        [{"type": "message", "role": "user", "status": "completed", "content": [text]}],
        *(
            [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "see"}, part],
                }
            ]
            for part in (
                {
                    "type": "input_image",
                    "image_url": f"data:image/png;base64,{PNG}",
                    "detail": "high",
                    "prompt_cache_breakpoint": BREAKPOINT,
                },
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
                {
                    "type": "input_file",
                    "file_data": f"data:application/pdf;base64,{PDF}",
                    "filename": "a.pdf",
                    "detail": "high",
                    "prompt_cache_breakpoint": BREAKPOINT,
                },
                {"type": "input_file", "file_url": "https://a.org/a.pdf"},
                {"type": "input_file", "file_id": "file-1"},
            )
        ),
        [
            ask,
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "phase": "commentary",
                "content": [
                    {
                        "type": "output_text",
                        "text": "seen",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://a.org",
                                "title": "A",
                                "start_index": 0,
                                "end_index": 4,
                            }
                        ],
                    },
                    {"type": "refusal", "refusal": "no"},
                ],
            },
            call,
            answered,
        ],
        [
            ask,
            {
                "type": "reasoning",
                "id": "rs_1",
                "encrypted_content": "gAAAAAB",
                "status": None,
                "summary": [{"type": "summary_text", "text": "hm"}],
                "content": [{"type": "reasoning_text", "text": "hmm"}],
            },
            {"type": "message", "role": "assistant", "content": "seen"},
            ask,
        ],
        [
            ask,
            {
                "type": "custom_tool_call",
                "id": "ctc_1",
                "call_id": "call_2",
                "name": "sql",
                "namespace": "crm",
                "input": "SELECT",
                "async": False,
                "caller": {"type": "direct"},
            },
            {
                "type": "custom_tool_call_output",
                "id": "cto_1",
                "call_id": "call_2",
                "output": "1",
                "caller": {"type": "direct"},
            },
        ],
        [
            ask,
            {
                "type": "local_shell_call",
                "id": "lsh_1",
                "call_id": "call_1",
                "status": "completed",
                "action": {
                    "type": "exec",
                    "command": ["ls"],
                    "env": {"A": "b"},
                    "timeout_ms": 5,
                    "user": "u",
                    "working_directory": "/w",
                },
            },
            {
                "type": "local_shell_call_output",
                "id": "call_1",
                "output": "x",
                "status": "completed",
            },
        ],
        [
            ask,
            {
                "type": "shell_call",
                "id": "sh_1",
                "call_id": "call_1",
                "status": "completed",
                "action": {"commands": ["ls"], "timeout_ms": 5, "max_output_length": 6},
                "environment": {"type": "local"},
            },
            {
                "type": "shell_call_output",
                "id": "sho_1",
                "call_id": "call_1",
                "status": "completed",
                "max_output_length": 6,
                "output": [
                    {
                        "stdout": "out",
                        "stderr": "err",
                        "outcome": {"type": "exit", "exit_code": 3},
                    }
                ],
            },
        ],
        [
            ask,
            {
                "type": "apply_patch_call",
                "id": "apc_1",
                "call_id": "call_1",
                "status": "completed",
                "operation": {"type": "update_file", "path": "a.py", "diff": "@@"},
            },
            {
                "type": "apply_patch_call_output",
                "id": "apo_1",
                "call_id": "call_1",
                "status": "failed",
                "output": "no such file",
            },
        ],
        *(
            [ask, item, ask]
            for item in (
                {"type": "item_reference", "id": "msg_1"},
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "x"},
                },
                {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
                {"type": "additional_tools", "role": "developer", "tools": [FLAT_TOOL]},
                {"type": "configuration_update", "reasoning": {"effort": "low"}},
                {
                    "type": "mcp_call",
                    "id": "mcp_1",
                    "name": "x",
                    "server_label": "s",
                    "arguments": '{"a":"b"}',
                    "output": "o",
                },
                {
                    "type": "code_interpreter_call",
                    "id": "ci_1",
                    "code": "c",
                    "container_id": "k",
                    "status": "completed",
                    "outputs": [
                        {"type": "logs", "logs": "l"},
                        {"type": "image", "url": "https://a.org/a.png"},
                    ],
                },
                {
                    "type": "image_generation_call",
                    "id": "ig_1",
                    "status": "completed",
                    "result": PNG,
                    "output_format": "webp",
                },
            )
        ),
    ]
    cases += [("input", history, {}) for history in histories]
    return cases


def _anthropic() -> list[Case]:
    tools = {"tools": [CLAUDE_TOOL]}
    ask = {"role": "user", "content": "where?"}
    cases: list[Case] = [
        ("model", "other", {}),
        ("messages", [{"role": "user", "content": "else"}], {}),
        ("max_tokens", 777, {}),
        ("cache_control", CACHE, {}),
        (
            "container",
            {"id": "c_1", "skills": [{"skill_id": "pdf", "type": "anthropic", "version": "1"}]},
            {},
        ),
        ("diagnostics", {"previous_message_id": "msg_1"}, {}),
        ("inference_geo", "us", {}),
        ("metadata", {"user_id": "u-7"}, {}),
        (
            "output_config",
            {
                "effort": "low",
                "task_budget": {"type": "tokens", "total": 9000},
            },
            {"thinking": {"type": "adaptive"}},
        ),
        ("output_config", {"effort": "high"}, {"thinking": {"type": "adaptive"}}),
        ("output_config", {"format": {"type": "json_schema", "schema": SCHEMA}}, {}),
        ("output_format", {"type": "json_schema", "schema": SCHEMA}, {}),
        ("service_tier", "standard_only", {}),
        ("speed", "fast", {}),
        ("stop_sequences", ["halt"], {}),
        ("stream", True, {}),
        ("system", [{"type": "text", "text": "Be brief.", "cache_control": CACHE}], {}),
        ("temperature", 0.75, {}),
        ("top_p", 0.875, {}),
        ("top_k", 40, {}),
        (
            "thinking",
            {
                "type": "enabled",
                "budget_tokens": 20000,
                "display": "omitted",
            },
            {"max_tokens": 30000},
        ),
        (
            "thinking",
            {
                "type": "adaptive",
                "display": "omitted",
                "block_binding": {"prefix_mismatch_behavior": "error"},
            },
            {},
        ),
        ("thinking", {"type": "disabled"}, {}),
        ("thinking", {"type": "between_tools"}, {}),
        ("tool_choice", {"type": "any", "disable_parallel_tool_use": True}, tools),
        ("tool_choice", {"type": "auto", "disable_parallel_tool_use": True}, tools),
        (
            "tool_choice",
            {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
            tools,
        ),
        ("tool_choice", {"type": "none"}, tools),
        (
            "tools",
            [
                {
                    **CLAUDE_TOOL,
                    "type": "custom",
                    "strict": True,
                    "cache_control": CACHE,
                    "allowed_callers": ["direct"],
                    "defer_loading": True,
                    "eager_input_streaming": True,
                    "input_examples": [{"city": "Oslo"}],
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "web_search_20250305",
                    "name": "web_search",
                    "max_uses": 2,
                    "allowed_domains": ["a.org"],
                    "cache_control": CACHE,
                    "strict": True,
                    "defer_loading": True,
                    "allowed_callers": ["direct"],
                    "user_location": {"type": "approximate", **PLACE},
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "web_search_20260318",
                    "name": "web_search",
                    "blocked_domains": ["b.org"],
                    "response_inclusion": "excluded",
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "web_fetch_20260318",
                    "name": "web_fetch",
                    "max_uses": 2,
                    "allowed_domains": ["a.org"],
                    "max_content_tokens": 100,
                    "use_cache": True,
                    "citations": {"enabled": True},
                }
            ],
            {},
        ),
        ("tools", [{"type": "code_execution_20250825", "name": "code_execution"}], {}),
        (
            "tools",
            [
                {
                    "type": "bash_20250124",
                    "name": "bash",
                    "strict": True,
                    "cache_control": CACHE,
                    "defer_loading": True,
                    "allowed_callers": ["direct"],
                    "input_examples": [{"command": "ls"}],
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "type": "text_editor_20250728",
                    "name": "str_replace_based_edit_tool",
                    "max_characters": 100,
                }
            ],
            {},
        ),
        ("tools", [{"type": "memory_20250818", "name": "memory"}], {}),
        (
            "tools",
            [
                {
                    "type": "computer_20250124",
                    "name": "computer",
                    "display_height_px": 600,
                    "display_width_px": 800,
                }
            ],
            {},
        ),
        (
            "tools",
            [{"type": "tool_search_tool_bm25", "name": "tool_search_tool_bm25"}],
            {},
        ),
        ("tools", [{"type": "mcp_toolset", "mcp_server_name": "s"}], {}),
        ("user_profile_id", "prof_1", {}),
        ("workspace_id", "ws_1", {}),
        ("betas", ["files-api-2025-04-14"], {}),
        ("billing_policy", {"type": "x", "bill_to": "y"}, {}),
        ("compaction", {"type": "compact", "instructions": "Short."}, {}),
        ("context_management", {"edits": [{"type": "clear_tool_uses_20250919"}]}, {}),
        ("fallback_credit_token", {"token": "t", "mode": "x"}, {}),
        ("fallbacks", [{"model": "m2", "max_tokens": 99}], {}),
        ("mcp_servers", [{"type": "url", "name": "s", "url": "https://s"}], {}),
        ("thread", {"type": "create"}, {}),
        ("thread", {"type": "continue", "previous_message_id": "msg_1"}, {}),
    ]
    text = {"type": "text", "text": "see", "cache_control": CACHE}
    histories: list[list[Any]] = [
        [{"role": "user", "content": [text]}],
        [ask, {"role": "system", "content": [text], "clear_at": "x"}, ask],
        *(
            [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]
            for part in (
                {
                    "type": "image",
                    "cache_control": CACHE,
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    "transformations": {"oversized_image": "reject"},
                },
                {"type": "image", "source": {"type": "url", "url": "https://a.org/a.png"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {
                    "type": "document",
                    "cache_control": CACHE,
                    "title": "A",
                    "context": "C",
                    "citations": {"enabled": True},
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                },
                {"type": "document", "source": {"type": "url", "url": "https://a.org/a.pdf"}},
                {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                },
                {"type": "document", "source": {"type": "content", "content": "words"}},
                {
                    "type": "search_result",
                    "source": "https://a.org",
                    "title": "A",
                    "content": [{"type": "text", "text": "found"}],
                    "citations": {"enabled": True},
                    "cache_control": CACHE,
                },
                {"type": "container_upload", "file_id": "file_1", "cache_control": CACHE},
            )
        ),
        [
            ask,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "EuYBCkQ="},
                    {"type": "redacted_thinking", "data": "EuYBCkQ="},
                    {
                        "type": "text",
                        "text": "seen",
                        "citations": [
                            {
                                "type": "web_search_result_location",
                                "url": "https://a.org",
                                "title": "A",
                                "cited_text": "seen",
                                "encrypted_index": "e",
                            }
                        ],
                    },
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "look",
                        "input": {"city": "Oslo"},
                        "cache_control": CACHE,
                        "caller": {"type": "direct"},
                        "toolset_name": "t",
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "is_error": True,
                        "content": [{"type": "text", "text": "5C"}],
                        "cache_control": CACHE,
                        "toolset_name": "t",
                    }
                ],
            },
        ],
        [
            ask,
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {"city": "Oslo"}}
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_2",
                        "content": [
                            {"type": "text", "text": "5C"},
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": PNG,
                                },
                            },
                        ],
                    }
                ],
            },
        ],
        [
            ask,
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "toolu_3", "name": "look", "input": {"city": "Oslo"}}
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_3",
                        "content": [
                            {
                                "type": "search_result",
                                "source": "https://a.org",
                                "title": "A",
                                "content": [{"type": "text", "text": "found"}],
                            },
                            {"type": "tool_reference", "tool_name": "look"},
                        ],
                    }
                ],
            },
        ],
        [
            ask,
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "server_tool_use",
                        "id": "srvtoolu_1",
                        "name": "web_search",
                        "input": {"query": "x"},
                        "cache_control": CACHE,
                        "caller": {"type": "direct"},
                    },
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "srvtoolu_1",
                        "cache_control": CACHE,
                        "caller": {"type": "direct"},
                        "content": [
                            {
                                "type": "web_search_result",
                                "url": "https://a.org",
                                "title": "A",
                                "encrypted_content": "e",
                                "page_age": None,
                            }
                        ],
                    },
                    {"type": "text", "text": "seen"},
                ],
            },
            ask,
        ],
        [
            ask,
            {
                "role": "assistant",
                "content": [
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
                            "return_code": 1,
                        },
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
                        "is_error": True,
                        "content": [{"type": "text", "text": "o"}],
                    },
                    {"type": "text", "text": "seen"},
                ],
            },
            ask,
        ],
    ]
    cases += [("messages", history, {}) for history in histories]
    return cases


def _gemini() -> list[Case]:
    def config(name: str, value: Any, **more: Any) -> Case:
        return ("generationConfig", {name: value}, more)

    tools = {"tools": [GEMINI_TOOL]}
    ask = {"role": "user", "parts": [{"text": "where?"}]}
    cases: list[Case] = [
        ("contents", [{"role": "user", "parts": [{"text": "else"}]}], {}),
        ("systemInstruction", {"role": "user", "parts": [{"text": "Be brief."}]}, {}),
        ("cachedContent", "cachedContents/1", {}),
        ("labels", {"team": "red"}, {}),
        ("serviceTier", "flex", {}),
        ("store", True, {}),
        ("modelArmorConfig", {"promptTemplateName": "p"}, {}),
        (
            "safetySettings",
            [
                {
                    "category": "HARM_CATEGORY_HARASSMENT",
                    "threshold": "BLOCK_NONE",
                    "method": "SEVERITY",
                }
            ],
            {},
        ),
        config("temperature", 0.75),
        config("topP", 0.875),
        config("topK", 40),
        config("candidateCount", 3),
        config("maxOutputTokens", 777),
        config("stopSequences", ["halt"]),
        config("responseLogprobs", True),
        ("generationConfig", {"responseLogprobs": True, "logprobs": 4}, {}),
        config("presencePenalty", 0.5),
        config("frequencyPenalty", 0.25),
        config("seed", 41),
        config("responseMimeType", "application/json"),
        config("responseSchema", {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}),
        config("responseJsonSchema", SCHEMA),
        config("responseModalities", ["TEXT", "IMAGE"]),
        config("thinkingConfig", {"includeThoughts": False, "thinkingBudget": 2048}),
        config("thinkingConfig", {"thinkingLevel": "LOW"}),
        config("imageConfig", {"aspectRatio": "1:1"}),
        config("mediaResolution", "MEDIA_RESOLUTION_LOW"),
        config("speechConfig", {"languageCode": "no"}),
        config("audioTimestamp", True),
        config("routingConfig", {"autoMode": {"modelRoutingPreference": "BALANCED"}}),
        config("modelSelectionConfig", {"featureSelectionPreference": "BALANCED"}),
        config("enableEnhancedCivicAnswers", True),
        config("enableAffectiveDialog", True),
        config("audioTranscriptionConfig", {"languageCodes": ["no"]}),
        config("responseFormat", {"text": {"mimeType": "text/plain"}}),
        config("translationConfig", {"targetLanguageCode": "no"}),
        config("automaticContinuation", {"enabled": True}),
        config("continuationToken", {"token": "t"}),
        config("generationOutputConfig", {"kind": "k"}),
        ("tools", [{"googleSearch": {"searchTypes": {"webSearch": {}}}}], {}),
        (
            "tools",
            [
                {
                    "functionDeclarations": [
                        {
                            "name": "look",
                            "description": "Look.",
                            "behavior": "NON_BLOCKING",
                            "parametersJsonSchema": SCHEMA,
                            "responseJsonSchema": SCHEMA,
                        }
                    ]
                }
            ],
            {},
        ),
        (
            "tools",
            [
                {
                    "functionDeclarations": [
                        {
                            "name": "look",
                            "parameters": {
                                "type": "OBJECT",
                                "properties": {"a": {"type": "STRING"}},
                            },
                            "response": {
                                "type": "OBJECT",
                                "properties": {"a": {"type": "STRING"}},
                            },
                        }
                    ]
                }
            ],
            {},
        ),
        *(
            ("tools", [{name: value}], {})
            for name, value in (
                ("googleSearch", {"excludeDomains": ["b.org"]}),
                ("googleSearchRetrieval", {"dynamicRetrievalConfig": {"mode": "MODE_DYNAMIC"}}),
                ("enterpriseWebSearch", {"excludeDomains": ["b.org"]}),
                ("googleMaps", {"enableWidget": True}),
                ("codeExecution", {}),
                ("urlContext", {}),
                ("fileSearch", {"fileSearchStoreNames": ["s"]}),
                ("computerUse", {"environment": "ENVIRONMENT_BROWSER"}),
                ("retrieval", {"externalApi": {"endpoint": "https://s"}}),
                ("parallelAiSearch", {"apiKey": "k"}),
                ("exaAiSearch", {"apiKey": "k"}),
                ("mcpServers", [{"name": "s"}]),
            )
        ),
        (
            "toolConfig",
            {
                "functionCallingConfig": {
                    "mode": "ANY",
                    "allowedFunctionNames": ["look"],
                    "streamFunctionCallArguments": True,
                },
                "retrievalConfig": {"languageCode": "no", "latLng": {"latitude": 1}},
                "includeServerSideToolInvocations": True,
            },
            tools,
        ),
    ]
    histories: list[list[Any]] = [
        *(
            [{"role": "user", "parts": [{"text": "see"}, part]}]
            for part in (
                {
                    "inlineData": {"mimeType": "image/png", "data": PNG, "displayName": "a.png"},
                    "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
                },
                {"inlineData": {"mimeType": "audio/wav", "data": WAV}},
                {
                    "inlineData": {
                        "mimeType": "application/pdf",
                        "data": PDF,
                        "displayName": "a.pdf",
                    },
                    "partMetadata": {"k": "v"},
                },
                {
                    "fileData": {
                        "fileUri": "https://a.org/a.pdf",
                        "mimeType": "application/pdf",
                        "displayName": "a.pdf",
                    },
                },
                {
                    "fileData": {"fileUri": "https://a.org/a.mp4", "mimeType": "video/mp4"},
                    "videoMetadata": {"fps": 1},
                },
                *(
                    {"inlineData": {"mimeType": "application/pdf", "data": PDF}, name: {"k": "v"}}
                    for name in (
                        "audioMetadata",
                        "audioTranscription",
                        "documentMetadata",
                        "mediaProcessing",
                        "speechMetadata",
                        "spreadsheetMetadata",
                    )
                ),
            )
        ),
        [
            ask,
            {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True, "thoughtSignature": "c2ln"},
                    {
                        "functionCall": {
                            "id": "c1",
                            "name": "look",
                            "args": {"city": "Oslo"},
                            "partialArgs": [{"jsonPath": "$.city", "stringValue": "Oslo"}],
                            "willContinue": False,
                        },
                        "thoughtSignature": "c2ln",
                    },
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "c1",
                            "name": "look",
                            "response": {"output": "5C"},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                            "scheduling": "SILENT",
                            "willContinue": False,
                        }
                    }
                ],
            },
        ],
        [
            ask,
            {
                "role": "model",
                "parts": [
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "1"}},
                    {"text": "seen"},
                ],
            },
            ask,
        ],
        [ask, {"role": "model", "parts": [{"toolCall": {"id": "t", "toolType": "X"}}]}, ask],
        [ask, {"role": "model", "parts": [{"toolResponse": {"id": "t", "toolType": "X"}}]}, ask],
    ]
    cases += [("contents", history, {}) for history in histories]
    return cases


def _interactions() -> list[Case]:
    def config(name: str, value: Any, **more: Any) -> Case:
        return ("generation_config", {name: value}, more)

    def said(content: Any, kind: str = "user_input") -> Case:
        return ("input", [{"type": kind, "content": [content]}, ask], {})

    ask = {"type": "user_input", "content": [{"type": "text", "text": "where?"}]}
    look = {"type": "function", "name": "look", "description": "Look.", "parameters": SCHEMA}
    tools = {"tools": [look]}
    call = {"type": "function_call", "id": "c1", "name": "look", "arguments": {"city": "Oslo"}}
    result = {"type": "function_result", "call_id": "c1", "name": "look", "result": "5C"}
    image = {"type": "image", "data": PNG, "mime_type": "image/png", "resolution": "low"}
    return [
        ("model", "other", {}),
        ("input", "else", {}),
        ("system_instruction", "Be brief.", {}),
        ("labels", {"team": "red"}, {}),
        ("service_tier", "flex", {}),
        ("store", True, {}),
        ("store", False, {}),
        ("stream", True, {}),
        ("background", True, {}),
        ("agent", "deep-research", {"model": None}),
        ("agent_config", {"type": "dynamic"}, {"model": None, "agent": "deep-research"}),
        ("previous_interaction_id", "v1_1", {}),
        ("continuation_token", "t", {}),
        ("cached_content", "cachedContents/1", {}),
        ("environment", {"type": "remote", "environment_id": "e"}, {}),
        ("webhook_config", {"uris": ["https://a.example"], "user_metadata": {"a": 1}}, {}),
        (
            "safety_settings",
            [{"type": "harassment", "threshold": "block_none", "method": "severity"}],
            {},
        ),
        ("response_mime_type", "application/json", {}),
        ("response_modalities", ["text", "image"], {}),
        (
            "response_format",
            {"type": "text", "mime_type": "application/json", "schema": SCHEMA},
            {},
        ),
        ("response_format", [{"type": "text"}, {"type": "image", "aspect_ratio": "1:1"}], {}),
        config("temperature", 0.75),
        config("top_p", 0.875),
        config("max_output_tokens", 777),
        config("stop_sequences", ["halt"]),
        config("seed", 41),
        config("thinking_level", "low"),
        ("generation_config", {"thinking_level": "low", "thinking_summaries": "none"}, {}),
        config("image_config", {"aspect_ratio": "1:1", "image_size": "1K"}),
        config("speech_config", [{"language": "no", "voice": "v", "speaker": "s"}]),
        config("transcription_config", {"language_codes": ["no"]}),
        config("video_config", {"task": "edit"}),
        config("tool_choice", "any", **tools),
        config("tool_choice", {"allowed_tools": {"mode": "any", "tools": ["look"]}}, **tools),
        ("tools", [{**look, "defer_loading": True, "short_description": "L"}], {}),
        ("tools", [{"type": "google_search", "search_types": ["web_search"]}], {}),
        ("tools", [{"type": "code_execution"}], {}),
        ("tools", [{"type": "url_context"}], {}),
        ("tools", [{"type": "file_search", "file_search_store_names": ["s"], "top_k": 3}], {}),
        ("tools", [{"type": "google_maps", "latitude": 1.5, "longitude": 2.5}], {}),
        ("tools", [{"type": "computer_use", "environment": "browser"}], {}),
        ("tools", [{"type": "mcp_server", "name": "n", "url": "https://m.example"}], {}),
        ("tools", [{"type": "retrieval", "retrieval_types": ["rag_store"]}], {}),
        ("tools", [{"type": "tool_search", "execution": "server"}], {}),
        said({"type": "text", "text": "where?"}),
        said(image),
        said({"type": "document", "data": PDF, "mime_type": "application/pdf"}),
        said({"type": "audio", "data": WAV, "mime_type": "audio/wav", "sample_rate": 16000}),
        said({"type": "video", "uri": "https://v.example/a.mp4", "mime_type": "video/mp4"}),
        said({"type": "text", "text": "there"}, "model_output"),
        ("input", [call, {**result, "is_error": True}, ask], tools),
        (
            "input",
            [ask, {"type": "thought", "signature": SIGNATURE,
                   "summary": [{"type": "text", "text": "Hm"}]}, call, result],
            tools,
        ),
        (
            "input",
            [
                {"type": "code_execution_call", "id": "x1",
                 "arguments": {"code": "print(1)", "language": "python"}},
                {"type": "code_execution_result", "call_id": "x1", "result": "1"},
                ask,
            ],
            {},
        ),
        (
            "input",
            [
                {"type": "google_search_call", "id": "g1", "arguments": {"queries": ["q"]}},
                {"type": "google_search_result", "call_id": "g1", "result": []},
                ask,
            ],
            {},
        ),
    ]  # fmt: skip


SIGNATURE = "U2lnbmF0dXJl"
CASES: dict[str, list[Case]] = {
    "openai-chat": _chat(),
    "openai-responses": _responses(),
    "anthropic": _anthropic(),
    "gemini": _gemini(),
    "interactions": _interactions(),
}

"""Request fields of the Messages API, its betas included."""

from __future__ import annotations

from typing import Final

_OWN_TOOLS: Final = (
    "code_execution_*|browser_toolset_*|computer_*|tool_search_tool_*|advisor_*|mcp_toolset"
)
_OWN_BLOCKS: Final = (
    "*_tool_result|server_tool_use|mcp_tool_use|mcp_tool_listing|search_result|container_upload|"
    "browser_state|compaction|fallback|tool_addition|tool_removal|tool_reference|thinking|redacted_thinking"
)
_RAN: Final = "messages.content[code_execution_tool_result].content[code_execution_result]"
_CLIENT_TOOLS: Final = "bash_*|text_editor_*|memory_*"

FIELDS: Final = {
    # ---- what is asked
    "model": "---- the router chooses the upstream's model",
    "messages": "KMKM",
    "max_tokens": "MMKM",
    "system": "MMKM",
    "system.text": "MMKM",
    "system.citations.**": "--K- instructions quote nothing",
    "stream": "KKK- Gemini streams by another URL",
    "stop_sequences": "MDKM",
    "thinking": "MMKM",
    "thinking.budget_tokens": "MMKM as the nearest level for OpenAI",
    "thinking.display": "-MKM chat has no switch for showing reasoning",
    "thinking.block_binding.**": "DDKD",
    "thinking[adaptive].display": "DMKM",
    "thinking[between_tools]": "-MKM chat models decide by themselves",
    "output_config": "MMKM",
    "output_config.effort": "MMKM",
    "output_config.format.schema": "MMKM",
    "output_config.task_budget.**": "DDKD",
    "speed": "DDKD",
    "inference_geo": "DDKD",
    "container.**": "DDKD",
    "context_management.**": "DDKD",
    "compaction.**": "DDKD",
    "diagnostics.**": "DDKD",
    "fallback_credit_token.**": "DDKD",
    "fallbacks.**": "DDKD",
    "mcp_servers.**": "DDKD",
    "thread[create]": "DDKD",
    "thread[continue].**": "RRRR the client is told to send the whole conversation",
    # ---- about the request
    "metadata": "MMKD",
    "metadata.user_id": "MMKD",
    "service_tier": "DDKD",
    "billing_policy.**": "DDKD",
    "user_profile_id": "DDKD",
    "workspace_id": "DDKD",
    "betas": "DDMD the anthropic-beta header",
    "**.cache_control.**": "DDKD",
    # ---- tools
    "tool_choice": "KKKM",
    "tool_choice.name": "MMKM",
    "tool_choice.disable_parallel_tool_use": "MMKD",
    "tools": "KKKK",
    "tools.name": "MMKM",
    "tools.description": "MMKM",
    "tools.input_schema.**": "MMKM",
    "tools.strict": "MMKD",
    "tools.allowed_callers": "DDKD",
    "tools.defer_loading": "DDKD",
    "tools.eager_input_streaming": "DDKD",
    "tools.input_examples": "DDKD",
    f"tools[{_CLIENT_TOOLS}].**": "DDKD declared as an ordinary function elsewhere",
    f"tools[{_CLIENT_TOOLS}].strict": "DDKD",
    f"tools[{_CLIENT_TOOLS}|{_OWN_TOOLS}|web_*].name": "---- fixed by the type",
    "tools[web_search_*].allowed_domains": "DMKD",
    "tools[web_search_*].blocked_domains": "DDKD",
    "tools[web_search_*].max_uses": "DDKD",
    "tools[web_search_*].user_location.**": "MMKD",
    "tools[web_search_*].response_inclusion": "DDKD",
    "tools[web_search_*].strict": "DDKD",
    "tools[web_fetch_*].**": "DDKD",
    "tools[web_fetch_*].strict": "DDKD",
    f"tools[{_OWN_TOOLS}].**": "DDKD run by this provider only",
    f"tools[{_OWN_TOOLS}].strict": "DDKD",
    # ---- messages
    "messages.content": "KMKM",
    "messages[system].clear_at": "DDKD",
    "messages[system].output_config.**": "DDKD",
    "messages.content[text].text": "KMKM",
    "messages.content[text].citations.**": "DDKD",
    "messages.content[image].source.**": "MMKM",
    "messages.content[image].source.media_type": "---- found in the data",
    "messages.content[image].source[file].**": "DDKD",
    "messages.content[image].transformations.**": "DDKD",
    "messages.content[document].source.**": "MMKM",
    "messages.content[document].source.media_type": "---- fixed by the kind of source",
    "messages.content[document].source[url].url": "MMKM chat gets the address as text; reported",
    "messages.content[document].source[file].**": "DDKD",
    "messages.content[document].title": "MMKD",
    "messages.content[document].context": "ADKD put into the text",
    "messages.content[document].citations.**": "DDKD",
    f"messages.content[{_OWN_BLOCKS}].**": "DDKD understood by this provider only",
    "messages.content[search_result].title": "MMKM as text; reported",
    "messages.content[search_result].source": "MMKM as text; reported",
    "messages.content[search_result].content[text].text": "MMKM as text; reported",
    **{
        f"messages.content[server_tool_use].{name}": "DMKM code that ran; other calls are dropped"
        for name in ("id", "name", "input")
    },
    f"{_RAN}.stdout": "DMKM",
    f"{_RAN}.stderr": "DMKM",
    f"{_RAN}.return_code": "D-KM the Responses API tells only the output",
    "messages.content[mcp_tool_use].id": "DMKD",
    "messages.content[mcp_tool_use].name": "DMKD",
    "messages.content[mcp_tool_use].server_name": "DMKD",
    "messages.content[mcp_tool_use].input": "DMKD",
    "messages.content[mcp_tool_result].is_error": "DMKD",
    "messages.content[mcp_tool_result].content": "DMKD",
    "messages.content[mcp_tool_result].content[text].text": "DMKD",
    "messages.content[tool_use].id": "MMKM",
    "messages.content[tool_use].name": "MMKM",
    "messages.content[tool_use].input": "MMKM",
    "messages.content[tool_use].caller.**": "DDKD",
    "messages.content[tool_use].toolset_name": "DDKD",
    "messages.content[tool_result].tool_use_id": "MMKM",
    "messages.content[tool_result].is_error": "DDKM",
    "messages.content[tool_result].toolset_name": "DDKD",
    "messages.content[tool_result].content": "MMKM",
    "messages.content[tool_result].content[text].text": "MMKM",
    "messages.content[tool_result].content[text].citations.**": "DDKD",
    "messages.content[tool_result].content[image|document].**": "MMKM as in messages",
    "messages.content[tool_result].content[image].source.media_type": "---- found in the data",
    f"messages.content[tool_result].content[{_OWN_BLOCKS}].**": "DDKD",
    "messages.content[tool_result].content[search_result].**": "MMKM as in messages",
    "messages.content[tool_result].content[tool_reference].tool_name": "MMKM as text; reported",
}

BEYOND: Final = {
    "temperature": "KKKM the newest models take none of the three",
    "top_p": "KKKM",
    "top_k": "DDKM",
    "output_format.schema": "MMMM the old form of output_config.format",
    "output_format": "MMMM the old form of output_config.format",
}

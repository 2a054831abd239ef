"""Answer fields of the Messages API, its betas included: whole, `event`s, `failure` of a status."""

from __future__ import annotations

from typing import Final

_OWN_BLOCKS: Final = (
    "*_tool_result|mcp_tool_use|mcp_tool_listing|container_upload|compaction|fallback"
)
_CODE: Final = "code_execution_tool_result|bash_code_execution_tool_result"
_PLACES: Final = "char_location|page_location|content_block_location|search_result_location"

FIELDS: Final = {
    # ---- the answer
    "id": "KKM with the prefix of the client's dialect",
    "model": "OOO the name the client asked for",
    "**.stop_reason": "MMM",
    "**.stop_sequence": "DDD which of them it was",
    "**.stop_details[refusal].**": "DDD",
    "**.container.**": "DDD",
    "**.context_management.**": "DDD",
    "**.input_transformations[*].**": "DDD",
    "diagnostics.**": "DDD",
    # ---- what was said
    "content[text].text": "MKK",
    "**.citations[web_search_result_location].url": "KKM",
    "**.citations[web_search_result_location].title": "KKK",
    "**.citations[web_search_result_location].cited_text": "DDD",
    "**.citations[web_search_result_location].encrypted_index": "DDD",
    f"**.citations[{_PLACES}].**": "DDD documents of the request",
    "content[thinking].thinking": "MMM",
    "content[thinking].signature": "DMM kept for the next request of a chat client",
    "content[redacted_thinking].data": "DMM kept for the next request of a chat client",
    "content[tool_use].id": "KMK",
    "content[tool_use].name": "KKK",
    "content[tool_use].input": "MMM",
    "content[tool_use].caller[*].**": "DDD",
    "content[tool_use].toolset_name": "DDD",
    "content[server_tool_use].id": "--- only joins it to its result",
    "content[server_tool_use].name": "DMM searches, pages that were read, and code",
    "content[server_tool_use].input": "DMM what was searched for, or read",
    "content[server_tool_use].caller[*].**": "DDD",
    "content[web_search_tool_result].tool_use_id": "--- only joins it to its call",
    "content[web_search_tool_result].caller[*].**": "DDD",
    "content[web_search_tool_result].content[web_search_result].url": "DDM",
    "content[web_search_tool_result].content[web_search_result].title": "DDK",
    "content[web_search_tool_result].content[web_search_result].page_age": "DDD",
    "content[web_search_tool_result].content[web_search_result].encrypted_content": "DDD",
    "content[web_search_tool_result].content[web_search_tool_result_error].error_code": "DDD",
    f"content[{_CODE}].tool_use_id": "DMD joins it to its call, or both are left out",
    f"content[{_CODE}].content[*].stdout": "DMM",
    f"content[{_CODE}].content[*].stderr": "DMM beside stdout",
    f"content[{_CODE}].content[*].return_code": "DDM whether it is 0",
    f"content[{_CODE}].content[*].error_code": "DMM",
    "content[mcp_tool_use].id": "DKD",
    "content[mcp_tool_use].name": "DKD",
    "content[mcp_tool_use].server_name": "DMD",
    "content[mcp_tool_use].input": "DMD",
    "content[mcp_tool_result].tool_use_id": "DMD joins it to its call, or both are left out",
    "content[mcp_tool_result].is_error": "DMD",
    "content[mcp_tool_result].content[text].text": "DMD",
    f"content[{_OWN_BLOCKS}].**": "DDD run by this provider only",
    # ---- counts
    "**.usage.input_tokens": "MMM what the cache took is counted here elsewhere",
    "**.usage.output_tokens": "MKM",
    "**.usage.cache_read_input_tokens": "MMM",
    "**.usage.cache_creation_input_tokens": "MMM",
    "usage.cache_creation.**": "--- the sum is beside it",
    "**.usage.output_tokens_details.thinking_tokens": "MMM",
    "**.usage.server_tool_use.**": "DDD",
    "**.usage.iterations[*].**": "--- the sum is beside it",
    "**.usage.fallback_credit.**": "DDD",
    "usage.inference_geo": "DDD",
    "usage.service_tier": "MMM",
    "usage.speed": "DDD",
    # ---- events
    "event[*].index": "--- only says which block the event is about",
    "event[message_start].message": "KKM its id and counts",
    "event[content_block_start].content_block": "MMM as in a whole answer",
    "event[content_block_delta].delta[text_delta].text": "MKK",
    "event[content_block_delta].delta[input_json_delta].partial_json": "MMM",
    "event[content_block_delta].delta[thinking_delta].thinking": "MMM",
    "event[content_block_delta].delta[thinking_delta].estimated_tokens": "DDD",
    "event[content_block_delta].delta[signature_delta].signature": "DMM",
    "event[content_block_delta].delta[compaction_delta].**": "DDD",
    "event.delta[citations_delta].citation[web_search_result_location].url": "KKM",
    "event.delta[citations_delta].citation[web_search_result_location].title": "KKK",
    "event.delta[citations_delta].citation[web_search_result_location].cited_text": "DDD",
    "event.delta[citations_delta].citation[web_search_result_location].encrypted_index": "DDD",
    f"event.delta[citations_delta].citation[{_PLACES}].**": "DDD documents of the request",
    # ---- errors
    "failure.error[*].message": "KKK",
    "failure.request_id": "DDD",
}

BEYOND: Final[dict[str, str]] = {}

MADE: Final = {
    "id": "random, where the upstream gave none",
    "model": "the name the client asked for",
    "content[thinking].signature": "a mark, where the reasoning has none",
    "**.citations[web_search_result_location].encrypted_index": "empty: there is none",
    "**.citations[web_search_result_location].cited_text": "the piece, empty where unknown",
    "content[server_tool_use].name": "web_search",
    "content[web_search_tool_result].content[web_search_result].encrypted_content": "empty",
    "**.usage.cache_creation_input_tokens": "0 where unknown",
    "**.usage.cache_read_input_tokens": "0 where unknown",
    "event[*].delta[*].citation[*].encrypted_index": "empty: there is none",
    "event[*].delta[*].citation[*].cited_text": "the piece, empty where unknown",
    "event[*].index": "counts blocks",
    "event[message_start].message": "as a whole answer in which nothing was said yet",
    "event[content_block_start].content_block": "as in a whole answer, still empty",
    "event[content_block_delta].delta[signature_delta].signature": (
        "a mark, where the reasoning has none"
    ),
}

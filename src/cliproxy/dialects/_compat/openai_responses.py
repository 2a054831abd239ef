"""Request fields of the Responses API."""

from __future__ import annotations

from typing import Final

_OWN_TOOLS: Final = (
    "file_search|computer|computer_use_preview|mcp|image_generation|tool_search|"
    "programmatic_tool_calling"
)
_OWN_ITEMS: Final = (
    "file_search_call|computer_call|computer_call_output|tool_search_call|tool_search_output|"
    "configuration_update|reasoning|compaction|compaction_trigger|image_generation_call|"
    "code_interpreter_call|local_shell_call|local_shell_call_output|shell_call|shell_call_output|"
    "apply_patch_call|apply_patch_call_output|mcp_list_tools|mcp_approval_request|"
    "mcp_approval_response|mcp_call|program|program_output|web_search_call"
)
_CLIENT_RUN: Final = "local_shell_call|shell_call|apply_patch_call"
_CLIENT_RUN_OUTPUTS: Final = "local_shell_call_output|shell_call_output|apply_patch_call_output"
_CALLS: Final = "function_call|custom_tool_call"
_RESULTS: Final = "function_call_output|custom_tool_call_output"

FIELDS: Final = {
    # ---- what is asked
    "model": "---- the router chooses the upstream's model",
    "input": "MKMM",
    "instructions": "MKMM",
    "stream": "KKK- Gemini streams by another URL",
    "stream_options.**": "DKDD",
    "background": "RRRR answers are not stored",
    "conversation.**": "RKRR kept by another provider",
    "previous_response_id": "RKRR kept by another provider",
    "prompt.**": "RKRR kept by another provider",
    "access_programs.**": "DKDD",
    "context_management.**": "DKDD",
    "image.**": "DKDD",
    "include": "DKDD",
    "max_output_tokens": "MKMM",
    "max_tool_calls": "DKDD",
    "moderation.**": "DKDD",
    "temperature": "KKKM",
    "top_p": "KKKM",
    "top_logprobs": "KKDM",
    "truncation": "DKDD",
    "reasoning": "MKMM",
    "reasoning.effort": "MKMM",
    "reasoning.summary": "-KMM chat has no switch for showing reasoning",
    "reasoning.generate_summary": "-MMM the old name of summary",
    "reasoning.mode": "DKDD",
    "reasoning.context": "DKDD",
    "text": "MKMM",
    "text.verbosity": "MKDD",
    "text.format": "MKMM",
    "text.format[text]": "-K-M text is the default",
    "text.format[json_object]": "MKDM",
    "text.format.name": "MK-- only a label",
    "text.format.description": "MKDD",
    "text.format.schema": "MKMM",
    "text.format.strict": "MK-- schemas are always enforced",
    # ---- about the request
    "metadata": "KKDD",
    "store": "KKDD false is what the others do anyway",
    "service_tier": "KKDD priority becomes speed for Anthropic; auto and default are carried",
    "safety_identifier": "KKMD",
    "user": "MKMD",
    "prompt_cache_key": "KKDD",
    "prompt_cache_options.**": "DKDD",
    "prompt_cache_retention": "DKDD",
    # ---- tools
    "parallel_tool_calls": "KKMD true is what Gemini does",
    "tool_choice": "KKMM",
    "tool_choice[function|custom].name": "MKMM",
    "tool_choice[allowed_tools].mode": "MKMM",
    "tool_choice[allowed_tools].tools.**": "MKMM",
    "tool_choice[mcp].name": "DKDD the tool itself cannot be declared elsewhere",
    "tool_choice[mcp].server_label": "DKDD the tool itself cannot be declared elsewhere",
    "tools": "KKKK",
    "**.tools[function|custom].name": "MKMM",
    "**.tools[function|custom].description": "MKMM",
    "**.tools[function].parameters": "MKMM",
    "**.tools[function].strict": "MKMD",
    "**.tools[function].output_schema": "DKDD",
    "**.tools[function|custom].async": "DKDD",
    "**.tools[function|custom].allowed_callers": "DKDD",
    "**.tools[function|custom].defer_loading": "DKDD",
    "**.tools[custom].format.**": "MKMM elsewhere only described to the model; reported",
    "**.tools[namespace].name": "MMMM becomes a prefix of its tools' names",
    "**.tools[namespace].description": "DDDD namespaces are flattened",
    "**.tools[namespace].tools": "MMMM",
    "**.tools[web_search*].external_web_access": "DKDD",
    "**.tools[web_search*].search_content_types": "DKDD",
    "**.tools[web_search*].filters.allowed_domains": "DKMD",
    "**.tools[web_search*].search_context_size": "MKDD",
    "**.tools[web_search*].user_location.**": "MKMD",
    "**.tools[code_interpreter].**": "DKDD Gemini's counterpart has no settings",
    "**.tools[local_shell|shell|apply_patch].**": "DKDD the tool itself becomes a function",
    f"**.tools[{_OWN_TOOLS}].**": "DKDD run by this provider only",
    # ---- items
    f"input[{_OWN_ITEMS}].**": "DKDD understood by this provider only",
    "input[code_interpreter_call].id": "DKM- only Claude's have ids",
    "input[code_interpreter_call].code": "DKMM",
    "input[code_interpreter_call].outputs[logs].logs": "DKMM",
    "input[code_interpreter_call].status": "DK-- the outputs say it",
    "input[code_interpreter_call].container_id": "DK-- understood by this provider only",
    **{
        f"input[{_CLIENT_RUN}|{_CLIENT_RUN_OUTPUTS}].{name}": "-K-- only names the item"
        for name in ("id", "status")
    },
    f"input[{_CLIENT_RUN}].call_id": "MKMM",
    f"input[{_CLIENT_RUN_OUTPUTS}].call_id": "MKMM",
    "input[local_shell_call].action.**": "MKMM as a call of a function",
    "input[shell_call].action.**": "MKMM as a call of a function",
    "input[shell_call].environment.**": "-K-- where it ran says nothing of what came of it",
    "input[apply_patch_call].operation.**": "MKMM as a call of a function",
    "input[local_shell_call_output].output": "MKMM",
    "input[shell_call_output].output.**": "MKMM as text",
    "input[shell_call_output].max_output_length": "-K-- the output is there",
    "input[apply_patch_call_output].output": "MKMM",
    "input[apply_patch_call_output].status": "-KMM chat has no flag for failure",
    "input[image_generation_call].result": "DKDM only Gemini takes pictures of its own back",
    "input[mcp_call].id": "DKMD",
    "input[mcp_call].name": "DKMD",
    "input[mcp_call].server_label": "DKMD",
    "input[mcp_call].arguments": "DKMD",
    "input[mcp_call].output": "DKMD",
    "input[reasoning].status": "D-DD says nothing of a finished item",
    "input[item_reference].id": "RKRR kept by another provider",
    "input[additional_tools].tools": "MKMM join the tools of the request",
    "input[additional_tools].id": "-K-- only names the item",
    "input[message].content": "MKMM",
    "input[message].id": "-K-- only names the item",
    "input[message].status": "---- says nothing of a finished item",
    "input[message].phase": "DKDD",
    "input[message].content[input_text|output_text].text": "MKMM",
    "input[message].content[refusal].refusal": "MKMM",
    "input[message].content[output_text].annotations.**": "DKDD",
    "input[message].content[output_text].logprobs.**": "DKDD",
    f"input[{_CALLS}].id": "-K-- only names the item",
    f"input[{_CALLS}].call_id": "MKMM",
    f"input[{_CALLS}].name": "MKMM",
    f"input[{_CALLS}].namespace": "MMMM becomes a prefix of the name",
    "input[function_call].arguments": "MKMM",
    "input[custom_tool_call].input": "MKMM",
    "input[function_call].status": "---- says nothing of a finished item",
    f"input[{_CALLS}|{_RESULTS}].caller.**": "DKDD",
    f"input[{_CALLS}].async": "DKDD",
    f"input[{_RESULTS}].id": "---- only names the item",
    f"input[{_RESULTS}].call_id": "MKMM",
    "input[function_call_output].name": "-K-- the call has it",
    "input[function_call_output].namespace": "---- the call has it",
    "input[function_call_output].status": "---- says nothing of a finished item",
    f"input[{_RESULTS}].output": "MKMM",
    f"input[{_RESULTS}].output[input_text].text": "MKMM",
    # ---- pictures and files, in messages and in results
    "**.content[input_image].image_url": "MKMM",
    "**.content[input_image].file_id": "DKDD",
    "**.content[input_image].detail": "MKDD auto is the default everywhere",
    "**.content[input_file].file_data": "MKMM",
    "**.content[input_file].file_url": "MKMM chat gets the address as text; reported",
    "**.content[input_file].file_id": "MKDD",
    "**.content[input_file].filename": "MKMD",
    "**.content[input_file].detail": "DKDD",
    f"input[{_RESULTS}].output[input_image].**": "MKMM",
    f"input[{_RESULTS}].output[input_file].**": "MKMM",
    "**.prompt_cache_breakpoint.mode": "D--D explicit is its only value",
    "**.prompt_cache_breakpoint.ttl": "DKMD",
}

BEYOND: Final[dict[str, str]] = {}

"""What becomes of a request field where the upstream speaks the Interactions API.

Only what differs from the rule is here. The rule is that what the Gemini API takes goes out; for
clients of the Gemini API itself, that what no other API takes does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "openai-chat": {
        "frequency_penalty": "D",
        "presence_penalty": "D",
        "n": "D",
        "logprobs": "D",
        "top_logprobs": "D",
        "top_k": "D",
        "store": "K",
        "stream": "K",
    },
    "openai-responses": {
        "store": "K",
        "stream": "K",
        "top_logprobs": "D",
        "input[mcp_call].id": "M",
        "input[mcp_call].name": "M",
        "input[mcp_call].server_label": "M",
        "input[mcp_call].arguments": "M",
        "input[code_interpreter_call].id": "M",
    },
    "anthropic": {
        "stream": "K",
        "top_k": "D",
        "messages.content[mcp_tool_use].id": "M",
        "messages.content[mcp_tool_use].name": "M",
        "messages.content[mcp_tool_use].server_name": "M",
        "messages.content[mcp_tool_use].input": "M",
        "messages.content[mcp_tool_result].is_error": "- interactions have no mark, only the words",
        "messages.content[mcp_tool_result].content[text].text": "M",
    },
    "gemini": {
        "generationConfig.topK": "D",
        "generationConfig.candidateCount": "D",
        "generationConfig.responseLogprobs": "D",
        "generationConfig.logprobs": "D",
        "generationConfig.presencePenalty": "D",
        "generationConfig.frequencyPenalty": "D",
        "tools.googleSearch.excludeDomains": "D",
        "contents.parts.inlineData.displayName": "D",
        "contents.parts.fileData.displayName": "D",
        "contents.parts.executableCode.language": "-",
        "contents.parts.thoughtSignature": "M interactions have no place for one of a text",
        "labels": "K",
        "serviceTier": "M",
        "safetySettings.**": "M",
    },
}
"""A letter and perhaps a note, by source and by the path of the source's own row."""

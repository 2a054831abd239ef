"""Answer fields of the chat completions API: whole, `chunk` of a stream, `failure` of a status."""

from __future__ import annotations

from typing import Final

_LAST: Final = "Responses clients: of the text that ends the answer"

FIELDS: Final = {
    # ---- the answer
    "id": "KKM with the prefix of the client's dialect",
    "object": "O-- fixed by the dialect",
    "created": "MDD",
    "model": "OOO the name the client asked for",
    "metadata": "ODD what the request said",
    "service_tier": "KMM",
    "system_fingerprint": "DDD",
    "moderation.**": "DDD",
    # ---- what was said
    "**.choices.index": "--K only Gemini clients can ask for several",
    "**.choices.finish_reason": "MMM",
    "**.logprobs.content.token": f"KDK {_LAST}",
    "**.logprobs.content.bytes": f"KDD {_LAST}",
    "**.logprobs.content.logprob": f"KDM {_LAST}",
    "**.logprobs.content.top_logprobs.token": f"KDK {_LAST}",
    "**.logprobs.content.top_logprobs.bytes": f"KDD {_LAST}",
    "**.logprobs.content.top_logprobs.logprob": f"KDM {_LAST}",
    "**.logprobs.refusal.**": "DDD",
    "**.content": "MMM",
    "**.refusal": "KMM as text where the dialect has no refusals",
    "**.annotations[url_citation].url_citation.url": "KKM",
    "**.annotations[url_citation].url_citation.title": "KKK",
    "**.annotations[url_citation].url_citation.start_index": "KMM",
    "**.annotations[url_citation].url_citation.end_index": "KMM",
    "**.audio.data": "DDK",
    "**.audio.transcript": "MMM as text",
    "**.audio.id": "DDD",
    "**.audio.expires_at": "DDD",
    "**.function_call.name": "KKK the old form of tool_calls",
    "**.function_call.arguments": "KMM the old form of tool_calls",
    "**.tool_calls.id": "MKK",
    "**.tool_calls.function.name": "KKK",
    "**.tool_calls.function.arguments": "KMM",
    "**.tool_calls.custom.name": "KKK",
    "**.tool_calls.custom.input": "KKK",
    "chunk.choices.delta.tool_calls.index": "--- only orders the pieces",
    # ---- counts
    "**.usage.prompt_tokens": "MMM",
    "**.usage.completion_tokens": "MMM",
    "**.usage.total_tokens": "O-O the sum of the other two",
    "**.usage.prompt_tokens_details.cached_tokens": "KMM",
    "**.usage.prompt_tokens_details.cache_write_tokens": "KM- counted as input",
    "**.usage.prompt_tokens_details.audio_tokens": "--- counted as input",
    "**.usage.prompt_tokens_details.image_tokens": "--- counted as input",
    "**.usage.prompt_tokens_details.text_tokens": "--- counted as input",
    "**.usage.completion_tokens_details.reasoning_tokens": "KMM",
    "**.usage.completion_tokens_details.audio_tokens": "--- counted as output",
    "**.usage.completion_tokens_details.text_tokens": "--- counted as output",
    "**.usage.completion_tokens_details.accepted_prediction_tokens": "--- counted as output",
    "**.usage.completion_tokens_details.rejected_prediction_tokens": "--- counted as output",
    # ---- pieces of a stream: what they have of their own
    "chunk.id": "KKM of the first piece",
    "chunk.object": "--- fixed by the dialect",
    "chunk.created": "MDD of the first piece",
    "chunk.model": "OOO the name the client asked for",
    "chunk.moderation.**": "DDD",
    "chunk.service_tier": "KMM of the first piece",
    "chunk.system_fingerprint": "DDD",
    "chunk.obfuscation": "--- padding",
    # ---- errors
    "failure.error.message": "KKK",
    "failure.error.type": "KOO the status decides",
    "failure.error.code": "KDD",
    "failure.error.param": "KDD",
    "failure.error.misalignment.**": "KDD",
}

BEYOND: Final = {
    "**.reasoning_content": "MMM",
    "**.images.image_url.url": "MDM",
    "**.tool_calls.extra_content.google.thought_signature": "MMM",
}

MADE: Final = {
    "**.id": "random, where the upstream gave none",
    "**.object": "fixed",
    "**.created": "the time, where the upstream gave none",
    "**.model": "the name the client asked for",
    "**.choices.index": "0 where there is only one",
    "**.url_citation.start_index": "all of the text, where a source belongs to no part of it",
    "**.url_citation.end_index": "all of the text, where a source belongs to no part of it",
    "**.url_citation.title": "empty where there is none",
    "**.usage.total_tokens": "the sum of the other two",
    "chunk.choices.delta.content": "empty in the first piece",
    "chunk.choices.delta.tool_calls.index": "counts the calls",
    "chunk.choices.delta.tool_calls.function.arguments": "empty in the first piece of a call",
}

"""Answer fields of generateContent, whole or one piece of a stream; `failure` of a status."""

from __future__ import annotations

from typing import Final

_FOREIGN: Final = "DDD run by this provider only"

_LAST: Final = "Responses clients: of the text that ends the answer"

FIELDS: Final = {
    # ---- the answer
    "responseId": "MMM with the prefix of the client's dialect",
    "modelVersion": "OOO the name the client asked for",
    "createTime": "DDD",
    "modelStatus.**": "DDD",
    "promptFeedback.blockReason": "MMM the answer ends with its content filtered",
    "promptFeedback.blockReasonMessage": "DDD",
    "promptFeedback.safetyRatings.**": "DDD",
    "parsed": "--- made by the SDK",
    "sdkHttpResponse.**": "--- made by the SDK",
    "automaticFunctionCallingHistory.**": "--- made by the SDK",
    # ---- candidates
    "candidates.index": "K-- only chat clients can ask for several",
    "candidates.finishReason": "MMM",
    "candidates.finishMessage": "DDD told where there is nothing but a broken call",
    "candidates.avgLogprobs": "DDD",
    "candidates.logprobsResult.chosenCandidates.token": f"KKD {_LAST}",
    "candidates.logprobsResult.chosenCandidates.logProbability": f"MMD {_LAST}",
    "candidates.logprobsResult.topCandidates.candidates.token": f"KKD {_LAST}",
    "candidates.logprobsResult.topCandidates.candidates.logProbability": f"MMD {_LAST}",
    "candidates.logprobsResult.chosenCandidates.tokenId": "DDD",
    "candidates.logprobsResult.topCandidates.candidates.tokenId": "DDD",
    "candidates.logprobsResult.logProbabilitySum": "DDD",
    "candidates.safetyRatings.**": "DDD",
    "candidates.citationMetadata.**": "DDD",
    "candidates.continuationToken": "DDD",
    "candidates.tokenCount": "--- usageMetadata has it",
    "candidates.urlContextMetadata.**": "DMM pages that could be read",
    "candidates.groundingMetadata.**": "DDD",
    "candidates.groundingMetadata.webSearchQueries": "DMM the first",
    "candidates.groundingMetadata.groundingChunks.web.uri": "MMM uncited ones only for Anthropic",
    "candidates.groundingMetadata.groundingChunks.web.title": "KKK uncited ones only for Anthropic",
    "candidates.groundingMetadata.groundingChunks.web.domain": "DDD",
    "candidates.groundingMetadata.groundingSupports.segment.startIndex": "MMM",
    "candidates.groundingMetadata.groundingSupports.segment.endIndex": "MMM",
    "candidates.groundingMetadata.groundingSupports.segment.text": "--- startIndex says it",
    "candidates.groundingMetadata.groundingSupports.groundingChunkIndices": "MMM",
    # ---- parts
    "candidates.content.role": "O-O fixed by the dialect",
    "candidates.content.parts.**": "DDD",
    "candidates.content.parts.text": "MKK thoughts as reasoning",
    "candidates.content.parts.thought": "MMM reasoning instead of text",
    "candidates.content.parts.thoughtSignature": "MMM chat has a place for those of calls only",
    "candidates.content.parts.inlineData.data": "MMD a Responses client gets pictures only",
    "candidates.content.parts.inlineData.mimeType": "MMD",
    "candidates.content.parts.inlineData.displayName": "DDD",
    "candidates.content.parts.functionCall.id": "KMK",
    "candidates.content.parts.functionCall.name": "KKK",
    "candidates.content.parts.functionCall.args": "MMM",
    "candidates.content.parts.functionCall.partialArgs.**": "MMM put together",
    "candidates.content.parts.functionCall.partialArgs.nullValue": "--- is null in any case",
    "candidates.content.parts.functionCall.partialArgs.willContinue": "--- the call's own says it",
    "candidates.content.parts.functionCall.willContinue": "--- arguments are put together",
    "candidates.content.parts.executableCode.code": "DKK",
    "candidates.content.parts.executableCode.id": "DKK",
    "candidates.content.parts.executableCode.language": "DDD",
    "candidates.content.parts.codeExecutionResult.output": "DMM",
    "candidates.content.parts.codeExecutionResult.outcome": "DDM",
    "candidates.content.parts.codeExecutionResult.id": "DDD",
    "candidates.content.parts.toolCall.**": _FOREIGN,
    "candidates.content.parts.toolResponse.**": _FOREIGN,
    # ---- counts
    "usageMetadata.promptTokenCount": "MMM",
    "usageMetadata.candidatesTokenCount": "MMM",
    "usageMetadata.thoughtsTokenCount": "MMM",
    "usageMetadata.cachedContentTokenCount": "MMM",
    "usageMetadata.toolUsePromptTokenCount": "MMM counted as input",
    "usageMetadata.totalTokenCount": "OO- the sum of the other two",
    "usageMetadata.promptTokensDetails.**": "DDD",
    "usageMetadata.candidatesTokensDetails.**": "DDD",
    "usageMetadata.cacheTokensDetails.**": "DDD",
    "usageMetadata.toolUsePromptTokensDetails.**": "DDD",
    "usageMetadata.trafficType": "MMM of its tiers only standard, priority and flex",
    # ---- errors
    "failure.error.message": "KKK",
    "failure.error.code": "--- is the status",
    "failure.error.status": "OOO the status code decides",
    "failure.error.details": "MMD a reason in it is the code",
}

BEYOND: Final[dict[str, str]] = {}

MADE: Final = {
    "responseId": "random, where the upstream gave none",
    "modelVersion": "the name the client asked for",
    "candidates.index": "0 where there is only one",
    "candidates.content.parts.text": "empty in the last piece",
    "candidates.content.parts.thought": "true for reasoning",
    "candidates.content.parts.thoughtSignature": (
        "a mark on the first call, where it has no signature"
    ),
    "candidates.groundingMetadata.groundingSupports.segment.startIndex": "where its text begins",
    "candidates.groundingMetadata.groundingSupports.segment.endIndex": "where its text ends",
    "candidates.groundingMetadata.groundingSupports.groundingChunkIndices": "counts the pages",
    "usageMetadata.totalTokenCount": "the sum of the other counts",
}

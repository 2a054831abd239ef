"""Request fields of generateContent."""

from __future__ import annotations

from typing import Final

_PARTS: Final = "contents.parts"

FIELDS: Final = {
    # ---- what is asked
    "contents": "MMMK",
    "systemInstruction": "MMMK",
    "systemInstruction.parts.text": "MMMK",
    "cachedContent": "DDDK",
    "safetySettings.**": "DDDK",
    "modelArmorConfig.**": "DDDK",
    "labels": "DDDK",
    "serviceTier": "DDDK",
    "store": "DDDK",
    # ---- generationConfig
    "generationConfig.temperature": "MMMK above 1 it is clamped for Anthropic",
    "generationConfig.topP": "MMMK",
    "generationConfig.topK": "DDMK",
    "generationConfig.candidateCount": "MDDK",
    "generationConfig.maxOutputTokens": "MMMK",
    "generationConfig.stopSequences": "MDMK",
    "generationConfig.seed": "MDDK",
    "generationConfig.presencePenalty": "MDDK",
    "generationConfig.frequencyPenalty": "MDDK",
    "generationConfig.responseLogprobs": "AMDK asked for, but not part of the answer",
    "generationConfig.logprobs": "MMDK",
    "generationConfig.responseMimeType": "MMDK plain text is the default",
    "generationConfig.responseSchema": "MMMK",
    "generationConfig.responseJsonSchema": "MMMK",
    "generationConfig.responseModalities": "MDDK text is always possible",
    "generationConfig.thinkingConfig.includeThoughts": "-MMK chat has no switch for showing it",
    "generationConfig.thinkingConfig.thinkingBudget": "MMMK as the nearest level for OpenAI",
    "generationConfig.thinkingConfig.thinkingLevel": "MMMK",
    "generationConfig.thinkingConfig": "MMMK",
    **{
        f"generationConfig.{name}.**": "DDDK"
        for name in (
            "audioTimestamp",
            "audioTranscriptionConfig",
            "automaticContinuation",
            "continuationToken",
            "enableAffectiveDialog",
            "enableEnhancedCivicAnswers",
            "generationOutputConfig",
            "imageConfig",
            "mediaResolution",
            "modelSelectionConfig",
            "responseFormat",
            "routingConfig",
            "speechConfig",
            "translationConfig",
        )
    },
    # ---- tools
    "tools": "KKKK",
    "tools.functionDeclarations": "MMMK",
    "tools.functionDeclarations.name": "MMMK",
    "tools.functionDeclarations.description": "MMMK",
    "tools.functionDeclarations.parameters.**": "MMMK",
    "tools.functionDeclarations.parametersJsonSchema": "MMMK",
    "tools.functionDeclarations.response.**": "DDDK",
    "tools.functionDeclarations.responseJsonSchema": "DDDK",
    "tools.functionDeclarations.behavior": "DDDK",
    "tools.googleSearch": "MMMK",
    "tools.googleSearch.**": "DDDK",
    "tools.googleSearch.excludeDomains": "DDAK",
    "tools.googleSearchRetrieval": "MMMK",
    "tools.googleSearchRetrieval.**": "DDDK",
    "tools.codeExecution": "DMMK",
    "tools.urlContext": "DDMK",
    **{
        f"tools.{name}.**": "DDDK run by this provider only"
        for name in (
            "computerUse",
            "enterpriseWebSearch",
            "exaAiSearch",
            "fileSearch",
            "googleMaps",
            "mcpServers",
            "parallelAiSearch",
            "retrieval",
        )
    },
    "toolConfig": "AAAK",
    "toolConfig.functionCallingConfig.mode": "MMMK",
    "toolConfig.functionCallingConfig.allowedFunctionNames": "MMMK",
    "toolConfig.functionCallingConfig.streamFunctionCallArguments": "DDDK",
    "toolConfig.retrievalConfig.**": "DDDK",
    "toolConfig.includeServerSideToolInvocations": "DDDK",
    # ---- parts
    f"{_PARTS}.text": "MMMK unsigned and foreign thoughts are dropped elsewhere",
    f"{_PARTS}.thought": "AAAK unsigned reasoning is not replayed elsewhere",
    f"{_PARTS}.thoughtSignature": "DDDK",
    f"{_PARTS}.inlineData.data": "MMMK video and, for Anthropic, sound are dropped",
    f"{_PARTS}.inlineData.mimeType": "MMMK what the bytes of a picture say goes first",
    f"{_PARTS}.inlineData.displayName": "MMMK the name of a document; dropped for other media",
    f"{_PARTS}.fileData.fileUri": "MMMK dropped where the target cannot fetch it",
    f"{_PARTS}.fileData.mimeType": "MMMK tells a picture from a document",
    f"{_PARTS}.fileData.displayName": "MDMK",
    f"{_PARTS}.functionCall.id": "MMMK",
    f"{_PARTS}.functionCall.name": "MMMK",
    f"{_PARTS}.functionCall.args": "MMMK",
    f"{_PARTS}.functionCall.partialArgs.**": "DDDK",
    f"{_PARTS}.functionCall.willContinue": "DDDK",
    f"{_PARTS}.functionResponse.id": "MMMK",
    f"{_PARTS}.functionResponse.name": "---K the call has it",
    f"{_PARTS}.functionResponse.response": "MMMK",
    f"{_PARTS}.functionResponse.parts.**": "MMMK pictures and documents as in contents",
    f"{_PARTS}.functionResponse.scheduling": "DDDK",
    f"{_PARTS}.functionResponse.willContinue": "DDDK",
    f"{_PARTS}.executableCode.code": "DMMK",
    f"{_PARTS}.executableCode.language": "D--K Python is the only one",
    f"{_PARTS}.codeExecutionResult.output": "DMMK",
    f"{_PARTS}.codeExecutionResult.outcome": "D-MK the Responses API tells only the output",
    f"{_PARTS}.executableCode.id": "D--K only joins code and result",
    f"{_PARTS}.codeExecutionResult.id": "D--K only joins code and result",
    **{
        f"{_PARTS}.{name}.**": "DDDK"
        for name in (
            "audioMetadata",
            "audioTranscription",
            "documentMetadata",
            "mediaProcessing",
            "mediaResolution",
            "partMetadata",
            "speechMetadata",
            "spreadsheetMetadata",
            "toolCall",
            "toolResponse",
            "videoMetadata",
        )
    },
    "systemInstruction.parts.**": "---K instructions are text",
}

BEYOND: Final[dict[str, str]] = {}

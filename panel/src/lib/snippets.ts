/** What points each client here. */

export type ClientId =
  | "claude-code" | "codex" | "gemini-cli" | "opencode" | "qwen-code" | "cursor" | "cline" | "continue" | "aider" | "zed"
  | "openai-py" | "openai-js" | "anthropic-py" | "google-py" | "curl";
export type What = "shell" | "file" | "settings" | "run" | "code";
export interface Part { what: What; file?: string; text: string }
export type NoteName = "cursor" | "models";
export interface Client { id: ClientId; name: string; note?: NoteName; parts: (base: string, key: string, model: string) => Part[] }

export const CLIENTS: readonly Client[] = [
  {
    id: "claude-code", name: "Claude Code",
    parts: (base, key, model) => [
      { what: "shell", text: `export ANTHROPIC_BASE_URL=${base}\nexport ANTHROPIC_AUTH_TOKEN=${key}\nexport ANTHROPIC_MODEL=${model}\nexport ANTHROPIC_SMALL_FAST_MODEL=${model}\nclaude` },
      { what: "file", file: "~/.claude/settings.json", text: JSON.stringify({ env: { ANTHROPIC_BASE_URL: base, ANTHROPIC_AUTH_TOKEN: key, ANTHROPIC_MODEL: model, ANTHROPIC_SMALL_FAST_MODEL: model } }, null, 2) },
    ],
  },
  {
    id: "codex", name: "Codex CLI",
    parts: (base, key, model) => [
      { what: "file", file: "~/.codex/config.toml", text: `model = "${model}"\nmodel_provider = "cliproxy"\n\n[model_providers.cliproxy]\nname = "cliproxy"\nbase_url = "${base}/v1"\nenv_key = "CLIPROXY_KEY"\nwire_api = "responses"\nsupports_websockets = false` },
      { what: "run", text: `CLIPROXY_KEY=${key} codex` },
    ],
  },
  { id: "gemini-cli", name: "Gemini CLI", parts: (base, key, model) => [{ what: "shell", text: `export GOOGLE_GEMINI_BASE_URL=${base}\nexport GEMINI_API_KEY=${key}\ngemini -m ${model}` }] },
  {
    id: "opencode", name: "opencode",
    parts: (base, key, model) => [
      { what: "file", file: "opencode.json", text: JSON.stringify({ provider: { cliproxy: { npm: "@ai-sdk/openai-compatible", options: { baseURL: `${base}/v1`, apiKey: key }, models: { [model]: {} } } } }, null, 2) },
      { what: "run", text: `opencode run -m "cliproxy/${model}" "Hello"` },
    ],
  },
  { id: "qwen-code", name: "Qwen Code", parts: (base, key, model) => [{ what: "shell", text: `export OPENAI_BASE_URL=${base}/v1\nexport OPENAI_API_KEY=${key}\nexport OPENAI_MODEL=${model}\nqwen` }] },
  { id: "cursor", name: "Cursor", note: "cursor", parts: (base, key, model) => [{ what: "settings", file: "Settings → Models → OpenAI API Key", text: `OpenAI API Key:           ${key}\nOverride OpenAI Base URL: ${base}/v1\nCustom model:             ${model}` }] },
  { id: "cline", name: "Cline / Roo Code", parts: (base, key, model) => [{ what: "settings", file: "API Provider: OpenAI Compatible", text: `Base URL: ${base}/v1\nAPI Key:  ${key}\nModel ID: ${model}` }] },
  { id: "continue", name: "Continue", parts: (base, key, model) => [{ what: "file", file: "~/.continue/config.yaml", text: `name: cliproxy\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: ${model}\n    provider: openai\n    model: ${model}\n    apiBase: ${base}/v1\n    apiKey: ${key}\n    roles: [chat, edit, apply]` }] },
  { id: "zed", name: "Zed", parts: (base, key, model) => [
    { what: "file", file: "settings.json", text: JSON.stringify({ language_models: { openai_compatible: { cliproxy: { api_url: `${base}/v1`, available_models: [{ name: model, max_tokens: 128000 }] } } } }, null, 2) },
    { what: "run", text: `CLIPROXY_API_KEY=${key} zed` },
  ] },
  { id: "aider", name: "aider", parts: (base, key, model) => [{ what: "shell", text: `aider --openai-api-base ${base}/v1 --openai-api-key ${key} --model openai/${model}` }] },
  { id: "openai-py", name: "OpenAI SDK · Python", note: "models", parts: (base, key, model) => [{ what: "code", text: `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="${key}")\nanswer = client.chat.completions.create(\n    model="${model}",\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.choices[0].message.content)` }] },
  { id: "openai-js", name: "OpenAI SDK · JavaScript", note: "models", parts: (base, key, model) => [{ what: "code", text: `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}/v1", apiKey: "${key}" });\nconst answer = await client.chat.completions.create({\n  model: "${model}",\n  messages: [{ role: "user", content: "Hello" }],\n});\nconsole.log(answer.choices[0].message.content);` }] },
  { id: "anthropic-py", name: "Anthropic SDK · Python", note: "models", parts: (base, key, model) => [{ what: "code", text: `from anthropic import Anthropic\n\nclient = Anthropic(base_url="${base}", api_key="${key}")\nanswer = client.messages.create(\n    model="${model}",\n    max_tokens=200,\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.content[0].text)` }] },
  { id: "google-py", name: "Google GenAI SDK · Python", note: "models", parts: (base, key, model) => [{ what: "code", text: `from google import genai\n\nclient = genai.Client(api_key="${key}", http_options={"base_url": "${base}"})\nanswer = client.models.generate_content(model="${model}", contents="Hello")\nprint(answer.text)` }] },
  { id: "curl", name: "curl", note: "models", parts: (base, key, model) => [{ what: "shell", text: `curl ${base}/v1/chat/completions \\\n  -H 'Authorization: Bearer ${key}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'` }] },
];

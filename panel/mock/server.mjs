// A stand-in for a running cliproxy, for work on the panel only: made-up accounts and requests.
// `node mock/server.mjs [port] [--empty]`; the key is "mock". It also serves the built panel.
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const port = Number(process.argv[2] ?? 8317);
const bare = process.argv.includes("--empty");
const dist = new URL("../../src/cliproxy/panel_dist/", import.meta.url).pathname;
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const now = () => Date.now() / 1000;
let seed = 7;
const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const pick = (list) => list[Math.floor(chance() * list.length)];
const buckets = (scale, bad = 0) => Array.from({ length: 20 }, (_, n) => ({ time: `${String(8 + Math.floor(n / 6)).padStart(2, "0")}:${(n % 6) * 10}`, success: Math.floor(chance() * scale), failed: chance() < bad ? Math.ceil(chance() * scale / 4) : 0 }));

const file = (name, provider, more = {}) => ({
  id: name, auth_index: createHash("sha256").update(name).digest("hex").slice(0, 16), name, type: provider, provider, label: more.email ?? name,
  status: "active", status_message: "", disabled: false, unavailable: false, runtime_only: false, source: "file", size: 1800,
  success: 412, failed: 3, recent_requests: buckets(18, 0.15), last_refresh: new Date(Date.now() - 2400e3).toISOString(), cooldowns: [], state: "ok", problem: "", linked: false, ...more,
});
const state = {
  files: bare ? [] : [
    file("claude-mira@example.com.json", "claude", { email: "mira@example.com", plan: "max", priority: 10 }),
    file("codex-work@example.com-team.json", "codex", { email: "work@example.com", id_token: { plan_type: "team" }, note: "shared with the build machine", cooldowns: [{ account: "codex-work", label: "work@example.com", model: "gpt-5.4", state: "cooling", reason: "rate_limit", source: "header", until: now() + 4210 }] }),
    file("gemini-lin@example.com-lab-3317.json", "gemini", { email: "lin@example.com", project_id: "lab-3317", prefix: "lab", success: 0, failed: 0, recent_requests: buckets(0) }),
    file("qwen-1763.json", "qwen", { email: "", label: "qwen-1763.json", status: "error", state: "needs_login", problem: "The refresh token was revoked. Log in again.", status_message: "The refresh token was revoked. Log in again.", unavailable: true }),
    file("antigravity-lin@example.com.json", "antigravity", { email: "lin@example.com", status: "disabled", state: "disabled", disabled: true, status_message: "disabled via management API" }),
  ],
  lists: bare ? {} : {
    "claude-api-key": [{ "api-key": "sk-ant-api03-mock-0000000000000000", name: "team-billing", "base-url": "", weight: 2, models: [], "auth-index": "aa01" }],
    "gemini-api-key": [{ "api-key": "AIzaSyMock0000000000000000000000", "base-url": "", "excluded-models": ["gemini-2.5-*"], "auth-index": "aa02" }],
    "openai-compatibility": [{ name: "openrouter", "base-url": "https://openrouter.ai/api/v1", disabled: false, "api-key-entries": [{ "api-key": "sk-or-mock-1", "auth-index": "aa03" }, { "api-key": "sk-or-mock-2", "auth-index": "aa04" }], models: [{ name: "moonshotai/kimi-k2", alias: "kimi" }] }],
  },
  keys: bare ? [] : ["sk-9f31c2aa07d84e6bb1cc", "sk-laptop-77aa01b2c3"],
  yaml: `# cliproxy\nhost: "127.0.0.1"\nport: 8317\n\napi-keys:\n  - "sk-9f31c2aa07d84e6bb1cc"   # laptop\n  - sk-laptop-77aa01b2c3\n\n# How accounts take turns.\nrouting:\n  strategy: round-robin   # or fill-first\n  session-affinity: true\n\nrequest-retry: 2\nlogging-to-file: true\nproxy-url: "socks5://user:secret@10.0.0.2:1080"\n\nclaude-api-key:\n  - api-key: "sk-ant-api03-mock-0000000000000000"\n    name: team-billing\n    weight: 2\n`,
  logins: new Map(),
  requests: [],
};
const MODELS = [
  ["claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "anthropic", 200000, [["claude", "mira@example.com"], ["claude", "team-billing"]]],
  ["claude-opus-4-5-20251101", "Claude Opus 4.5", "anthropic", 200000, [["claude", "mira@example.com"]]],
  ["gpt-5.4", "GPT-5.4", "openai", 400000, [["codex", "work@example.com"]]],
  ["gpt-5.4-mini", "GPT-5.4 mini", "openai", 400000, [["codex", "work@example.com"]]],
  ["gemini-3-pro", "Gemini 3 Pro", "google", 1048576, [["gemini", "AIza…0000"], ["gemini-cli", "lin@example.com"]]],
  ["lab/gemini-3-pro", "Gemini 3 Pro", "google", 1048576, [["gemini-cli", "lin@example.com"]]],
  ["kimi", "Kimi K2", "moonshotai", 262144, [["openai-compatible-openrouter", "openrouter"], ["openai-compatible-openrouter", "openrouter 2"]]],
];
const models = () => (bare ? [["local/smollm2", "SmolLM2 135M", "local", 8192, [["local", "local"]]]] : MODELS).map(([id, display_name, owned_by, context_length, accounts]) => ({ id, display_name, owned_by, context_length, created: 0, max_output: 0, accounts: accounts.map(([provider, label]) => ({ id: `${provider}:${label}`, label, provider, model: id })) }));

const accounts = () => [
  ...state.files.map((f) => ({ id: `${f.provider}:${f.name}`, provider: f.provider === "gemini" ? "gemini-cli" : f.provider, label: f.label, kind: "oauth", base_url: "", prefix: "", priority: 0, weight: 1, auth_index: f.auth_index, file: f.name, state: f.state, problem: f.problem, disabled: f.disabled, cooldown: f.cooldowns[0] ? { reason: f.cooldowns[0].reason, until: f.cooldowns[0].until } : null, expires: now() + 3000, project: f.project_id ?? "", running: 0, success: f.success, failed: f.failed, recent_requests: f.recent_requests })),
  ...[["claude", "aa01"], ["gemini", "aa02"], ["openai-compatible-openrouter", "aa03"], ["openai-compatible-openrouter", "aa04"]].map(([provider, auth_index]) => ({ id: `${provider}:apikey:${auth_index}`, provider, label: provider, kind: "key", state: "ok", problem: "", disabled: false, cooldown: null, expires: null, project: "", base_url: "", prefix: "", priority: 0, weight: 1, auth_index, file: "", running: 1, success: 88, failed: 2, recent_requests: buckets(9, 0.1) })),
];

function request(at) {
  const model = pick(MODELS);
  const dialect = pick(["anthropic", "openai-chat", "openai-responses", "gemini"]);
  const good = chance() > 0.12;
  const seconds = 0.4 + chance() * 14;
  const native = { anthropic: "anthropic", openai: "openai-responses", google: "gemini" }[model[2]] ?? "openai-chat";
  const fidelity = native === dialect ? "verbatim" : chance() > 0.35 ? "exact" : "lossy";
  const losses = fidelity === "lossy" ? [{ field: "logit_bias", reason: "this upstream has no such setting", severity: "warn", action: "dropped" }, { field: "messages[3].content[1]", reason: "audio is sent as its transcript", severity: "warn", action: "approximated" }] : [];
  const attempts = [];
  const provider = model[4][0][0];
  if (!good || chance() < 0.2) attempts.push({ provider, account: `${provider}:4f1c…`, model: model[0], status: 429, reason: "rate_limit", message: "This request would exceed your account's rate limit. Please try again later.", seconds: 0.31, losses: [], told: "header" });
  if (good) attempts.push({ provider: model[4].at(-1)[0], account: `${provider}:a81b…`, model: model[0], status: 200, reason: "ok", message: "", seconds: seconds - 0.32, losses, told: "body" });
  else attempts.push({ provider, account: `${provider}:a81b…`, model: model[0], status: 503, reason: "transient", message: "Overloaded", seconds: 1.2, losses: [], told: "body" });
  return { id: randomBytes(4).toString("hex"), at, seconds: good ? seconds : 1.6, client: pick(["sk-9…b1cc", "sk-l…b2c3"]), dialect, running: false, model: model[0], stream: chance() > 0.3, operation: "generate", status: good ? 200 : pick([429, 503]), fidelity: good ? fidelity : "", error: good ? "" : "All accounts for this model are exhausted.", attempts };
}
if (!bare) {
  for (let n = 140; n > 0; n--) state.requests.push(request(now() - n * 47 - 20));
  setInterval(() => {
    state.requests.push(request(now() - 3));
    state.requests.splice(0, state.requests.length - 500);
  }, 3500).unref();
}

const logs = [];
for (let n = 0; n < 400; n++) {
  const level = pick(["info ", "info ", "info ", "info ", "debug", "warn ", "error"]);
  const when = new Date(Date.now() - (400 - n) * 9000).toISOString().slice(0, 19).replace("T", " ");
  const id = level === "debug" ? "--------" : randomBytes(4).toString("hex");
  const text = level === "error" ? "[run.py:212] claude mira@example.com: 529 overloaded, next account" : level === "warn " ? "[cooldown.py:88] codex work@example.com rests for 1 h 10 min (rate_limit, header)" : level === "debug" ? "[registry.py:61] 41 models of 7 accounts" : `[server.py:130] 200 |        ${(chance() * 9).toFixed(1)}s |       127.0.0.1 | POST    "/v1/messages"`;
  logs.push(`[${when}] [${id}] [${level}] ${text}`);
}

const sum = (weight) => {
  const requests = Math.round(weight * (40 + chance() * 60));
  const input = requests * Math.round(6000 + chance() * 9000);
  const output = requests * Math.round(300 + chance() * 900);
  return { requests, failed: Math.floor(requests * chance() * 0.06), left: 1, tokens: { input, cached: Math.round(input * 0.71), cache_write: Math.round(input * 0.05), output, reasoning: Math.round(output * 0.3), total: input + output }, cost_usd: input * 0.9e-6 + output * 12e-6, unpriced: 0, seconds: 8.21, first_seconds: 1.14 };
};
const DIM = {
  model: MODELS.map((m) => m[0]), account: ["mira@example.com", "work@example.com", "team-billing", "openrouter"],
  client: ["sk-9…b1cc", "sk-l…b2c3"], provider: ["claude", "codex", "gemini", "openai-compatible-openrouter"],
};
function summary(query) {
  seed = 99;
  if (bare) return { by: [], total: { ...sum(0), requests: 0 }, rows: [], enabled: true };
  const by = (query.get("by") ?? "").split(",").filter(Boolean);
  const timed = by.find((name) => name === "day" || name === "hour");
  const what = by.find((name) => DIM[name]);
  const marks = [];
  if (timed === "hour") for (let n = 23; n >= 0; n--) marks.push(`${new Date(Math.floor(now() / 3600 - n) * 3600e3).toISOString().slice(0, 13)}:00:00Z`);
  else if (timed === "day") for (let at = new Date(`${query.get("from")}T12:00:00`); at <= Date.now(); at = new Date(+at + 86400e3)) marks.push(at.toLocaleDateString("sv"));
  else marks.push("");
  const rows = marks.flatMap((mark) => (what ? DIM[what] : [""]).map((name, n) => ({ ...(what ? { [what]: name } : {}), ...(what === "account" ? { account: `claude:${n}`, source: name } : {}), ...(timed ? { [timed]: mark } : {}), ...sum((timed ? 1 : 20) / (n + 1) ** 1.3) })));
  return { by, total: sum(60), rows: by.length ? rows : [], enabled: true };
}

const etag = () => `"${createHash("sha256").update(state.yaml).digest("hex").slice(0, 32)}"`;
const config = () => ({ debug: false, "logging-to-file": true, "request-log": false, "api-keys": state.keys, routing: { strategy: "round-robin" } });

async function body(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function manage(req, res, url) {
  const path = url.pathname.slice("/v0/management".length);
  const q = url.searchParams;
  const send = (value, status = 200, headers = {}) => {
    res.writeHead(status, { "Content-Type": "application/json", "X-CPA-VERSION": "v0.1.0", ...headers });
    res.end(typeof value === "string" ? value : JSON.stringify(value));
  };
  if (req.headers.authorization !== "Bearer mock") return send({ error: req.headers.authorization ? "invalid management key" : "missing management key" }, 401);
  const text = ["POST", "PUT", "PATCH", "DELETE"].includes(req.method) ? await body(req) : "";
  const json = () => JSON.parse(text || "{}");
  const on = `${req.method} ${path}`;
  const list = path.slice(1);
  if (["claude-api-key", "codex-api-key", "gemini-api-key", "openai-compatibility", "vertex-api-key", "xai-api-key", "interactions-api-key"].includes(list)) {
    if (req.method === "PUT") state.lists[list] = json();
    return send(req.method === "GET" ? { [list]: state.lists[list] ?? [] } : { status: "ok" });
  }
  if (on === "GET /config") return send(config());
  if (on === "GET /config.yaml") return send(state.yaml, 200, { "Content-Type": "application/yaml", ETag: etag() });
  if (on === "PUT /config.yaml") {
    if (req.headers["if-match"] && req.headers["if-match"] !== etag()) return send({ error: "conflict", message: "the config file was changed meanwhile; read it again" }, 412);
    if (/strategy: nonsense/.test(text)) {
      const line = text.split("\n").findIndex((row) => row.includes("nonsense")) + 1;
      return send({ error: "invalid_config", message: `config.yaml:${line}: routing.strategy must be one of round-robin, fill-first`, problems: [{ line, message: "routing.strategy must be one of round-robin, fill-first" }] }, 422);
    }
    state.yaml = text;
    return send({ ok: true, changed: ["config"] }, 200, { ETag: etag() });
  }
  if (on === "POST /mock/touch") {
    state.yaml = `# touched elsewhere\n${state.yaml}`;
    return send({ ok: true });
  }
  if (on === "GET /api-keys") return send({ "api-keys": state.keys, marks: state.keys.map((key, n) => `${key.slice(0, 4)}…${key.slice(-4)}#0000000${n}`), names: state.keys.map((_, n) => (n ? "" : "laptop")) });
  if (on === "PATCH /api-keys") {
    state.keys.push(json().new);
    return send({ status: "ok" });
  }
  if (on === "DELETE /api-keys") {
    state.keys = state.keys.filter((key) => key !== q.get("value"));
    return send({ status: "ok" });
  }
  if (on === "GET /auth-files") return send({ files: state.files });
  if (on === "DELETE /auth-files") {
    const { names } = json();
    state.files = state.files.filter((f) => !names.includes(f.name));
    return send({ status: "ok" });
  }
  if (on === "POST /auth-files") return send({ status: "ok" });
  if (on === "PATCH /auth-files/status" || on === "PATCH /auth-files/fields") {
    const { name, ...change } = json();
    state.files = state.files.map((f) => (f.name === name ? { ...f, ...change, ...(path.endsWith("status") ? { status: change.disabled ? "disabled" : "active" } : {}) } : f));
    return send({ status: "ok" });
  }
  if (on === "GET /auth-files/models") return send({ models: models().slice(0, 3) });
  if (on === "GET /auth-files/quota") {
    const name = q.get("name");
    if (name.startsWith("qwen")) return send({ error: "needs_login", message: "The login has ended." }, 502);
    if (name.startsWith("gemini")) return send({ name, quota: null });
    const codex = name.startsWith("codex");
    return send({ name, quota: { plan: "max", windows: [{ id: "5h", label: "5 h", used_percent: codex ? 100 : 38, remaining: null, limit: null, reset_at: now() + (codex ? 4210 : 9000), period_seconds: 18000, models: [] }, { id: "week", label: "7 d", used_percent: codex ? 61 : 83, remaining: null, limit: null, reset_at: now() + 3.2 * 86400, period_seconds: 604800, models: [] }], credits: {} } });
  }
  if (on === "GET /accounts") return send({ accounts: accounts() });
  if (on === "GET /cooldowns") return send({ cooldowns: state.files.flatMap((f) => f.cooldowns) });
  if (req.method === "DELETE" && path.startsWith("/cooldowns")) {
    for (const f of state.files) f.cooldowns = [];
    return send({ cleared: 1 });
  }
  if (on === "GET /models") return send({ models: models() });
  if (on === "GET /requests") return send({ requests: [...state.requests].reverse().slice(0, Number(q.get("limit") ?? 100)) });
  if (on === "GET /usage/requests") return send({ requests: state.requests.slice(-200).map((r, row) => ({ row, id: r.id, source: "", served: r.model, upstream: "anthropic", first_seconds: 0.6, tokens: { input: 12000 + row * 37, cached: 9000, cache_write: 0, output: 640, reasoning: 120, total: 12640 }, cost_usd: 0.0131 })), next: null });
  if (on === "GET /usage/summary") return send(summary(q));
  if (path.startsWith("/request-log-by-id/")) return path.endsWith("0") || path.endsWith("a") ? send("=== REQUEST ===\nPOST /v1/messages\nauthorization: Bearer sk-9…b1cc\n\n{\"model\": \"claude-sonnet-4-5-20250929\", \"max_tokens\": 1024}\n", 200, { "Content-Type": "text/plain" }) : send({ error: "log file not found for the given request ID" }, 404);
  if (on === "GET /logs") {
    if (q.get("cursor")) logs.push(`[${new Date().toISOString().slice(0, 19).replace("T", " ")}] [${randomBytes(4).toString("hex")}] [info ] [server.py:130] 200 |         1.2s |       127.0.0.1 | POST    "/v1/chat/completions"`);
    const lines = q.get("cursor") ? logs.slice(-1) : logs;
    return bare ? send({ error: "logging to file disabled" }, 400) : send({ lines, "line-count": lines.length, "latest-timestamp": Math.floor(now()), "next-cursor": String(logs.length) });
  }
  if (on === "GET /request-error-logs") return send({ files: bare ? [] : [{ name: "error-v1-messages-2026-11-21T135811-a1b2c3d4.log", size: 18231, modified: now() - 900 }, { name: "error-v1-chat-completions-2026-11-21T112507-99aa01bc.log", size: 4120, modified: now() - 9900 }] });
  if (path.startsWith("/request-error-logs/")) return send("=== REQUEST ===\n…\n=== RESPONSE ===\n529 overloaded\n", 200, { "Content-Type": "text/plain" });
  if (on.startsWith("GET /requests/")) {
    const found = state.requests.find((item) => path.endsWith(item.id));
    if (!found) return send({ error: "request not found" }, 404);
    const told = JSON.stringify({ model: found.model, max_tokens: 1024, messages: [{ role: "user", content: "Hello" }] });
    const bodies = [["request", "URL: /v1/messages\nMethod: POST\n\nauthorization: Bearer sk-9…b1cc", told], ["answer", "Status: 200\ncontent-type: application/json", '{"content": "Hi"}']].map(([of, head, body]) => ({ of, attempt: 0, head, body, size: body.length }));
    return send(/[0-7]$/.test(found.id) ? { ...found, bodies } : found);
  }
  if (on === "POST /accounts/test") {
    const asked = json();
    const good = !asked.account.includes("qwen");
    return send({ ok: good, account: asked.account, label: asked.account, provider: "claude", model: asked.model ?? "claude-haiku-4-5", served: asked.model ?? "claude-haiku-4-5", status: good ? 200 : 401, seconds: 0.82, answer: good ? "ready" : "", error: good ? "" : "The refresh token was revoked.", reason: good ? "" : "authentication", cure: "", retry_after: null, request: state.requests.at(-1)?.id ?? "" });
  }
  if (on === "POST /auth-files/refresh") return send({ status: "ok", name: q.get("name"), renewed: true, state: "ok", problem: "", expires: now() + 3600 });
  if (on === "POST /explain") {
    const asked = json();
    if (asked.model.includes("none")) return send({ error: "model_not_found", message: `No account serves the model ${asked.model}.` }, 404);
    const base = { priority: 0, weight: 1, model: asked.model, method: "POST", url: "https://api.anthropic.com/v1/messages", headers: { "content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "sk-a…0000" }, body: { model: asked.model, max_tokens: 8192, messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }] }, proxy: "", losses: [], error: "", until: null, because: "" };
    return send({ model: asked.model, dialect: asked.dialect, choices: [
      { ...base, provider: "claude", account: "claude:mira", label: "mira@example.com", fidelity: "lossy", state: "bound", priority: 10, losses: [{ field: "logit_bias", reason: "this upstream has no such setting", severity: "warn", action: "dropped" }] },
      { ...base, provider: "claude", account: "claude:apikey:7c1d", label: "team-billing", fidelity: "exact", state: "ready", weight: 2 },
      { ...base, provider: "codex", account: "codex:work", label: "work@example.com", fidelity: "exact", state: "cooling", because: "rate_limit", until: now() + 4210 },
    ] });
  }
  if (path.endsWith("-auth-url")) {
    const code = randomBytes(16).toString("hex");
    state.logins.set(code, now());
    const device = /qwen|kimi|xai/.test(path);
    return send({ status: "ok", url: device ? "https://login.example.com/device" : `https://login.example.com/oauth/authorize?client_id=9d1c250a&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A54545%2Fcallback&state=${code}`, state: code, ...(path.includes("anthropic") ? { notice: "Anthropic does not permit other programs than its own to use the login of a plan. An API key is meant for programs." } : {}), ...(device ? { flow: "device", user_code: "WDJB-MJHT", expires_in: 900 } : {}) });
  }
  if (on === "GET /get-auth-status") {
    const began = state.logins.get(q.get("state"));
    if (began === "done") return send({ status: "ok", name: "claude-new@example.com.json" });
    return send({ status: "wait" });
  }
  if (on === "POST /oauth-callback") {
    const { redirect_url, state: given } = json();
    if (!redirect_url.includes("code=")) return send({ status: "error", error: "code or error is required" }, 400);
    state.logins.set(given, "done");
    state.files.push(file("claude-new@example.com.json", "claude", { email: "new@example.com" }));
    return send({ status: "ok" });
  }
  if (on === "DELETE /oauth-session") return send({ status: "ok", cancelled: true });
  return send("", 404);
}

async function page(res, name) {
  try {
    const data = await readFile(join(dist, normalize(name)));
    res.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream", "Content-Security-Policy": POLICY });
    res.end(data);
  } catch {
    res.writeHead(404).end();
  }
}

createServer((req, res) => {
  const url = new URL(req.url, "http://localhost");
  if (url.pathname.startsWith("/v0/management/")) return void manage(req, res, url).catch((err) => res.writeHead(500).end(String(err)));
  if (url.pathname === "/v1/chat/completions")
    return void setTimeout(() => {
      res.writeHead(200, { "Content-Type": "application/json" });
      res.end(JSON.stringify({ choices: [{ message: { role: "assistant", content: "ready" } }] }));
    }, 500);
  if (url.pathname === "/management.html" || url.pathname === "/") return void page(res, "index.html");
  if (url.pathname.startsWith("/panel/")) return void page(res, url.pathname.slice("/panel/".length));
  res.writeHead(404).end();
}).listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/management.html  key: mock`));

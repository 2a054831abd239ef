/** The one door to the management API: the key, the calls, and what goes wrong with them. */

const STORED = "cliproxy.key";

/** What the page is mounted below; "" at the root of a host. */
export const mount = location.pathname.replace(/\/[^/]*$/, "");
export const origin = location.origin + mount;
const base = `${origin}/v0/management`;

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
    readonly line: number | null = null,
    readonly column: number | null = null,
  ) {
    super(message);
  }
}

export interface Server {
  version: string;
  built: string;
}

type Listener = () => void;
const listeners = new Set<Listener>();
let key = sessionStorage.getItem(STORED) ?? localStorage.getItem(STORED);
let ended = false;
let server: Server = { version: "", built: "" };
let gone = false;

const reached = (now: boolean) => {
  if (gone === !now) return;
  gone = !now;
  tell();
};
const tell = () => listeners.forEach((listener) => listener());

export const session = {
  subscribe(listener: Listener) {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
  key: () => key,
  /** Whether the server stopped accepting the key. */
  ended: () => ended,
  server: () => server,
  /** Whether the last call found nobody. */
  gone: () => gone,
  enter(value: string, remember: boolean) {
    key = value;
    ended = false;
    (remember ? localStorage : sessionStorage).setItem(STORED, value);
    (remember ? sessionStorage : localStorage).removeItem(STORED);
    tell();
  },
  leave(because = false) {
    key = null;
    ended = because;
    sessionStorage.removeItem(STORED);
    localStorage.removeItem(STORED);
    tell();
  },
};

export interface Call {
  method?: string;
  query?: Record<string, string | number | boolean | undefined | null>;
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** A key that is being tried, instead of the one in use. */
  as?: string;
}

/** A header carries bytes: what is more than ASCII goes as UTF-8. */
function bytesOf(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

export async function send(path: string, call: Call = {}): Promise<Response> {
  const url = new URL(base + path);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, String(value));
  }
  const headers = new Headers(call.headers);
  const used = call.as ?? key;
  if (used) headers.set("Authorization", `Bearer ${bytesOf(used)}`);
  if (call.json !== undefined) headers.set("Content-Type", "application/json");
  const body = call.json === undefined ? call.body : JSON.stringify(call.json);
  let response: Response;
  try {
    response = await fetch(url, {
      method: call.method ?? "GET",
      headers,
      cache: "no-store",
      ...(body === undefined ? {} : { body }),
      ...(call.signal ? { signal: call.signal } : {}),
    });
  } catch (err) {
    if (err instanceof DOMException && err.name === "AbortError") throw err;
    reached(false);
    throw new ApiError(0, "");
  }
  reached(true);
  const version = response.headers.get("x-cpa-version");
  if (version && version !== server.version) {
    server = { version, built: response.headers.get("x-cpa-build-date") ?? "" };
    tell();
  }
  if (response.ok) return response;
  if (response.status === 401 && call.as === undefined && used === key && key) session.leave(true);
  throw await failure(response);
}

async function failure(response: Response): Promise<ApiError> {
  const text = await response.text();
  let message = "";
  let code = "";
  let line: number | null = null;
  let column: number | null = null;
  try {
    const value: unknown = JSON.parse(text);
    if (value && typeof value === "object") {
      const told = value as Record<string, unknown>;
      const error = told["error"];
      if (typeof error === "string") code = error;
      else if (error && typeof error === "object") {
        const inner = (error as Record<string, unknown>)["message"];
        if (typeof inner === "string") message = inner;
      }
      if (typeof told["message"] === "string" && told["message"]) message = told["message"];
      const problems = told["problems"];
      const first: unknown = Array.isArray(problems) ? problems[0] : null;
      if (first && typeof first === "object") {
        const where = first as { line?: unknown; column?: unknown };
        if (typeof where.line === "number") line = where.line;
        if (typeof where.column === "number") column = where.column;
      }
    }
  } catch {
    message = text.slice(0, 300);
  }
  message ||= code;
  if (line === null) {
    const found = /\bline (\d+)(?:,? col(?:umn)? (\d+))?/i.exec(message);
    if (found) {
      line = Number(found[1]);
      column = found[2] ? Number(found[2]) : null;
    }
  }
  return new ApiError(response.status, message, code, line, column);
}

export async function get<T>(path: string, query: Call["query"] = {}, signal?: AbortSignal): Promise<T> {
  return (await (await send(path, { query, signal })).json()) as T;
}

export async function change<T = unknown>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  json?: unknown,
  query: Call["query"] = {},
): Promise<T> {
  const response = await send(path, json === undefined ? { method, query } : { method, json, query });
  const text = await response.text();
  return (text ? JSON.parse(text) : {}) as T;
}

export async function text(path: string, query: Call["query"] = {}): Promise<string> {
  return (await send(path, { query })).text();
}

/** Save an answer as a file: a plain link could not carry the key. */
export async function download(path: string, name: string, query: Call["query"] = {}): Promise<void> {
  const url = URL.createObjectURL(await (await send(path, { query })).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

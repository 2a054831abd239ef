/** Numbers, times and keys as people read them. */

let locale = "en";
export const setLocale = (value: string) => {
  locale = value;
};

export const count = (value: number) => new Intl.NumberFormat(locale).format(value);
export const compact = (value: number) =>
  value < 10_000
    ? count(Math.round(value))
    : new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
export const percent = (value: number) =>
  new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(value);

export function money(value: number): string {
  const digits = value === 0 || value >= 100 ? 0 : value >= 1 ? 2 : value >= 0.01 ? 3 : 5;
  return `$${value.toLocaleString(locale, { minimumFractionDigits: Math.min(digits, 2), maximumFractionDigits: digits })}`;
}

export function seconds(value: number): string {
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  return left(value);
}

/** A wait, to the second while it is short. */
export function left(value: number, short = false): string {
  const whole = Math.max(0, Math.ceil(value));
  const [d, h, m, s] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const [day, hour, min, sec] = locale.startsWith("zh") ? ["天", "小时", "分", "秒"] : ["d", "h", "min", "s"];
  if (d) return `${d} ${day} ${h} ${hour}`;
  if (h) return short && h > 9 ? `${h} ${hour}` : `${h} ${hour} ${m} ${min}`;
  if (m) return short ? `${m} ${min}` : `${m} ${min} ${String(s).padStart(2, "0")} ${sec}`;
  return `${s} ${sec}`;
}

const same = (a: Date, b: Date) => a.toDateString() === b.toDateString();
export function clock(unix: number): string {
  const when = new Date(unix * 1000);
  const time = when.toLocaleTimeString(locale, { hour12: false });
  return same(when, new Date()) ? time : `${when.toLocaleDateString(locale, { month: "short", day: "numeric" })} ${time.slice(0, 5)}`;
}
export const dateTime = (unix: number) => new Date(unix * 1000).toLocaleString(locale, { dateStyle: "medium", timeStyle: "medium", hour12: false });

export function ago(unix: number, now = Date.now() / 1000): string {
  const passed = now - unix;
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  if (Math.abs(passed) < 60) return format.format(-Math.round(passed), "second");
  if (Math.abs(passed) < 3600) return format.format(-Math.round(passed / 60), "minute");
  if (Math.abs(passed) < 86400) return format.format(-Math.round(passed / 3600), "hour");
  return format.format(-Math.round(passed / 86400), "day");
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${(value / 1024).toFixed(1)} kB`;
  return `${(value / 1024 / 1024).toFixed(1)} MB`;
}

/** The name of a limit, as the server gives it in English. */
export function quotaName(label: string): string {
  if (!locale.startsWith("zh")) return label;
  const units: Record<string, string> = { minute: "分钟", hour: "小时", day: "天", week: "周", month: "个月" };
  return label.replace(/^(\d+) (minute|hour|day|week|month)s?/, (_, n: string, unit: string) => `${n} ${units[unit] ?? unit}`).replace(/, /g, " · ");
}

export const mask = (key: string) => (key.length <= 10 ? "•".repeat(Math.max(key.length, 4)) : `${key.slice(0, 4)}…${key.slice(-4)}`);

const NAMES: Record<string, string> = {
  claude: "Claude", anthropic: "Claude", codex: "Codex", openai: "OpenAI", gemini: "Gemini",
  "gemini-cli": "Gemini CLI", antigravity: "Antigravity", qwen: "Qwen", iflow: "iFlow", kimi: "Kimi",
  xai: "xAI", vertex: "Vertex AI", local: "Local model", "gemini-interactions": "Gemini Interactions",
};
export const provider = (id: string) =>
  NAMES[id.toLowerCase()] ?? id.replace(/^openai-compatib(?:le|ility)-?/, "").replace(/^$/, "OpenAI-compatible");

/** Providers that one can log in to. */
export const LOGINS: readonly string[] = ["claude", "codex", "gemini-cli", "antigravity", "qwen", "kimi", "xai", "iflow"];

const DIALECTS: Record<string, string> = {
  "openai-chat": "OpenAI Chat", "openai-responses": "OpenAI Responses", "openai-completions": "OpenAI Completions",
  anthropic: "Anthropic", gemini: "Gemini", "code-assist": "Code Assist",
};
export const dialect = (id: string) => DIALECTS[id] ?? id;

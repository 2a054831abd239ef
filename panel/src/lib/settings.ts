/** The settings that most owners change. Words for them are in i18n. */

export type Kind = "bool" | "int" | "text" | "secret" | "duration" | "list" | readonly string[];
export interface Setting { path: string; kind: Kind; initial: string | number | boolean | null; restart?: boolean; min?: number }
export type GroupName = "access" | "routing" | "limits" | "upstream" | "translation" | "logs";

export const GROUPS: readonly { name: GroupName; settings: readonly Setting[] }[] = [
  {
    name: "access",
    settings: [
      { path: "host", kind: "text", initial: "127.0.0.1", restart: true },
      { path: "port", kind: "int", initial: 8317, restart: true, min: 0 },
      { path: "remote-management/allow-remote", kind: "bool", initial: false },
      { path: "allow-unauthenticated", kind: "bool", initial: false },
    ],
  },
  {
    name: "routing",
    settings: [
      { path: "routing/strategy", kind: ["round-robin", "fill-first", "weighted-round-robin", "least-in-flight", "quota-aware"], initial: "round-robin" },
      { path: "routing/session-affinity", kind: "bool", initial: true },
      { path: "routing/session-affinity-ttl", kind: "duration", initial: "1h" },
      { path: "routing/max-in-flight", kind: "int", initial: 0, min: 0 },
      { path: "force-model-prefix", kind: "bool", initial: false },
      { path: "fallback", kind: "list", initial: null },
    ],
  },
  {
    name: "limits",
    settings: [
      { path: "request-retry", kind: "int", initial: 0, min: 0 },
      { path: "max-retry-interval", kind: "duration", initial: "30s" },
      { path: "max-retry-credentials", kind: "int", initial: 0, min: 0 },
      { path: "max-cooldown", kind: "duration", initial: "12h" },
      { path: "transient-error-cooldown-seconds", kind: "int", initial: 0, min: -1 },
      { path: "disable-cooling", kind: "bool", initial: false },
      { path: "quota-exceeded/switch-project", kind: "bool", initial: false },
      { path: "quota-exceeded/switch-preview-model", kind: "bool", initial: false },
    ],
  },
  {
    name: "upstream",
    settings: [
      { path: "proxy-url", kind: "secret", initial: "" },
      { path: "timeouts/connect", kind: "int", initial: 10, min: 0 },
      { path: "timeouts/first-event", kind: "int", initial: 300, min: 0 },
      { path: "timeouts/idle", kind: "int", initial: 300, min: 0 },
      { path: "streaming/commit", kind: ["semantic", "first-byte"], initial: "semantic" },
      { path: "streaming/keepalive-seconds", kind: "int", initial: 0, min: 0 },
    ],
  },
  {
    name: "translation",
    settings: [
      { path: "fidelity", kind: ["report", "strict"], initial: "report" },
      { path: "prompt-caching/breakpoints", kind: "bool", initial: true },
      { path: "prompt-caching/ttl", kind: ["5m", "1h"], initial: "5m" },
      { path: "expose-routing-headers", kind: "bool", initial: false },
      { path: "passthrough-headers", kind: "bool", initial: false },
    ],
  },
  {
    name: "logs",
    settings: [
      { path: "debug", kind: "bool", initial: false },
      { path: "logging-to-file", kind: "bool", initial: false },
      { path: "logs-max-total-size-mb", kind: "int", initial: 0, min: 0 },
      { path: "error-logs-max-files", kind: "int", initial: 10, min: 0 },
      { path: "request-log", kind: "bool", initial: false },
      { path: "usage-statistics-enabled", kind: "bool", initial: true },
    ],
  },
];

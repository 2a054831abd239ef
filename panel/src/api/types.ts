/** What the management API gives and takes: the named shapes are generated, the others stand here. */

import type { components } from "./schema";

type Schema = components["schemas"];
type Lost<T> = Omit<T, "losses"> & { losses: Loss[] };
export type AuthFile = Schema["AuthFile"];
export type Bucket = AuthFile["recent_requests"][number];
export type Cooldown = Schema["Cooldown"];
export type Attempt = Lost<Schema["Attempt"]>;
export type Choice = Lost<Schema["Choice"]>;
/** One request; those under way are marked. */
export type Req = Omit<Schema["Request"], "attempts"> & { attempts: Attempt[] };
export type LoggedBody = Schema["LoggedBody"];
export type Account = Schema["Account"];
/** What came of one short question to an account. */
export interface Trial {
  ok: boolean;
  model: string;
  served: string;
  status: number;
  seconds: number;
  answer: string;
  error: string;
  reason: string;
  cure: string;
  retry_after: number | null;
  request: string;
}
/** How a login stands after its token was to be renewed. */
export interface Renewed { renewed: boolean; state: string; problem: string; expires: number | null }
/** A login that was begun; `notice` is what one should know of the provider's terms first. */
export type LoginStart = Schema["LoginStarted"] & { notice?: string };
export type LoginStatus = Schema["LoginStatus"];

export interface QuotaWindow {
  id: string;
  label: string;
  used_percent: number | null;
  remaining: number | null;
  limit: number | null;
  reset_at: number | null;
  period_seconds: number | null;
  models: string[];
}
export interface Quota { plan?: string; windows: QuotaWindow[]; credits?: Record<string, unknown> }

export interface KeyEntry {
  "api-key"?: string;
  name?: string;
  "base-url"?: string;
  "proxy-url"?: string;
  prefix?: string;
  priority?: number;
  weight?: number | null;
  disabled?: boolean;
  "excluded-models"?: string[];
  models?: ({ name?: string; alias?: string } | string)[];
  "api-key-entries"?: { "api-key"?: string; "proxy-url"?: string; weight?: number; "auth-index"?: string }[];
  "auth-index"?: string;
  [other: string]: unknown;
}

export interface Loss { field: string; reason: string; severity?: string; action?: string }

export interface Tokens {
  input: number;
  cached: number;
  cache_write: number;
  output: number;
  reasoning: number;
  total: number;
}

export interface Used {
  row: number;
  id: string;
  source: string;
  served: string;
  upstream: string;
  first_seconds: number | null;
  tokens: Tokens;
  cost_usd: number | null;
}

export interface Sum {
  model?: string;
  account?: string;
  source?: string;
  client?: string;
  provider?: string;
  day?: string;
  hour?: string;
  requests: number;
  failed: number;
  tokens: Tokens;
  cost_usd: number;
  unpriced: number;
  seconds: number | null;
  first_seconds: number | null;
}

export interface ModelInfo {
  id: string;
  display_name?: string;
  owned_by?: string;
  context_length?: number;
  accounts?: ({ id: string; label?: string; provider?: string } | string)[];
  providers?: string[];
}

export interface LogPage {
  lines: string[];
  "line-count": number;
  "latest-timestamp": number;
  "next-cursor"?: string;
  "cursor-reset"?: boolean;
}
export interface LogFile { name: string; size: number; modified: number }

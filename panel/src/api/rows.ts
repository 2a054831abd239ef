/** Accounts as people see them: logins and keys alike, each with what is wrong and what helps. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import { mask, LOGINS } from "../lib/format";
import { change } from "./client";
import { LIST_PROVIDER, cooldowns, files, keys, rewriteKeys, sameEntry, served, type KeyList } from "./hooks";
import type { Account, AuthFile, Bucket, Cooldown, KeyEntry } from "./types";

/** What somebody can do about an account. */
export type Cure = "login" | "renew" | "edit" | "clear" | "";
export interface Trouble {
  /** Whether it serves nobody until somebody does something. */
  bad: boolean;
  /** A word that i18n has a name and an advice for. */
  why: string;
  /** What the provider or the server said. */
  told: string;
  until: number | null;
  /** The models it is about; none = all. */
  models: string[];
  /** How the time is known. */
  source: string;
  cure: Cure;
}
export type Standing = "error" | "resting" | "ready" | "disabled";

export interface Row {
  id: string;
  /** What the router calls it, where that is known. */
  account: string;
  accounts: string[];
  provider: string;
  title: string;
  detail: string;
  kind: "login" | "key";
  standing: Standing;
  pending: boolean;
  disabled: boolean;
  trouble: Trouble | null;
  /** It serves, but not quite as usual. */
  partly: Trouble | null;
  cooling: Cooldown[];
  success: number;
  failed: number;
  running: number;
  recent: Bucket[];
  priority: number;
  weight: number | null;
  note: string;
  prefix: string;
  proxy: string;
  expires: number | null;
  file?: AuthFile;
  entry?: { list: KeyList; index: number; entry: KeyEntry };
}

/** One that failed lately is still asked, after the others. */
export const rests = (item: Cooldown) => item.state !== "stumbled";

/** Reasons to rest that no waiting mends. */
const OWNERS = new Set(["authentication", "billing", "permission"]);

function trouble(cooling: Cooldown[], mine: Account[], login: boolean, renews: boolean): { whole: Trouble | null; part: Trouble | null } {
  const resting = cooling.filter(rests);
  if (!resting.length) return { whole: null, part: null };
  const worst = resting.find((item) => OWNERS.has(item.reason)) ?? resting[0]!;
  const whole = mine.length > 0 && mine.every((item) => item.cooldown !== null);
  const bad = whole && OWNERS.has(worst.reason);
  const same = resting.filter((item) => item.reason === worst.reason);
  const found: Trouble = {
    bad,
    why: worst.reason,
    told: "",
    until: Math.min(...same.map((item) => item.until)),
    models: whole ? [] : [...new Set(resting.map((item) => item.model).filter(Boolean))],
    source: worst.source,
    cure: bad && worst.reason === "authentication" ? (login ? (renews ? "renew" : "login") : "edit") : "clear",
  };
  return whole ? { whole: found, part: null } : { whole: null, part: found };
}

function ofState(state: string, problem: string, login: boolean): Trouble | null {
  const plain = { told: problem, until: null, models: [], source: "" };
  switch (state) {
    case "needs_login":
    case "revoked":
      return { ...plain, bad: true, why: state, cure: "login" };
    case "no token":
      return { ...plain, bad: true, why: "no_token", cure: "login" };
    case "no key":
      return { ...plain, bad: true, why: "no_key", cure: login ? "login" : "edit" };
    case "not used":
      return { ...plain, bad: true, why: "not_used", cure: "" };
    case "network":
    case "limited":
      return { ...plain, bad: true, why: state, cure: "renew" };
    default:
      return null;
  }
}

/** Whether only a new login helps. */
export const ended = (row: Row) => row.trouble?.cure === "login";
/** Whether a login's token can be renewed here. */
export const renews = (row: Row) => !ended(row) && row.file !== undefined && row.kind === "login" && !row.file.linked && row.file.account_type !== "api_key";

const unix = (text: string | undefined) => (text ? Date.parse(text) / 1000 : null);
const standing = (disabled: boolean, found: Trouble | null): Standing => (disabled ? "disabled" : found ? (found.bad ? "error" : "resting") : "ready");

function fromFile(file: AuthFile, all: Cooldown[], accounts: Account[]): Row {
  const mine = accounts.filter((item) => item.file === file.id || item.file === file.name);
  const cooling = file.cooldowns ?? all.filter((item) => mine.some((account) => account.id === item.account));
  const plan = file.plan || file.id_token?.plan_type || "";
  const own = ofState(file.state ?? "", file.problem || file.status_message, true);
  const { whole, part } = trouble(cooling, mine, true, !file.linked);
  // A token that could not be renewed serves as long as it lasts.
  const expires = unix(file.expires_at);
  const lasts = own?.cure === "renew" && expires !== null && expires * 1000 > Date.now();
  const found = (lasts ? null : own) ?? whole;
  return {
    id: `file:${file.name}`,
    account: mine[0]?.id ?? file.id,
    accounts: mine.map((item) => item.id),
    provider: mine[0]?.provider ?? file.provider,
    title: file.email || file.account || file.label || file.name,
    detail: [plan, file.project_id, file.linked_cli ? `↔ ${file.linked_cli}` : ""].filter(Boolean).join(" · "),
    kind: "login",
    standing: standing(file.disabled, found),
    pending: file.state === "refreshing",
    disabled: file.disabled,
    trouble: found,
    partly: found ? null : lasts ? own : part,
    cooling,
    success: file.success ?? 0,
    failed: file.failed ?? 0,
    running: mine.reduce((sum, item) => sum + item.running, 0),
    recent: file.recent_requests ?? [],
    priority: file.priority ?? 0,
    weight: file.weight ?? null,
    note: file.note ?? "",
    prefix: file.prefix ?? "",
    proxy: file.proxy_url ?? "",
    expires,
    file,
  };
}

function fromKey(list: KeyList, index: number, entry: KeyEntry, all: Cooldown[], accounts: Account[]): Row {
  const inner = entry["api-key-entries"] ?? [];
  const compat = list === "openai-compatibility";
  const marks = [entry["auth-index"], ...inner.map((item) => item["auth-index"])].filter(Boolean);
  const mine = accounts.filter((item) => !item.file && marks.includes(item.auth_index));
  const cooling = all.filter((item) => mine.some((account) => account.id === item.account));
  const recent = (mine[0]?.recent_requests ?? []).map((bucket, at) => ({
    time: bucket.time,
    success: mine.reduce((sum, item) => sum + (item.recent_requests[at]?.success ?? 0), 0),
    failed: mine.reduce((sum, item) => sum + (item.recent_requests[at]?.failed ?? 0), 0),
  }));
  const disabled = entry.disabled === true || (entry["excluded-models"] ?? []).includes("*");
  const own = mine.length ? ofState(mine.every((item) => item.state === "no key") ? "no key" : "ok", "", false) : null;
  const { whole, part } = trouble(cooling, mine, false, false);
  const found = own ?? whole;
  const key = mask(entry["api-key"] ?? "");
  return {
    id: `${list}:${index}`,
    account: mine[0]?.id ?? "",
    accounts: mine.map((item) => item.id),
    provider: compat ? (entry.name ?? "openai-compatibility") : LIST_PROVIDER[list],
    title: compat ? (entry.name ?? "") : entry.name || key,
    detail: [entry.name && !compat ? key : "", compat && inner.length > 1 ? `${inner.length} ×` : "", entry["base-url"] ?? ""].filter(Boolean).join(" "),
    kind: "key",
    standing: standing(disabled, found),
    pending: false,
    disabled,
    trouble: found,
    partly: found ? null : part,
    cooling,
    success: mine.reduce((sum, item) => sum + item.success, 0),
    failed: mine.reduce((sum, item) => sum + item.failed, 0),
    running: mine.reduce((sum, item) => sum + item.running, 0),
    recent,
    priority: entry.priority ?? 0,
    weight: entry.weight ?? null,
    note: "",
    prefix: entry.prefix ?? "",
    proxy: entry["proxy-url"] ?? "",
    expires: null,
    entry: { list, index, entry },
  };
}

/** What is wrong comes first; all else stays where it was. */
const ORDER: Record<Standing, number> = { error: 0, resting: 1, ready: 2, disabled: 2 };

export interface Rows {
  rows: Row[];
  /** The lists are here, all of them. */
  ready: boolean;
  logins: UseQueryResult<AuthFile[]>;
  lists: UseQueryResult<{ list: KeyList; index: number; entry: KeyEntry }[]>;
  error: unknown;
  /** What people call an account, by the router's name of it. */
  names: Map<string, string>;
}

export function useRows(): Rows {
  const logins = useQuery({ ...files, refetchInterval: 10_000 });
  const lists = useQuery(keys);
  const cooling = useQuery(cooldowns);
  const live = useQuery(served);
  const rows = useMemo(() => {
    const all = cooling.data ?? [];
    const accounts = live.data ?? [];
    return [
      ...(logins.data ?? []).map((file) => fromFile(file, all, accounts)),
      ...(lists.data ?? []).map((item) => fromKey(item.list, item.index, item.entry, all, accounts)),
    ].sort((a, b) => ORDER[a.standing] - ORDER[b.standing]);
  }, [logins.data, lists.data, cooling.data, live.data]);
  const names = useMemo(() => {
    const found = new Map((live.data ?? []).map((item) => [item.id, item.label]));
    for (const row of rows) for (const id of row.accounts) found.set(id, row.title);
    return found;
  }, [rows, live.data]);
  return {
    rows, names, logins, lists,
    ready: logins.data !== undefined && lists.data !== undefined && !live.isPending && !cooling.isPending,
    error: logins.error ?? lists.error ?? live.error ?? cooling.error,
  };
}

/** The word under which a login of this provider is begun; "" where there is none. */
export const loginOf = (row: Row): string => (row.kind === "login" && LOGINS.includes(row.provider) ? row.provider : "");

export async function setDisabled(row: Row, disabled: boolean): Promise<void> {
  if (row.file) {
    await change("PATCH", "/auth-files/status", { name: row.file.name, disabled });
    return;
  }
  if (!row.entry) return;
  const { list, entry } = row.entry;
  await rewriteKeys(list, (entries) =>
    entries.map((item) => {
      if (!sameEntry(item, entry)) return item;
      const { disabled: _off, "excluded-models": excluded, ...rest } = item;
      // Other programs switch a key off by excluding all of its models.
      const others = (excluded ?? []).filter((pattern) => pattern !== "*");
      return { ...rest, ...(others.length ? { "excluded-models": others } : {}), ...(disabled ? { disabled } : {}) };
    }),
  );
}

export const endRest = (account: string) => change("DELETE", `/cooldowns/${encodeURIComponent(account)}`);
export const show = (row: Row) => `accounts/${encodeURIComponent(row.id)}`;

/** What pages ask for. */

import { queryOptions, replaceEqualDeep, type QueryClient } from "@tanstack/react-query";
import { ApiError, change, get } from "./client";
import type {
  Account, AuthFile, Cooldown, KeyEntry, LogFile, LoggedBody, ModelInfo, Quota, Req, Sum, Used,
} from "./types";

export const KEY_LISTS = [
  "claude-api-key", "codex-api-key", "gemini-api-key", "openai-compatibility", "vertex-api-key", "xai-api-key", "interactions-api-key",
] as const;
export type KeyList = (typeof KEY_LISTS)[number];
export const LIST_PROVIDER: Record<KeyList, string> = {
  "claude-api-key": "claude", "codex-api-key": "codex", "gemini-api-key": "gemini", "openai-compatibility": "openai-compatibility",
  "vertex-api-key": "vertex", "xai-api-key": "xai", "interactions-api-key": "gemini-interactions",
};

const absent = (err: unknown) => err instanceof ApiError && (err.status === 404 || err.status === 405 || err.status === 501);
/** What an older server does not have is empty, not an error. */
async function soft<T>(wanted: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await wanted;
  } catch (err) {
    if (absent(err)) return otherwise;
    throw err;
  }
}

export const files = queryOptions({
  queryKey: ["auth-files"],
  queryFn: async ({ signal }) => (await get<{ files: AuthFile[] }>("/auth-files", {}, signal)).files,
});

export const keys = queryOptions({
  queryKey: ["key-lists"],
  queryFn: async ({ signal }) => {
    const lists = await Promise.all(
      KEY_LISTS.map(async (list) => {
        const got = await soft(get<Record<string, KeyEntry[] | null>>(`/${list}`, {}, signal), {});
        return (got[list] ?? []).map((entry, index) => ({ list, index, entry }));
      }),
    );
    return lists.flat();
  },
});

/** Everything that is served, keys of the configuration included. */
export const served = queryOptions({
  queryKey: ["accounts"],
  queryFn: async ({ signal }) => (await soft(get<{ accounts: Account[] }>("/accounts", {}, signal), { accounts: [] })).accounts,
  refetchInterval: 10_000,
});

export const cooldowns = queryOptions({
  queryKey: ["cooldowns"],
  queryFn: async ({ signal }) => (await soft(get<{ cooldowns: Cooldown[] }>("/cooldowns", {}, signal), { cooldowns: [] })).cooldowns,
  refetchInterval: 10_000,
});

/** Rows that are as they were stay the same objects, wherever they stand by now. */
const sameRows = (old: unknown, fresh: unknown): unknown => {
  const before = (old ?? []) as { id: string }[];
  const known = new Map(before.map((row) => [row.id, row]));
  const now = (fresh as { id: string }[]).map((row) => replaceEqualDeep(known.get(row.id), row));
  // Nothing new is the old list itself: it is compared on every drawing.
  return old && now.length === before.length && now.every((row, n) => row === before[n]) ? old : now;
};

export const requests = (limit = 300) =>
  queryOptions({
    queryKey: ["requests", limit],
    queryFn: async ({ signal }) => (await get<{ requests: Req[] }>("/requests", { limit }, signal)).requests,
    structuralSharing: sameRows,
  });

export const used = (limit = 300) =>
  queryOptions({
    queryKey: ["usage-requests", limit],
    queryFn: async ({ signal }) =>
      (await soft(get<{ requests: Used[] }>("/usage/requests", { limit }, signal), { requests: [] })).requests,
    structuralSharing: sameRows,
  });

export const summary = (by: string, from: string, to?: string) =>
  queryOptions({
    queryKey: ["usage", by, from, to],
    queryFn: async ({ signal }) => {
      const got = await get<{ total?: Sum; rows: Sum[] }>("/usage/summary", { by, from, to }, signal);
      return by ? got.rows : got.total ? [got.total] : [];
    },
    refetchInterval: 60_000,
  });

export const models = queryOptions({
  queryKey: ["models"],
  queryFn: async ({ signal }) => {
    const got = await get<{ models?: ModelInfo[]; data?: ModelInfo[] }>("/models", {}, signal);
    return got.models ?? got.data ?? [];
  },
  staleTime: 30_000,
});

/** A client key; `mark` is how requests and usage know it, `name` the comment behind it in the file. */
export interface ClientKey { key: string; mark: string; name: string }
export const clientKeys = queryOptions({
  queryKey: ["api-keys"],
  queryFn: async ({ signal }): Promise<ClientKey[]> => {
    const got = await get<{ "api-keys": string[] | null; marks?: string[]; names?: string[] }>("/api-keys", {}, signal);
    return (got["api-keys"] ?? []).map((key, n) => ({ key, mark: got.marks?.[n] ?? "", name: got.names?.[n] ?? "" }));
  },
  staleTime: 60_000,
});

export const config = queryOptions({
  queryKey: ["config"],
  queryFn: ({ signal }) => get<Record<string, unknown>>("/config", {}, signal),
  staleTime: 30_000,
});

export const quota = (name: string) =>
  queryOptions({
    queryKey: ["quota", name],
    queryFn: async ({ signal }): Promise<Quota | null> => {
      const got = await soft(get<Partial<Quota> & { quota?: Quota | null }>("/auth-files/quota", { name }, signal), {});
      const told = got.quota ?? got;
      return told.windows?.length || told.plan ? { windows: [], ...told } : null;
    },
    staleTime: 240_000,
    refetchInterval: 240_000,
    retry: false,
  });

export const errorLogs = queryOptions({
  queryKey: ["error-logs"],
  queryFn: async ({ signal }) => (await get<{ files: LogFile[] }>("/request-error-logs", {}, signal)).files,
});

/** One request, with its bodies where they were logged; null when it is no longer known. */
export const oneRequest = (id: string, running: boolean) =>
  queryOptions({
    queryKey: ["request", id, running],
    queryFn: ({ signal }) => soft(get<Req & { bodies?: LoggedBody[] }>(`/requests/${encodeURIComponent(id)}`, {}, signal).then((found): (Req & { bodies?: LoggedBody[] }) | null => found), null),
    retry: false,
    staleTime: Infinity,
  });

/** Everything that an account's change may show in. */
export const changedAccounts = (client: QueryClient) =>
  Promise.all(
    [files, keys, served, cooldowns, models, config].map((what) => client.invalidateQueries({ queryKey: what.queryKey })),
  );

/** Change one entry of a list of keys, after making sure that it is still the one that was shown. */
export async function rewriteKeys(list: KeyList, edit: (entries: KeyEntry[]) => KeyEntry[]): Promise<void> {
  const got = await get<Record<string, KeyEntry[] | null>>(`/${list}`);
  await change("PUT", `/${list}`, edit((got[list] ?? []).map(bare)));
}

/** An entry without what the server only shows. */
export function bare(entry: KeyEntry): KeyEntry {
  const { "auth-index": _index, ...kept } = entry;
  const inner = kept["api-key-entries"];
  if (!inner) return kept;
  return { ...kept, "api-key-entries": inner.map(({ "auth-index": _i, ...rest }) => rest) };
}

export const sameEntry = (a: KeyEntry, b: KeyEntry) =>
  a["api-key"] === b["api-key"] && (a["base-url"] ?? "") === (b["base-url"] ?? "") && a.name === b.name;

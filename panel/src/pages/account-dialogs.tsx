import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { change, get, origin } from "../api/client";
import { changedAccounts, clientKeys, models, rewriteKeys, sameEntry } from "../api/hooks";
import type { KeyEntry, ModelInfo } from "../api/types";
import { useText } from "../i18n";
import { provider, seconds } from "../lib/format";
import { Button, Copy, Empty, Failure, Loading, Note, Select, TextInput, say, toast } from "../ui/basic";
import { Dialog } from "../ui/dialog";
import type { Row } from "./accounts";

export function EditAccount({ row, onClose }: { row: Row; onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const entry = row.entry?.entry;
  const [form, set] = useState({
    priority: String(row.priority),
    weight: row.weight === null ? "" : String(row.weight),
    note: row.file ? row.note : (entry?.name ?? ""),
    prefix: row.prefix,
    proxy: row.proxy,
    base: entry?.["base-url"] ?? "",
    excluded: (entry?.["excluded-models"] ?? []).filter((item) => item !== "*").join(", "),
  });
  const [error, fail] = useState("");
  const [busy, work] = useState(false);
  const field = (name: keyof typeof form) => ({ value: form[name], onChange: (e: { target: { value: string } }) => set({ ...form, [name]: e.target.value }) });
  const compat = row.entry?.list === "openai-compatibility";

  async function save() {
    const priority = form.priority.trim() === "" ? 0 : Number(form.priority);
    const weight = form.weight.trim() === "" ? null : Number(form.weight);
    if (!Number.isInteger(priority)) return fail(t.accounts.wholeNumber(t.accounts.priority));
    if (weight !== null && (!Number.isInteger(weight) || weight < 0 || weight > 1_000_000)) return fail(t.accounts.wholeNumber(t.accounts.weight));
    work(true);
    fail("");
    try {
      if (row.file)
        await change("PATCH", "/auth-files/fields", { name: row.file.name, priority, weight, note: form.note.trim(), prefix: form.prefix.trim(), proxy_url: form.proxy.trim() });
      else if (row.entry && entry) {
        const put = (item: KeyEntry): KeyEntry => {
          const made: KeyEntry = { ...item };
          const texts: [string, string][] = [["prefix", form.prefix], ["proxy-url", form.proxy], ["base-url", form.base]];
          if (!compat) texts.push(["name", form.note]);
          for (const [name, value] of texts) {
            if (value.trim()) made[name] = value.trim();
            else if (name !== "base-url" || name in made) made[name] = "";
            if (made[name] === "" && !(name in item)) delete made[name];
          }
          if (priority || "priority" in item) made.priority = priority;
          if (weight !== null) made.weight = weight;
          else delete made.weight;
          const patterns = form.excluded.split(/[,\n]/).map((text) => text.trim()).filter(Boolean);
          if (row.disabled && !compat) patterns.push("*");
          if (patterns.length || "excluded-models" in item) made["excluded-models"] = patterns;
          return made;
        };
        let found = false;
        await rewriteKeys(row.entry.list, (entries) => entries.map((item) => {
          if (found || !sameEntry(item, entry)) return item;
          found = true;
          return put(item);
        }));
        if (!found) throw new Error(t.accounts.goneMeanwhile);
      }
      toast(t.saved);
      onClose();
    } catch (err) {
      fail(say(t, err));
    } finally {
      work(false);
      await changedAccounts(client);
    }
  }

  return (
    <Dialog title={t.accounts.editTitle(row.title)} onClose={onClose} foot={<><Button onClick={onClose}>{t.cancel}</Button><Button tone="primary" disabled={busy} onClick={() => void save()}>{t.save}</Button></>}>
      <form className="stack" onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}>
        {error && <Note tone="bad" alert>{error}</Note>}
        <div className="grid-2">
          <TextInput label={t.accounts.priority} hint={t.accounts.priorityHint} inputMode="numeric" {...field("priority")} />
          <TextInput label={t.accounts.weight} hint={t.accounts.weightHint} inputMode="numeric" placeholder="1" {...field("weight")} />
        </div>
        {!compat && <TextInput label={row.file ? t.accounts.note : t.accounts.name} {...field("note")} />}
        <TextInput label={t.accounts.prefix} hint={t.accounts.prefixHint} {...field("prefix")} />
        {row.entry && <TextInput label={t.accounts.baseUrl} type="url" {...field("base")} />}
        <TextInput label={t.accounts.proxy} hint={t.accounts.proxyHint} placeholder="socks5://127.0.0.1:1080" {...field("proxy")} />
        {row.entry && <TextInput label={t.accounts.excluded} hint={t.accounts.excludedHint} {...field("excluded")} />}
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}

export function useAccountModels(row: Row) {
  return useQuery({
    queryKey: ["account-models", row.id],
    queryFn: async (): Promise<ModelInfo[]> => {
      if (row.file) return (await get<{ models: ModelInfo[] }>("/auth-files/models", { name: row.file.name })).models;
      const listed = (row.entry?.entry.models ?? []).map((item) => (typeof item === "string" ? { id: item } : { id: item.alias || item.name || "" }));
      if (listed.length) return listed;
      const all = (await get<{ models?: ModelInfo[]; data?: ModelInfo[] }>("/models"));
      return (all.models ?? all.data ?? []).filter((model) => (model.accounts ?? []).some((item) => (typeof item === "string" ? item : item.id) === row.account));
    },
  });
}

export function AccountModels({ row, onClose }: { row: Row; onClose: () => void }) {
  const t = useText();
  const asked = useAccountModels(row);
  return (
    <Dialog title={t.accounts.modelsOf(row.title)} onClose={onClose}>
      {asked.isPending ? <Loading /> : asked.error ? <Failure error={asked.error} /> : !asked.data.length ? <Empty title={t.accounts.noModels} /> : (
        <table className="table">
          <caption className="sr">{t.accounts.modelsOf(row.title)}</caption>
          <tbody>
            {asked.data.map((model) => (
              <tr key={model.id}><td><code className="wrap-any">{row.prefix ? `${row.prefix}/` : ""}{model.id}</code>{model.display_name && model.display_name !== model.id && <div className="small muted">{model.display_name}</div>}</td><td className="r"><Copy value={model.id} bare /></td></tr>
            ))}
          </tbody>
        </table>
      )}
    </Dialog>
  );
}

interface Result { good: boolean; status: number; seconds: number; text: string }

/** One short real question through the ordinary door, pinned to this account. */
export function TestAccount({ row, onClose }: { row: Row; onClose: () => void }) {
  const t = useText();
  const own = useAccountModels(row);
  const all = useQuery(models);
  const doors = useQuery(clientKeys);
  const [picked, pick] = useState("");
  const [busy, work] = useState(false);
  const [result, tell] = useState<Result | null>(null);
  const list = own.data?.length ? own.data : (all.data ?? []);
  const model = picked || list[0]?.id || "";

  async function ask() {
    work(true);
    tell(null);
    const began = performance.now();
    try {
      const key = doors.data?.[0];
      const response = await fetch(`${origin}/v1/chat/completions`, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          ...(key ? { Authorization: `Bearer ${key}` } : {}),
          ...(row.account ? { "X-Cliproxy-Account": row.account } : {}),
        },
        body: JSON.stringify({ model: row.prefix ? `${row.prefix}/${model}` : model, max_tokens: 32, messages: [{ role: "user", content: "Answer with the one word: ready" }] }),
      });
      const body: unknown = await response.json().catch(() => null);
      const told = body as { choices?: { message?: { content?: string } }[]; error?: { message?: string } | string } | null;
      const text = response.ok ? (told?.choices?.[0]?.message?.content ?? "") : typeof told?.error === "string" ? told.error : (told?.error?.message ?? "");
      tell({ good: response.ok, status: response.status, seconds: (performance.now() - began) / 1000, text });
    } catch {
      tell({ good: false, status: 0, seconds: (performance.now() - began) / 1000, text: t.errors.unreachable });
    } finally {
      work(false);
    }
  }

  return (
    <Dialog title={t.accounts.testTitle(row.title)} onClose={onClose} foot={<><Button onClick={onClose}>{t.close}</Button><Button tone="primary" icon="play" disabled={busy || !model} onClick={() => void ask()}>{busy ? t.accounts.testing : t.accounts.testNow}</Button></>}>
      <div className="stack">
        <p className="muted">{t.accounts.testAbout(provider(row.provider))}</p>
        <Select label={t.requests.model} value={model} onChange={pick} options={list.map((item) => [item.id, item.id] as const)} />
        <div aria-live="polite" style={{ minHeight: 96 }}>
          {result && (
            <Note tone={result.good ? "ok" : "bad"}>
              <strong>{result.good ? t.accounts.testGood : t.accounts.testBad}</strong> <span className="num">{result.status || ""} · {seconds(result.seconds)}</span>
              <div className="wrap-any">{result.text}</div>
            </Note>
          )}
        </div>
      </div>
    </Dialog>
  );
}

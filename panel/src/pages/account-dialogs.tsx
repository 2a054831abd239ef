import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { change, download, get } from "../api/client";
import { changedAccounts, requests, rewriteKeys, sameEntry } from "../api/hooks";
import { endRest, renews, type Row } from "../api/rows";
import type { KeyEntry, ModelInfo, Trial } from "../api/types";
import { useText } from "../i18n";
import { count, provider, seconds } from "../lib/format";
import { Button, Copy, Empty, Failure, Loading, Note, SecretInput, Select, TextInput, When, say, toast } from "../ui/basic";
import { Dialog } from "../ui/dialog";
import { Health } from "./health";
import { Status } from "./requests";

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
  const Proxy = row.proxy.includes("@") ? SecretInput : TextInput;

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
          if ((item["excluded-models"] ?? []).includes("*")) patterns.push("*");
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
    <Dialog firm title={t.accounts.editTitle(row.title)} onClose={onClose} foot={<><Button onClick={onClose}>{t.cancel}</Button><Button tone="primary" disabled={busy} onClick={() => void save()}>{t.save}</Button></>}>
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
        <Proxy label={t.accounts.proxy} hint={t.accounts.proxyHint} placeholder="socks5://127.0.0.1:1080" {...field("proxy")} />
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

/** One short real question through the pipeline, pinned to this account. */
export function TestAccount({ row, onClose }: { row: Row; onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const own = useAccountModels(row);
  const [model, pick] = useState("");
  const [busy, work] = useState(false);
  const [told, tell] = useState<Trial | null>(null);
  const [problem, fail] = useState("");

  async function ask(again = false) {
    work(true);
    tell(null);
    fail("");
    try {
      if (again) await Promise.all(row.accounts.map(endRest));
      tell(await change<Trial>("POST", "/accounts/test", { account: row.account, ...(model ? { model: row.prefix && !model.startsWith(`${row.prefix}/`) ? `${row.prefix}/${model}` : model } : {}) }));
    } catch (err) {
      fail(say(t, err));
    } finally {
      work(false);
      void changedAccounts(client);
    }
  }

  return (
    <Dialog title={t.accounts.testTitle(row.title)} onClose={onClose} foot={<><Button onClick={onClose}>{t.close}</Button><Button tone="primary" icon="play" disabled={busy} onClick={() => void ask()}>{busy ? t.accounts.testing : told || problem ? t.accounts.testAgain : t.accounts.testNow}</Button></>}>
      <div className="stack">
        <p className="muted">{t.accounts.testAbout(provider(row.provider))}</p>
        <Select label={t.requests.model} value={model} onChange={pick} options={[["", t.accounts.testSmallest], ...(own.data ?? []).map((item) => [item.id, item.id] as const)]} />
        <div aria-live="polite" style={{ minHeight: 132 }}>
          {busy && <div className="stack tight"><span className="sr">{t.accounts.testing}</span><div className="sk" style={{ width: "40%" }} /><div className="sk" style={{ width: "75%" }} /></div>}
          {problem && <Note tone="bad">{problem}</Note>}
          {told && (
            <Note tone={told.ok ? "ok" : "bad"}>
              <div className="stack tight">
                <div className="row apart"><strong>{told.ok ? t.accounts.testGood : t.accounts.testBad}</strong><span className="num">{told.status} · {seconds(told.seconds)}</span></div>
                <div className="wrap-any"><code>{told.served || told.model}</code>{told.ok ? told.answer && <>: “{told.answer}”</> : null}</div>
                {told.error && <div className="wrap-any">{told.error}</div>}
                {!told.ok && (t.testCures[told.reason] ?? told.cure) && <div><strong>{t.accounts.whatHelps}</strong> {t.testCures[told.reason] ?? told.cure}</div>}
                <div className="row small">
                  {told.reason === "resting" && <Button small icon="undo" onClick={() => void ask(true)}>{t.accounts.endRest}</Button>}
                  <a href={`#/requests/${told.request}`}>{t.accounts.testRequest}</a>
                </div>
              </div>
            </Note>
          )}
        </div>
      </div>
    </Dialog>
  );
}

interface ShowProps { row: Row; busy: boolean; cure: ReactNode; quotas: ReactNode; pulse: ReactNode; onAct: (what: "edit" | "models" | "test" | "delete") => void; onRenew: () => void; onClose: () => void }
/** All that is known of one account, and all that can be done with it. */
export function ShowAccount({ row, busy, cure, quotas, pulse, onAct, onRenew, onClose }: ShowProps) {
  const t = useText();
  const list = useQuery(requests(300));
  const last = (list.data ?? []).filter((item) => item.attempts.some((attempt) => row.accounts.includes(attempt.account))).slice(0, 5);
  const file = row.file;
  const found = row.trouble ?? row.partly;
  const advice = found ? t.advice[found.why] : undefined;
  return (
    <Dialog kind="drawer" title={row.title} onClose={onClose}>
      <div className="stack loose">
        <section className="stack" aria-label={t.requests.status}>
          <Health row={row} t={t} cure={null} />
          {found && !row.disabled && (advice || cure) && <Note tone={row.trouble?.bad ? "bad" : "warn"}><div className="row apart"><span className="grow">{advice}</span>{cure}</div></Note>}
          <div className="row">
            <Button small icon="play" disabled={row.disabled} onClick={() => onAct("test")}>{t.accounts.test}</Button>
            {renews(row) && <Button small icon="refresh" disabled={busy || row.disabled} onClick={onRenew}>{t.accounts.renew}</Button>}
            <Button small icon="edit" onClick={() => onAct("edit")}>{t.edit}</Button>
            <Button small icon="models" onClick={() => onAct("models")}>{t.pages.models}</Button>
            {file && <Button small icon="download" onClick={() => void download("/auth-files/download", file.name, { name: file.name }).catch((err: unknown) => toast(say(t, err), true))}>{t.download}</Button>}
            <Button small icon="trash" tone="danger" onClick={() => onAct("delete")}>{t.delete}</Button>
          </div>
        </section>
        {quotas && <section className="stack tight"><h3>{t.accounts.limits}</h3>{quotas}</section>}
        <section className="stack tight">
          <h3>{t.accounts.traffic}</h3>
          {pulse}
          <div className="row apart small muted num"><span>{row.recent[0]?.time.split("-")[0] ?? ""}</span><span>{t.accounts.calls(count(row.success), count(row.failed))}</span><span>{row.recent[row.recent.length - 1]?.time.split("-")[1] ?? ""}</span></div>
          {last.length > 0 && (
            <ul className="mini" aria-label={t.overview.latest}>
              {last.map((item) => (
                <li key={item.id} className="row apart">
                  <span className="row grow" style={{ flexWrap: "nowrap" }}><Status row={item} /><a className="clip" href={`#/requests/${item.id}`}>{item.model}</a></span>
                  <span className="small muted"><When at={item.at} /></span>
                </li>
              ))}
            </ul>
          )}
        </section>
        <section className="stack tight">
          <h3>{t.accounts.facts}</h3>
          <dl className="kv">
            <dt>{t.usage.columns.provider}</dt><dd>{provider(row.provider)}{row.kind === "key" ? ` · ${t.accounts.apiKey}` : ""}</dd>
            {row.detail && <><dt>{row.kind === "login" ? t.accounts.plan : t.accounts.baseUrl}</dt><dd>{row.detail}</dd></>}
            {row.expires !== null && <><dt>{t.accounts.validUntil}</dt><dd><When at={row.expires} /></dd></>}
            {file?.last_refresh && <><dt>{t.accounts.lastRenewed}</dt><dd><When at={Date.parse(file.last_refresh) / 1000} /></dd></>}
            <dt>{t.accounts.priority}</dt><dd className="num">{row.priority}</dd>
            <dt>{t.accounts.weight}</dt><dd className="num">{row.weight ?? 1}</dd>
            {row.prefix && <><dt>{t.accounts.prefix}</dt><dd><code>{row.prefix}/</code></dd></>}
            {row.proxy && <><dt>{t.accounts.proxy}</dt><dd><code>{withoutSecret(row.proxy)}</code></dd></>}
            {row.note && <><dt>{t.accounts.note}</dt><dd>{row.note}</dd></>}
            {file && <><dt>{t.logs.file}</dt><dd><code>{file.name}</code></dd></>}
            {row.account && <><dt>{t.accounts.pin}</dt><dd className="row"><code className="wrap-any">{row.account}</code><Copy value={row.account} bare /></dd></>}
          </dl>
        </section>
      </div>
    </Dialog>
  );
}

const withoutSecret = (url: string) => url.replace(/(:\/\/[^/@:]*:)[^@/]*@/, "$1••••@");

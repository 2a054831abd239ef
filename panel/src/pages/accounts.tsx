import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { change, download } from "../api/client";
import {
  LIST_PROVIDER, changedAccounts, clientKeys, cooldowns, files, keys, quota, rewriteKeys, sameEntry, served,
  type KeyList,
} from "../api/hooks";
import type { Account, AuthFile, Bucket, Cooldown, KeyEntry } from "../api/types";
import { useText, type Text } from "../i18n";
import { ago, count, mask, provider } from "../lib/format";
import { go, useRoute } from "../lib/route";
import { Button, Countdown, Empty, Failure, Head, Loading, Meter, Note, Search, Select, State, Switch, Tag, say, toast } from "../ui/basic";
import { Confirm } from "../ui/dialog";
import { AddAccount } from "./account-add";
import { AccountModels, EditAccount, TestAccount } from "./account-dialogs";

export interface Row {
  id: string;
  /** What the router calls it, where that is known. */
  account: string;
  provider: string;
  title: string;
  detail: string;
  kind: "login" | "key";
  disabled: boolean;
  broken: string;
  pending: boolean;
  cooling: Cooldown[];
  until: number | null;
  success: number;
  failed: number;
  recent: Bucket[];
  priority: number;
  weight: number | null;
  note: string;
  prefix: string;
  proxy: string;
  file?: AuthFile;
  entry?: { list: KeyList; index: number; entry: KeyEntry };
}

const unix = (text: string | undefined) => (text ? Date.parse(text) / 1000 : null);

/** One that failed lately is still asked, after the others. */
export const rests = (item: Cooldown) => item.state !== "stumbled";
const lastOf = (cooling: Cooldown[]) => {
  const ends = cooling.filter(rests).map((item) => item.until);
  return ends.length ? Math.max(...ends) : null;
};

function fromFile(file: AuthFile, all: Cooldown[], accounts: Account[]): Row {
  const mine = accounts.filter((item) => item.file === file.name);
  const cooling = file.cooldowns ?? all.filter((item) => mine.some((account) => account.id === item.account));
  const soonest = lastOf(cooling) ?? (cooling.length ? null : unix(file.next_retry_after));
  const plan = file.plan || file.id_token?.plan_type || "";
  return {
    id: `file:${file.name}`,
    account: mine[0]?.id ?? file.id,
    provider: mine[0]?.provider ?? file.provider,
    title: file.email || file.account || file.label || file.name,
    detail: [plan, file.project_id, file.linked_cli ? `↔ ${file.linked_cli}` : ""].filter(Boolean).join(" · "),
    kind: "login",
    disabled: file.disabled,
    broken: file.status === "error" ? file.status_message || "error" : "",
    pending: file.status === "pending" || file.status === "refreshing",
    cooling,
    until: soonest && soonest * 1000 > Date.now() ? soonest : null,
    success: file.success ?? 0,
    failed: file.failed ?? 0,
    recent: file.recent_requests ?? [],
    priority: file.priority ?? 0,
    weight: file.weight ?? null,
    note: file.note ?? "",
    prefix: file.prefix ?? "",
    proxy: file.proxy_url ?? "",
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
  return {
    id: `${list}:${index}`,
    account: mine[0]?.id ?? "",
    provider: compat ? (entry.name ?? "openai-compatibility") : LIST_PROVIDER[list],
    title: compat ? (entry.name ?? "") : entry.name || mask(entry["api-key"] ?? ""),
    detail: [entry.name && !compat ? mask(entry["api-key"] ?? "") : "", compat && inner.length > 1 ? `${inner.length} ×` : "", entry["base-url"] ?? ""].filter(Boolean).join(" "),
    kind: "key",
    disabled: entry.disabled === true || (entry["excluded-models"] ?? []).includes("*"),
    broken: "",
    pending: false,
    cooling,
    until: lastOf(cooling),
    success: mine.reduce((sum, item) => sum + item.success, 0),
    failed: mine.reduce((sum, item) => sum + item.failed, 0),
    recent,
    priority: entry.priority ?? 0,
    weight: entry.weight ?? null,
    note: "",
    prefix: entry.prefix ?? "",
    proxy: entry["proxy-url"] ?? "",
    entry: { list, index, entry },
  };
}

type Shown = "all" | "ready" | "resting" | "error" | "disabled";
const stateOf = (row: Row): Exclude<Shown, "all"> =>
  row.disabled ? "disabled" : row.broken ? "error" : row.until ? "resting" : "ready";

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
      if (list === "openai-compatibility") return { ...item, disabled };
      const others = (item["excluded-models"] ?? []).filter((pattern) => pattern !== "*");
      return { ...item, "excluded-models": disabled ? [...others, "*"] : others };
    }),
  );
}

export default function Accounts() {
  const t = useText();
  const route = useRoute();
  const client = useQueryClient();
  const logins = useQuery({ ...files, refetchInterval: 10_000 });
  const lists = useQuery(keys);
  const cooling = useQuery(cooldowns);
  const live = useQuery(served);
  useQuery(clientKeys);
  const [find, search] = useState("");
  const [state, show] = useState<Shown>("all");
  const [open, act] = useState<{ what: "edit" | "models" | "test" | "delete"; row: Row } | null>(null);
  const [busy, work] = useState("");

  const rows = useMemo(() => {
    const all = cooling.data ?? [];
    return [
      ...(logins.data ?? []).map((file) => fromFile(file, all, live.data ?? [])),
      ...(lists.data ?? []).map((item) => fromKey(item.list, item.index, item.entry, all, live.data ?? [])),
    ];
  }, [logins.data, lists.data, cooling.data, live.data]);
  const wanted = find.trim().toLowerCase();
  const shown = rows.filter(
    (row) => (state === "all" || stateOf(row) === state) && (!wanted || [row.title, row.provider, row.detail, row.note, row.prefix].join(" ").toLowerCase().includes(wanted)),
  );
  const adding = route.page === "accounts" && (route.rest === "add" || route.rest === "import") ? route.rest : null;
  const error = logins.error ?? lists.error;

  async function attempt(id: string, work_: () => Promise<unknown>, done?: string) {
    work(id);
    try {
      await work_();
      if (done) toast(done);
      act(null);
    } catch (err) {
      toast(say(t, err), true);
    } finally {
      await changedAccounts(client);
      work("");
    }
  }

  async function remove(row: Row) {
    if (row.file) await change("DELETE", "/auth-files", { names: [row.file.name] });
    else if (row.entry) {
      const { list, entry } = row.entry;
      await rewriteKeys(list, (entries) => entries.filter((item) => !sameEntry(item, entry)));
    }
  }

  return (
    <>
      <Head title={t.pages.accounts} about={t.accounts.about}>
        <Button icon="upload" onClick={() => go("accounts/import")}>{t.accounts.import}</Button>
        <Button icon="plus" tone="primary" onClick={() => go("accounts/add")}>{t.accounts.add}</Button>
      </Head>
      <div className="bar">
        <Search label={t.accounts.search} value={find} onChange={search} />
        <Select quiet label={t.accounts.stateLabel} value={state} onChange={(value) => show(value as Shown)} options={[["all", `${t.all} (${rows.length})`], ...(["ready", "resting", "error", "disabled"] as const).map((name) => [name, `${t.accounts.state[name]} (${rows.filter((row) => stateOf(row) === name).length})`] as const)]} />
      </div>
      {error && rows.length > 0 && <div style={{ marginBottom: 12 }}><Note tone="bad" alert><div className="row apart"><span className="grow"><strong>{logins.error ? t.accounts.loginsUnknown : t.accounts.keysUnknown}</strong> {say(t, error)}</span><Button small icon="refresh" onClick={() => void changedAccounts(client)}>{t.retry}</Button></div></Note></div>}
      <div className="box">
        {error && !rows.length ? <Failure error={error} retry={() => void changedAccounts(client)} /> : !rows.length && (logins.isPending || lists.isPending) ? <Loading rows={6} /> : !rows.length ? (
          <Empty title={t.accounts.none} actions={<><Button tone="primary" icon="plus" onClick={() => go("accounts/add")}>{t.accounts.add}</Button><Button icon="upload" onClick={() => go("accounts/import")}>{t.accounts.import}</Button></>}>{t.accounts.noneHelp}</Empty>
        ) : !shown.length ? (
          <Empty title={t.nothingFound} actions={<Button onClick={() => {
            search("");
            show("all");
          }}>{t.clearFilters}</Button>} />
        ) : (
          <ul className="rows" aria-label={t.pages.accounts}>
            {shown.map((row) => (
              <li key={row.id} className="acct" aria-label={`${provider(row.provider)} ${row.title}`}>
                <div style={{ minWidth: 0 }}>
                  <div className="acct-name wrap-any">{row.title}</div>
                  <div className="row small muted" style={{ gap: "2px 8px" }}>
                    <span>{provider(row.provider)}{row.kind === "key" ? ` · ${t.accounts.apiKey}` : ""}</span>
                    {row.detail && <span className="wrap-any">{row.detail}</span>}
                    {row.priority !== 0 && <Tag>{t.accounts.priorityShort(row.priority)}</Tag>}
                    {row.weight !== null && row.weight !== 1 && <Tag>{t.accounts.weightShort(row.weight)}</Tag>}
                    {row.prefix && <Tag>{row.prefix}/</Tag>}
                  </div>
                  {row.note && <div className="small wrap-any">{row.note}</div>}
                </div>
                <Health row={row} t={t} />
                <div className="acct-quota">{row.file && !row.disabled ? <Quotas name={row.file.name} t={t} /> : <span className="small muted num">{row.kind === "key" ? t.accounts.calls(count(row.success), count(row.failed)) : ""}</span>}</div>
                <div className="acct-pulse"><Pulse buckets={row.recent} label={t.accounts.calls(count(row.success), count(row.failed))} /></div>
                <div className="acct-acts">
                  <Switch label={t.accounts.enabled(row.title)} on={!row.disabled} disabled={busy === row.id} onChange={(on) => void attempt(row.id, () => setDisabled(row, !on), on ? t.accounts.nowOn : t.accounts.nowOff)} />
                  <Button icon="play" bare small tone="plain" disabled={row.disabled} onClick={() => act({ what: "test", row })}>{t.accounts.test}</Button>
                  <Button icon="list" bare small tone="plain" onClick={() => act({ what: "models", row })}>{t.pages.models}</Button>
                  <Button icon="edit" bare small tone="plain" onClick={() => act({ what: "edit", row })}>{t.edit}</Button>
                  {row.file && <Button icon="download" bare small tone="plain" onClick={() => row.file && void download("/auth-files/download", row.file.name, { name: row.file.name }).catch((err: unknown) => toast(say(t, err), true))}>{t.download}</Button>}
                  <Button icon="trash" bare small tone="plain" onClick={() => act({ what: "delete", row })}>{t.delete}</Button>
                </div>
              </li>
            ))}
          </ul>
        )}
      </div>
      {adding && <AddAccount start={adding === "import" ? "file" : "login"} onClose={() => go("accounts")} />}
      {open?.what === "edit" && <EditAccount row={open.row} onClose={() => act(null)} />}
      {open?.what === "models" && <AccountModels row={open.row} onClose={() => act(null)} />}
      {open?.what === "test" && <TestAccount row={open.row} onClose={() => act(null)} />}
      {open?.what === "delete" && (
        <Confirm title={t.accounts.deleteTitle} action={t.delete} busy={busy !== ""} onClose={() => act(null)} onYes={() => void attempt(open.row.id, () => remove(open.row), t.accounts.deleted)}>
          <p>{open.row.kind === "login" ? t.accounts.deleteLogin(open.row.title) : t.accounts.deleteKey(open.row.title)}</p>
        </Confirm>
      )}
    </>
  );
}

function Health({ row, t }: { row: Row; t: Text }) {
  const client = useQueryClient();
  if (row.disabled) return <div><State tone="off">{t.accounts.state.disabled}</State></div>;
  if (row.broken) return <div style={{ minWidth: 0 }}><State tone="bad">{t.accounts.state.error}</State><div className="small muted wrap-any">{row.broken.slice(0, 200)}</div></div>;
  if (row.pending) return <div><State tone="off">{t.accounts.state.pending}</State></div>;
  if (row.until) {
    const first = row.cooling.find(rests);
    const which = row.cooling.filter(rests).map((item) => item.model).filter(Boolean);
    return (
      <div style={{ minWidth: 0 }}>
        <State tone="warn">{first ? (t.reasons[first.reason] ?? first.reason) : t.accounts.state.resting}</State>
        <div className="small muted">
          {t.accounts.free} <Countdown until={row.until} />
          {first && <> · {t.sources[first.source] ?? first.source}</>}
          {which.length > 0 && <div className="clip" title={which.join(", ")}>{which.join(", ")}</div>}
          {row.account && <div><Button small tone="plain" onClick={() => void change("DELETE", `/cooldowns/${encodeURIComponent(row.account)}`).then(() => changedAccounts(client), (err: unknown) => toast(say(t, err), true))}>{t.accounts.clear}</Button></div>}
        </div>
      </div>
    );
  }
  const refreshed = row.file?.last_refresh ? Date.parse(row.file.last_refresh) / 1000 : null;
  const stumbled = row.cooling[0];
  return <div><State tone="ok">{t.accounts.state.ready}</State>{stumbled ? <div className="small muted">{t.states["stumbled"]} (<Countdown until={stumbled.until} />)</div> : refreshed ? <div className="small muted">{t.accounts.refreshed(ago(refreshed))}</div> : null}</div>;
}

function Quotas({ name, t }: { name: string; t: Text }) {
  const asked = useQuery(quota(name));
  if (asked.isPending) return <div className="quotas"><div className="sk" style={{ height: 8 }} /><div className="sk" style={{ height: 8, width: "70%" }} /></div>;
  if (asked.error) return <div className="quotas small muted"><span className="two-lines" title={say(t, asked.error)}>{t.accounts.quotaFailed}: {say(t, asked.error)}</span></div>;
  if (!asked.data?.windows.length) return <div className="quotas small muted">{t.accounts.noQuota}</div>;
  return (
    <div className="quotas">
      {asked.data.windows.slice(0, 3).map((window) => {
        const share = window.used_percent ?? (window.limit && window.remaining !== null ? (1 - window.remaining / window.limit) * 100 : null);
        if (share === null) return <div key={window.id} className="small row apart"><span>{window.label}</span><span className="num muted">{window.remaining ?? "–"}</span></div>;
        return <Meter key={window.id} label={window.label} used={share} reset={window.reset_at} />;
      })}
    </div>
  );
}

function Pulse({ buckets, label }: { buckets: Bucket[]; label: string }) {
  const most = Math.max(1, ...buckets.map((bucket) => bucket.success + bucket.failed));
  return (
    <div className="pulse" role="img" aria-label={label} title={label}>
      {buckets.map((bucket) => {
        const sum = bucket.success + bucket.failed;
        return <i key={bucket.time} style={sum ? { height: 4 + (sum / most) * 18, background: bucket.failed > sum / 2 ? "var(--bad)" : bucket.failed ? "var(--s2)" : "var(--s1)" } : undefined} />;
      })}
    </div>
  );
}

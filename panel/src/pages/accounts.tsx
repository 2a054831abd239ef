import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type RefObject } from "react";
import { change } from "../api/client";
import { changedAccounts, clientKeys, quota, rewriteKeys, sameEntry } from "../api/hooks";
import { ended, endRest, loginOf, setDisabled, show, useRows, type Row, type Standing } from "../api/rows";
import type { Bucket, Renewed } from "../api/types";
import { useText, type Text } from "../i18n";
import { ago, count, provider } from "../lib/format";
import { useKept } from "../lib/kept";
import { go, leave, useRoute } from "../lib/route";
import { Button, Empty, Failure, Head, Loading, Meter, Search, Segments, Stale, Switch, Tag, say, toast } from "../ui/basic";
import { Confirm } from "../ui/dialog";
import { AddAccount } from "./account-add";
import { AccountModels, EditAccount, ShowAccount, TestAccount } from "./account-dialogs";
import { Health } from "./health";

export type What = "edit" | "models" | "test" | "delete";
const STANDINGS: readonly Standing[] = ["error", "resting", "ready", "disabled"];

export default function Accounts() {
  const t = useText();
  const route = useRoute();
  const client = useQueryClient();
  const { rows, logins, lists, error } = useRows();
  useQuery(clientKeys);
  const [find, search] = useKept("accounts.find", "");
  const [state, choose] = useKept<Standing | "all">("accounts.state", "all");
  const [open, act] = useState<{ what: What; id: string } | null>(null);
  const [busy, work] = useState("");

  const wanted = find.trim().toLowerCase();
  const shown = rows.filter(
    (row) => (state === "all" || row.standing === state) && (!wanted || [row.title, row.provider, provider(row.provider), row.detail, row.note, row.prefix].join(" ").toLowerCase().includes(wanted)),
  );
  const rest = route.page === "accounts" ? route.rest : "";
  const adding = rest === "add" || rest === "import" ? rest : null;
  const one = rest && !adding ? rows.find((row) => row.id === rest) : undefined;
  const other = open ? rows.find((row) => row.id === open.id) : undefined;
  const nothing = !rows.length;

  async function attempt(id: string, work_: () => Promise<unknown>, done?: string | ((told: unknown) => void)) {
    work(id);
    try {
      const told = await work_();
      if (typeof done === "string") toast(done);
      else done?.(told);
      act(null);
    } catch (err) {
      toast(say(t, err), true);
    } finally {
      await changedAccounts(client);
      work("");
      // What was pressed may be gone by now, and the focus with it.
      requestAnimationFrame(() => {
        if (document.activeElement !== document.body) return;
        const within = [...document.querySelectorAll<HTMLElement>("dialog[open] .dialog-head h2")].pop();
        (within ?? document.getElementById(`account ${id}`) ?? document.getElementById("page-title"))?.focus();
      });
    }
  }

  async function remove(row: Row) {
    if (row.file) await change("DELETE", "/auth-files", { names: [row.file.name] });
    else if (row.entry) {
      const { list, entry } = row.entry;
      await rewriteKeys(list, (entries) => entries.filter((item) => !sameEntry(item, entry)));
    }
    if (one?.id === row.id) leave("accounts");
  }

  const renew = (row: Row) => void attempt(row.id, () => change<Renewed>("POST", "/auth-files/refresh", undefined, { name: row.file?.name }), (answer) => {
    const told = answer as Renewed;
    if (told.state === "ok" && told.renewed) toast(t.accounts.renewed(told.expires ? ago(told.expires) : ""));
    else toast(told.problem || t.accounts.notRenewed, true);
    void client.invalidateQueries({ queryKey: ["quota", row.file?.name] });
  });
  const cure = (row: Row) => <CureButton row={row} busy={busy === row.id} onRenew={() => renew(row)} onEdit={() => act({ what: "edit", id: row.id })} onClear={() => void attempt(row.id, () => Promise.all(row.accounts.map(endRest)))} />;

  return (
    <>
      <Head title={t.pages.accounts} about={t.accounts.about}>
        <Button icon="upload" onClick={() => go("accounts/import")}>{t.accounts.import}</Button>
        <Button icon="plus" tone="primary" onClick={() => go("accounts/add")}>{t.accounts.add}</Button>
      </Head>
      {!nothing && (
        <div className="bar">
          <Search label={t.accounts.search} value={find} onChange={search} />
          <Segments label={t.accounts.stateLabel} value={state} onChange={choose} options={[["all", `${t.all} ${rows.length}`], ...STANDINGS.map((name) => [name, `${t.accounts.state[name]} ${rows.filter((row) => row.standing === name).length}`] as const).filter(([name]) => name === state || rows.some((row) => row.standing === name))]} />
        </div>
      )}
      {error && !nothing ? <div style={{ marginBottom: 12 }}><Stale error={error} retry={() => void changedAccounts(client)} /></div> : null}
      <div className="box">
        {error && nothing ? <Failure error={error} retry={() => void changedAccounts(client)} /> : nothing && (logins.isPending || lists.isPending) ? <Loading rows={6} /> : nothing ? (
          <Empty title={t.accounts.none} actions={<><Button tone="primary" icon="plus" onClick={() => go("accounts/add")}>{t.accounts.add}</Button><Button icon="upload" onClick={() => go("accounts/import")}>{t.accounts.import}</Button></>}>{t.accounts.noneHelp}</Empty>
        ) : !shown.length ? (
          <Empty title={t.nothingFound} actions={<Button onClick={() => {
            search("");
            choose("all");
          }}>{t.clearFilters}</Button>} />
        ) : (
          <ul className="rows" aria-label={t.pages.accounts}>
            {shown.map((row) => (
              <li key={row.id} className="acct" aria-label={`${provider(row.provider)} ${row.title}`}>
                <div style={{ minWidth: 0 }}>
                  <button type="button" id={`account ${row.id}`} title={row.title} className="acct-name link three-lines" onClick={() => go(show(row))}>{row.title}</button>
                  <div className="row small muted" style={{ gap: "2px 8px" }}>
                    <span className="wrap-any">{provider(row.provider)}{row.kind === "key" ? ` · ${t.accounts.apiKey}` : ""}</span>
                    {row.detail && <span className="wrap-any">{row.detail}</span>}
                    {row.priority !== 0 && <Tag>{t.accounts.priorityShort(row.priority)}</Tag>}
                    {row.weight !== null && row.weight !== 1 && <Tag>{t.accounts.weightShort(row.weight)}</Tag>}
                    {row.prefix && <Tag>{row.prefix}/</Tag>}
                  </div>
                  {row.note && <div className="small two-lines" title={row.note}>{row.note}</div>}
                </div>
                <Health row={row} t={t} cure={cure(row)} />
                <div className="acct-quota">{row.file && !row.disabled && !ended(row) ? <Quotas name={row.file.name} t={t} /> : null}</div>
                <div className="acct-pulse"><Pulse buckets={row.recent} label={t.accounts.calls(count(row.success), count(row.failed))} />{row.success + row.failed > 0 && <div className="small muted num">{t.accounts.callsShort(count(row.success + row.failed), count(row.failed))}</div>}</div>
                <div className="acct-acts">
                  <Switch label={t.accounts.enabled(row.title)} on={!row.disabled} disabled={busy === row.id} onChange={(on) => void attempt(row.id, () => setDisabled(row, !on), on ? t.accounts.nowOn : t.accounts.nowOff)} />
                  <Button icon="play" bare small tone="plain" disabled={row.disabled} onClick={() => act({ what: "test", id: row.id })}>{t.accounts.test}</Button>
                  <Button icon="edit" bare small tone="plain" onClick={() => act({ what: "edit", id: row.id })}>{t.edit}</Button>
                  <Button icon="more" bare small tone="plain" onClick={() => go(show(row))}>{t.accounts.details}</Button>
                </div>
              </li>
            ))}
          </ul>
        )}
      </div>
      {adding && <AddAccount key={route.query.get("provider") ?? ""} start={adding === "import" ? "file" : "login"} provider={route.query.get("provider") ?? ""} onClose={() => leave(route.query.get("back") === "guide" ? "" : "accounts")} />}
      {one && <ShowAccount row={one} busy={busy === one.id} cure={cure(one)} quotas={one.file && !one.disabled && !ended(one) ? <Quotas name={one.file.name} t={t} all /> : null} pulse={<Pulse buckets={one.recent} label={t.accounts.calls(count(one.success), count(one.failed))} tall />} onAct={(what) => act({ what, id: one.id })} onRenew={() => renew(one)} onClose={() => leave("accounts")} />}
      {open && other && (open.what === "edit" ? <EditAccount row={other} onClose={() => act(null)} /> : open.what === "models" ? <AccountModels row={other} onClose={() => act(null)} /> : open.what === "test" ? <TestAccount row={other} onClose={() => act(null)} /> : (
        <Confirm title={t.accounts.deleteTitle} action={t.delete} busy={busy !== ""} onClose={() => act(null)} onYes={() => void attempt(other.id, () => remove(other), t.accounts.deleted)}>
          <p className="wrap-any">{other.kind === "login" ? t.accounts.deleteLogin(other.title) : t.accounts.deleteKey(other.title)}</p>
        </Confirm>
      ))}
    </>
  );
}

interface CureProps { row: Row; busy: boolean; onRenew: () => void; onEdit: () => void; onClear: () => void }
/** The one thing that helps, if there is one. */
function CureButton({ row, busy, onRenew, onEdit, onClear }: CureProps) {
  const t = useText();
  const found = row.trouble ?? row.partly;
  if (!found || row.disabled) return null;
  switch (found.cure) {
    case "login": {
      const way = loginOf(row);
      return <Button small icon="out" onClick={() => go(way ? `accounts/add?provider=${way}` : "accounts/add")}>{t.cures.login}</Button>;
    }
    case "renew":
      return <Button small icon="refresh" disabled={busy} onClick={onRenew}>{t.accounts.renew}</Button>;
    case "edit":
      return <Button small icon="edit" onClick={onEdit}>{t.cures.edit}</Button>;
    case "clear":
      return <Button small icon="undo" disabled={busy} onClick={onClear}>{t.accounts.clear}</Button>;
    default:
      return null;
  }
}

/** Whether something is on screen, or nearly. */
function useOnScreen(ref: RefObject<HTMLElement | null>): boolean {
  const [on, see] = useState(false);
  useEffect(() => {
    if (!ref.current) return;
    const watch = new IntersectionObserver((seen) => see(seen[seen.length - 1]?.isIntersecting ?? false), { rootMargin: "300px" });
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, [ref]);
  return on;
}

/** Providers are asked about the accounts that one looks at, not about two hundred at once. */
function Quotas({ name, t, all }: { name: string; t: Text; all?: boolean }) {
  const ref = useRef<HTMLDivElement>(null);
  const on = useOnScreen(ref);
  return <div ref={ref}><Limits name={name} t={t} on={on} {...(all ? { all } : {})} /></div>;
}

function Limits({ name, t, on, all }: { name: string; t: Text; on: boolean; all?: boolean }) {
  const asked = useQuery({ ...quota(name), enabled: on });
  if (asked.isPending && !on) return <div className="quotas" />;
  if (asked.isPending) return <div className="quotas"><div className="sk" style={{ height: 8 }} /><div className="sk" style={{ height: 8, width: "70%" }} /></div>;
  if (asked.error) return <div className="quotas small muted"><span className="two-lines" title={say(t, asked.error)}>{t.accounts.quotaFailed}: {say(t, asked.error)}</span></div>;
  if (!asked.data?.windows.length) return <div className="quotas small muted">{t.accounts.noQuota}</div>;
  return (
    <div className="quotas">
      {asked.data.windows.slice(0, all ? 20 : 3).map((window) => {
        const share = window.used_percent ?? (window.limit && window.remaining !== null ? (1 - window.remaining / window.limit) * 100 : null);
        if (share === null) return <div key={window.id} className="small row apart"><span>{window.label}</span><span className="num muted">{window.remaining === null ? "–" : count(window.remaining)}</span></div>;
        return <Meter key={window.id} label={window.label} used={share} reset={window.reset_at} />;
      })}
      {!all && asked.data.windows.length > 3 && <div className="small muted">{t.accounts.moreLimits(asked.data.windows.length - 3)}</div>}
    </div>
  );
}

function Pulse({ buckets, label, tall }: { buckets: Bucket[]; label: string; tall?: boolean }) {
  const most = Math.max(1, ...buckets.map((bucket) => bucket.success + bucket.failed));
  const high = tall ? 56 : 22;
  return (
    <div className={`pulse ${tall ? "tall" : ""}`} role="img" aria-label={label} title={label}>
      {buckets.map((bucket) => {
        const sum = bucket.success + bucket.failed;
        return <i key={bucket.time} title={sum ? `${bucket.time}: ${bucket.success} ✓ ${bucket.failed} ✗` : undefined} style={sum ? { height: 4 + (sum / most) * (high - 4), background: bucket.failed > sum / 2 ? "var(--bad)" : bucket.failed ? "var(--s2)" : "var(--s1)" } : undefined} />;
      })}
    </div>
  );
}

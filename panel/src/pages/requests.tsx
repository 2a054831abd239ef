import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { memo, useDeferredValue, useMemo, useRef, useState } from "react";
import { change, download } from "../api/client";
import { config, oneRequest, requests, used } from "../api/hooks";
import { useRows } from "../api/rows";
import { PANEL, useClientName } from "../api/who";
import type { Attempt, LoggedBody, Loss, Req, Used } from "../api/types";
import { useText, type Text } from "../i18n";
import { bytes, compact, count, dateTime, dialect, money, provider, seconds } from "../lib/format";
import { useKept } from "../lib/kept";
import { go, leave, useRoute } from "../lib/route";
import { Box, Button, Copy, Empty, Failure, Head, Loading, Note, Search, Segments, Stale, State, Tag, When, toast, say, useNow } from "../ui/basic";
import { Dialog } from "../ui/dialog";

/** How many are asked for; all that the server keeps where one looks for something. */
const [SHOWN, KEPT] = [300, 500];

export const openRequest = (id: string) => go(`requests/${id}`);
export const failed = (row: Req) => row.status >= 400 || row.status === 0 && !row.running;

export default function Requests() {
  const t = useText();
  const route = useRoute();
  const [live, run] = useState(true);
  const [find, search] = useKept("requests.find", "", route.query.get("q"));
  const [which, choose] = useKept<"all" | "running" | "failed" | "lossy">("requests.which", "all");
  const most = which !== "all" || find.trim() ? KEPT : SHOWN;
  const list = useQuery({ ...requests(most), refetchInterval: live ? 2000 : false, placeholderData: keepPreviousData });
  const spent = useQuery({ ...used(most), refetchInterval: live ? 4000 : false, placeholderData: keepPreviousData });
  const { names } = useRows();
  const called = useClientName();
  const wanted = useDeferredValue(find.trim().toLowerCase());
  const byId = useMemo(() => new Map((spent.data ?? []).map((row) => [row.id, row])), [spent.data]);
  const rows = useMemo(
    () =>
      (list.data ?? []).filter(
        (row) =>
          (which === "all" || (which === "running" ? row.running : which === "failed" ? failed(row) : row.fidelity === "lossy")) &&
          (!wanted || [row.id, row.model, row.client, called(row.client), row.dialect, row.status, row.error, ...row.attempts.flatMap((a) => [a.provider, a.account, names.get(a.account), a.model, a.reason])].join(" ").toLowerCase().includes(wanted)),
      ),
    [list.data, which, wanted, names, called],
  );
  const open = route.page === "requests" && route.rest;
  return (
    <>
      <Head title={t.pages.requests} about={t.requests.about}>
        <Button icon={live ? "pause" : "play"} onClick={() => {
          run(!live);
          if (!live) void list.refetch();
        }}>{live ? t.requests.pause : t.requests.follow}</Button>
      </Head>
      <div className="bar">
        <Search label={t.requests.search} value={find} onChange={search} />
        <Segments label={t.requests.which} value={which} onChange={choose} options={[["all", t.all], ["running", t.requests.onlyRunning], ["failed", t.requests.onlyFailed], ["lossy", t.requests.onlyLossy]]} />
        <span className="muted num" role="status">{list.data ? t.requests.found(rows.length) : ""}</span>
      </div>
      {list.error && list.data ? <div style={{ marginBottom: 12 }}><Stale error={list.error} retry={() => void list.refetch()} /></div> : null}
      <Box flush>
        {list.isPending ? <Loading rows={10} /> : !list.data ? <Failure error={list.error} retry={() => void list.refetch()} /> : rows.length ? (
          <RequestTable rows={rows} used={byId} names={names} onOpen={openRequest} />
        ) : list.data?.length ? (
          <Empty title={t.nothingFound} actions={<Button onClick={() => {
            search("");
            choose("all");
          }}>{t.clearFilters}</Button>} />
        ) : (
          <Empty title={t.requests.none} actions={<Button onClick={() => go("clients")}>{t.pages.clients}</Button>}>{t.requests.noneHelp}</Empty>
        )}
      </Box>
      {open && <Detail id={open} row={list.data?.find((row) => row.id === open)} spent={byId.get(open)} names={names} onClose={() => leave("requests")} />}
    </>
  );
}

interface TableProps { rows: Req[]; used: Map<string, Used>; names: Map<string, string>; onOpen: (id: string) => void; slim?: boolean }
export function RequestTable({ rows, used: spent, names, onOpen, slim }: TableProps) {
  const t = useText();
  const called = useClientName();
  return (
    <div className="table-wrap">
      <table className="table dense">
        <caption className="sr">{t.pages.requests}</caption>
        <thead>
          <tr>
            <th scope="col">{t.requests.time}</th>
            <th scope="col">{t.requests.status}</th>
            <th scope="col">{t.requests.model}</th>
            <th scope="col" className="wide">{t.requests.answeredBy}</th>
            <th scope="col" className="wider">{t.requests.fidelity}</th>
            {!slim && <th scope="col" className="wider">{t.requests.client}</th>}
            {!slim && <th scope="col" className="r wide">{t.usage.tokens}, {t.usage.cost}</th>}
            <th scope="col" className="r wide">{t.requests.duration}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const last = row.attempts[row.attempts.length - 1];
            return <Line key={row.id} row={row} sum={spent.get(row.id)} name={last && names.get(last.account)} by={called(row.client)} onOpen={onOpen} slim={slim ?? false} />;
          })}
        </tbody>
      </table>
    </div>
  );
}

interface LineProps { row: Req; sum: Used | undefined; name: string | undefined; by: string; onOpen: (id: string) => void; slim: boolean }
/** One of hundreds, which are asked for every few seconds: it is made anew only when it has changed. */
const Line = memo(function Line({ row, sum, name, by, onOpen, slim }: LineProps) {
  const t = useText();
  const last = row.attempts[row.attempts.length - 1];
  const who = last ? (name ?? provider(last.provider)) : "–";
  return (
    <tr className="click" onClick={() => onOpen(row.id)}>
      <td className="muted"><When at={row.at} /><div className="small num narrow"><Passed row={row} /></div></td>
      <td><Status row={row} /></td>
      <td className="model">
        <button type="button" className="link wrap-any" onClick={(e) => {
          e.stopPropagation();
          onOpen(row.id);
        }}><strong>{row.model || "–"}</strong></button>
        {failed(row) && row.error ? <div className="small error-line" title={row.error}>{row.error}</div> : <div className="small muted">{dialect(row.dialect)}{row.stream ? ` · ${t.requests.stream}` : ""}{row.running && row.stream ? ` · ${firstOf(t, row)}` : ""}</div>}
        {last && <div className="small muted wrap-any narrow">{who}</div>}
      </td>
      <td className="wide who">
        <div className="clip" title={last ? `${who}\n${last.account}` : undefined}>{who}</div>
        <div className="small muted clip">{[last && name !== provider(last.provider) ? provider(last.provider) : "", row.attempts.length > 1 ? t.requests.attempts(row.attempts.length) : last && last.model !== row.model ? last.model : ""].filter(Boolean).join(" · ")}</div>
      </td>
      <td className="wider"><Fidelity value={row.fidelity} /></td>
      {!slim && <td className="wider small by"><div className="clip" title={row.client}>{by || "–"}</div></td>}
      {!slim && <td className="r wide">{sum?.tokens.total ? <>{compact(sum.tokens.input)} <span className="muted">→</span> {compact(sum.tokens.output)}</> : "–"}{sum?.cost_usd != null && (sum.cost_usd > 0 || !failed(row)) && <div className="small muted">{money(sum.cost_usd)}</div>}</td>}
      <td className="r wide"><Passed row={row} /></td>
    </tr>
  );
});

export function Status({ row }: { row: Req }) {
  const t = useText();
  if (row.running) return <Tag tone="info">{row.first_seconds == null ? t.requests.running : t.requests.streaming}</Tag>;
  if (row.status === 499) return <Tag>{t.requests.left}</Tag>;
  return <Tag tone={row.status >= 500 || row.status === 0 ? "bad" : row.status >= 400 ? "warn" : "ok"}>{row.status || t.requests.cut}</Tag>;
}

/** How long a request took. One under way goes on by the second between two answers of the server. */
function Passed({ row }: { row: Req }) {
  return row.running ? <Running row={row} /> : <>{seconds(row.seconds)}</>;
}
function Running({ row }: { row: Req }) {
  const now = useNow();
  const told = useRef({ row, at: now });
  if (told.current.row !== row) told.current = { row, at: now };
  // No further than a server could be late: it may have ended.
  return <>{seconds(row.seconds + Math.min(Math.max(0, now - told.current.at), 4))}</>;
}

/** When the stream of a request under way got going. */
const firstOf = (t: Text, row: Req) => (row.first_seconds == null ? t.requests.noneYet : `${t.requests.first} ${seconds(row.first_seconds)}`);

export function Fidelity({ value }: { value: string }) {
  const t = useText();
  if (!value) return <span className="muted">–</span>;
  return <Tag tone={value === "lossy" ? "warn" : value === "verbatim" ? "ok" : ""}>{t.fidelity[value] ?? value}</Tag>;
}

export function Losses({ list }: { list: Loss[] }) {
  const t = useText();
  return (
    <div className="table-wrap" role="group" tabIndex={0} aria-label={t.requests.losses}>
      <table className="table">
        <caption className="sr">{t.requests.losses}</caption>
        <thead><tr><th scope="col">{t.requests.field}</th><th scope="col">{t.requests.action}</th><th scope="col">{t.requests.why}</th></tr></thead>
        <tbody>
          {list.map((loss) => (
            <tr key={`${loss.field} ${loss.reason}`}>
              <td style={{ minWidth: 116 }}><code className="wrap-any">{loss.field}</code></td>
              <td><Tag tone={loss.severity === "error" ? "bad" : loss.severity === "info" ? "" : "warn"}>{t.actions[loss.action ?? "dropped"] ?? loss.action}</Tag></td>
              <td>{loss.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface DetailProps { id: string; row: Req | undefined; spent: Used | undefined; names: Map<string, string>; onClose: () => void }
function Detail({ id, row: known, spent, names, onClose }: DetailProps) {
  const t = useText();
  // One that is over is told with its bodies; one under way is told again when it is over.
  const asked = useQuery(oneRequest(id, known?.running ?? false));
  const row = known ?? asked.data ?? undefined;
  const total = row ? Math.max(row.seconds, 0.001) : 1;
  const called = useClientName();
  const first = row?.first_seconds ?? spent?.first_seconds ?? null;
  const losses = row?.attempts[row.attempts.length - 1]?.losses ?? [];
  let passed = 0;
  return (
    <Dialog kind="drawer" title={row ? `${row.model}` : id} onClose={onClose}>
      {!row ? asked.isPending ? <Loading /> : <Empty title={t.requests.gone}>{t.requests.goneHelp}</Empty> : (
        <div className="stack loose">
          <div className="stack tight">
            <div className="row"><Status row={row} />{row.fidelity && <Fidelity value={row.fidelity} />}{row.stream && <Tag>{t.requests.stream}</Tag>}</div>
            {row.error && (
              <Note tone="bad">
                <div className="wrap-any">{row.error}</div>
                {adviceFor(t.testCures, row) && <div style={{ marginTop: 6 }}><strong>{t.accounts.whatHelps}</strong> {adviceFor(t.testCures, row)}</div>}
              </Note>
            )}
            <dl className="kv">
              <dt>{t.requests.id}</dt><dd className="row"><code>{row.id}</code><Copy value={row.id} bare /></dd>
              <dt>{t.requests.time}</dt><dd className="num">{dateTime(row.at)}</dd>
              <dt>{t.requests.duration}</dt><dd className="num"><Passed row={row} />{first !== null ? <span className="muted"> · {t.requests.first} {seconds(first)}</span> : row.running && row.stream ? <span className="muted"> · {t.requests.noneYet}</span> : null}</dd>
              <dt>{t.requests.dialect}</dt><dd>{dialect(row.dialect)}{spent?.upstream && spent.upstream !== row.dialect ? <> → {dialect(spent.upstream)}</> : null}</dd>
              <dt>{t.requests.client}</dt><dd>{called(row.client) || "–"}{called(row.client) !== row.client && row.client !== PANEL && <span className="muted"> · {row.client}</span>}</dd>
              {spent && spent.tokens.total > 0 && <><dt>{t.usage.tokens}</dt><dd className="num">{t.requests.tokens(count(spent.tokens.input), count(spent.tokens.cached), count(spent.tokens.output), count(spent.tokens.reasoning))}</dd></>}
              {spent?.cost_usd != null && spent.cost_usd > 0 && <><dt>{t.usage.cost}</dt><dd className="num">{money(spent.cost_usd)}</dd></>}
            </dl>
          </div>
          <section className="stack">
            <h3>{t.requests.timeline}</h3>
            {row.attempts.length === 0 ? <p className="muted">{t.requests.noAttempts}</p> : (
              <ol className="line">
                {row.attempts.map((attempt, n) => {
                  const begin = passed;
                  passed += attempt.seconds;
                  return <Try key={n} attempt={attempt} name={names.get(attempt.account)} begin={begin} total={Math.max(total, passed)} under={row.running && n === row.attempts.length - 1} />;
                })}
              </ol>
            )}
          </section>
          {losses.length > 0 && <section className="stack tight"><h3>{t.requests.losses}</h3><Losses list={losses} /></section>}
          <Bodies id={id} list={asked.data?.bodies} pending={asked.isPending} running={row.running} test={row.client === PANEL} error={asked.error} />
        </div>
      )}
    </Dialog>
  );
}

/** What usually helps against the failure that a request ended with. */
function adviceFor(advice: Record<string, string>, row: Req): string {
  const last = row.attempts[row.attempts.length - 1];
  const known: Record<number, string> = { 401: "authentication", 402: "billing", 403: "permission", 429: "rate_limit", 500: "transient", 502: "transient", 503: "transient", 504: "timeout", 529: "transient" };
  if (!last) return "";
  return advice[last.reason === "upstream_unreachable" ? "unreachable" : (known[last.status] ?? "")] ?? "";
}

interface BodiesProps { id: string; list: LoggedBody[] | undefined; pending: boolean; running: boolean; test: boolean; error: unknown }
/** Who sent what, as far as it was written down. */
function Bodies({ id, list, pending, running, test, error }: BodiesProps) {
  const t = useText();
  const client = useQueryClient();
  const settings = useQuery(config);
  const on = settings.data?.["request-log"] === true;
  const turn = useMutation({
    mutationFn: () => change("PUT", "/request-log", { value: true }),
    onSuccess: () => {
      toast(t.requests.logOn);
      void client.invalidateQueries({ queryKey: ["config"] });
    },
    onError: (err) => toast(say(t, err), true),
  });
  return (
    <section className="stack tight" aria-label={t.requests.bodies}>
      <div className="row apart"><h3>{t.requests.bodies}</h3>{list && <Button small icon="download" onClick={() => void download(`/request-log-by-id/${encodeURIComponent(id)}`, `${id}.log`).catch((err: unknown) => toast(say(t, err), true))}>{t.download}</Button>}</div>
      {pending || settings.isPending ? <div className="sk" style={{ width: "60%" }} /> : list ? (
        <>
          <p className="small muted">{t.requests.masked}</p>
          {list.map((part, n) => <Part key={n} part={part} open={n === 0 || n === list.length - 1} />)}
        </>
      ) : error ? <p className="muted">{say(t, error)}</p> : running ? <p className="muted">{t.requests.notYet}</p> : test ? <p className="muted">{t.requests.noLogTest}</p> : on ? <p className="muted">{t.requests.noLog}</p> : (
        <Note>
          <div className="stack tight">
            <span>{t.requests.noBodies}</span>
            <div className="row"><Button small disabled={turn.isPending} onClick={() => turn.mutate()}>{t.requests.turnOn}</Button><a className="small" href="#/config?key=request-log">request-log</a></div>
          </div>
        </Note>
      )}
    </section>
  );
}

function Part({ part, open }: { part: LoggedBody; open: boolean }) {
  const t = useText();
  const name = (t.parts[part.of] ?? part.of) + (part.attempt > 1 ? ` (${part.attempt})` : "");
  const cut = part.size - new Blob([part.body]).size;
  return (
    <details open={open} className="part">
      <summary><span className="row apart" style={{ display: "inline-flex", width: "calc(100% - 20px)" }}><span>{name}</span><span className="small muted num">{bytes(part.size)}</span></span></summary>
      <div className="stack tight">
        <pre className="code head" tabIndex={0} role="region" aria-label={`${name}: ${t.requests.headers}`}>{part.head}</pre>
        {part.body && <div className="snip"><pre className="code" tabIndex={0} role="region" aria-label={name}>{pretty(part.body)}</pre><span className="copy"><Copy value={part.body} /></span></div>}
        {cut > 0 && <p className="small muted">{t.requests.cutOff(bytes(cut))}</p>}
      </div>
    </details>
  );
}

function pretty(text: string): string {
  if (!/^\s*[{[]/.test(text) || text.length > 200_000) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Try({ attempt, name, begin, total, under }: { attempt: Attempt; name: string | undefined; begin: number; total: number; under: boolean }) {
  const t = useText();
  const good = attempt.reason === "ok";
  const tone = good ? "ok" : attempt.reason ? "bad" : "off";
  return (
    <li className={tone}>
      <div className="row apart" style={{ flexWrap: "nowrap", alignItems: "flex-start" }}>
        <span className="row" style={{ gap: "0 8px" }} title={attempt.account}><strong className="wrap-any">{name ?? provider(attempt.provider)}</strong>{name && name !== provider(attempt.provider) && <span className="small muted">{provider(attempt.provider)}</span>}</span>
        <span className="num muted nowrap">{seconds(attempt.seconds)}</span>
      </div>
      <div className="row small">
        <State tone={tone === "off" ? "off" : tone}>{under && (good || !attempt.reason) ? (good ? t.requests.streaming : t.requests.running) : t.reasons[attempt.reason] ?? (attempt.reason || t.requests.givenUp)}</State>
        {attempt.status > 0 && <Tag>{attempt.status}</Tag>}
        <span className="muted">{attempt.model}</span>
      </div>
      {attempt.message && !good && <p className="small wrap-any muted">{attempt.message}</p>}
      <div className="span-track" aria-hidden="true"><div className={`span-fill ${good ? "" : "bad"}`} style={{ left: `${(begin / total) * 100}%`, width: `${(attempt.seconds / total) * 100}%` }} /></div>
    </li>
  );
}

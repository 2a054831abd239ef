import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo, useState } from "react";
import { download } from "../api/client";
import { config, requestLog, requests, used } from "../api/hooks";
import type { Attempt, Loss, Req, Used } from "../api/types";
import { useText } from "../i18n";
import { clock, compact, count, dateTime, dialect, money, provider, seconds } from "../lib/format";
import { go, useRoute } from "../lib/route";
import { Box, Button, Copy, Empty, Failure, Head, Loading, Search, Segments, State, Tag, toast, say } from "../ui/basic";
import { Dialog } from "../ui/dialog";

export const failed = (row: Req) => row.status >= 400 || row.status === 0 && !row.running;

export default function Requests() {
  const t = useText();
  const route = useRoute();
  const [live, run] = useState(true);
  const [find, search] = useState(route.query.get("q") ?? "");
  const [which, choose] = useState<"all" | "failed" | "lossy">("all");
  const list = useQuery({ ...requests(300), refetchInterval: live ? 2000 : false, placeholderData: keepPreviousData });
  const spent = useQuery({ ...used(300), refetchInterval: live ? 4000 : false });
  const wanted = useDeferredValue(find.trim().toLowerCase());
  const byId = useMemo(() => new Map((spent.data ?? []).map((row) => [row.id, row])), [spent.data]);
  const rows = useMemo(
    () =>
      (list.data ?? []).filter(
        (row) =>
          (which === "all" || (which === "failed" ? failed(row) : row.fidelity === "lossy")) &&
          (!wanted || [row.id, row.model, row.client, row.dialect, row.status, row.error, ...row.attempts.flatMap((a) => [a.provider, a.account, a.model, a.reason])].join(" ").toLowerCase().includes(wanted)),
      ),
    [list.data, which, wanted],
  );
  const open = route.page === "requests" && route.rest;
  return (
    <>
      <Head title={t.pages.requests} about={t.requests.about}>
        <Button icon={live ? "pause" : "play"} aria-pressed={live} onClick={() => {
          run(!live);
          if (!live) void list.refetch();
        }}>{live ? t.requests.pause : t.requests.follow}</Button>
      </Head>
      <div className="bar">
        <Search label={t.requests.search} value={find} onChange={search} />
        <Segments label={t.requests.which} value={which} onChange={choose} options={[["all", t.all], ["failed", t.requests.onlyFailed], ["lossy", t.requests.onlyLossy]]} />
        <span className="muted num" role="status">{list.data ? t.requests.found(rows.length) : ""}</span>
      </div>
      <Box flush>
        {list.isPending ? <Loading rows={10} /> : list.error ? <Failure error={list.error} retry={() => void list.refetch()} /> : rows.length ? (
          <RequestTable rows={rows} used={byId} onOpen={(id) => go(`requests/${id}`)} />
        ) : list.data?.length ? (
          <Empty title={t.nothingFound} actions={<Button onClick={() => {
            search("");
            choose("all");
          }}>{t.clearFilters}</Button>} />
        ) : (
          <Empty title={t.requests.none} actions={<Button onClick={() => go("clients")}>{t.pages.clients}</Button>}>{t.requests.noneHelp}</Empty>
        )}
      </Box>
      {open && <Detail id={open} row={list.data?.find((row) => row.id === open)} spent={byId.get(open)} onClose={() => go("requests")} />}
    </>
  );
}

interface TableProps { rows: Req[]; used: Map<string, Used>; onOpen: (id: string) => void; slim?: boolean }
export function RequestTable({ rows, used: spent, onOpen, slim }: TableProps) {
  const t = useText();
  return (
    <div className="table-wrap">
      <table className="table">
        <caption className="sr">{t.pages.requests}</caption>
        <thead>
          <tr>
            <th scope="col">{t.requests.time}</th>
            <th scope="col">{t.requests.status}</th>
            <th scope="col">{t.requests.model}</th>
            <th scope="col" className="wide">{t.requests.answeredBy}</th>
            <th scope="col" className="wide">{t.requests.fidelity}</th>
            {!slim && <th scope="col" className="wide">{t.requests.client}</th>}
            {!slim && <th scope="col" className="r wide">{t.usage.tokens}</th>}
            {!slim && <th scope="col" className="r wide">{t.usage.cost}</th>}
            <th scope="col" className="r wide">{t.requests.duration}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const last = row.attempts[row.attempts.length - 1];
            const sum = spent.get(row.id);
            return (
              <tr key={row.id} className="click" onClick={() => onOpen(row.id)}>
                <td className="num nowrap muted">{clock(row.at)}<div className="small narrow">{seconds(row.seconds)}</div></td>
                <td><Status row={row} /></td>
                <td style={{ minWidth: 150 }}>
                  <button type="button" className="link wrap-any" onClick={(e) => {
                    e.stopPropagation();
                    onOpen(row.id);
                  }}><strong>{row.model || "–"}</strong></button>
                  <div className="small muted">{dialect(row.dialect)}{row.stream ? ` · ${t.requests.stream}` : ""}</div>
                </td>
                <td className="wide">
                  <div>{last ? provider(last.provider) : "–"}</div>
                  <div className="small muted">{row.attempts.length > 1 ? t.requests.attempts(row.attempts.length) : last && last.model !== row.model ? last.model : ""}</div>
                </td>
                <td className="wide"><Fidelity value={row.fidelity} /></td>
                {!slim && <td className="wide small wrap-any">{row.client || "–"}</td>}
                {!slim && <td className="r wide">{sum ? <>{compact(sum.tokens.input)} <span className="muted">→</span> {compact(sum.tokens.output)}</> : "–"}</td>}
                {!slim && <td className="r wide">{sum?.cost_usd != null ? money(sum.cost_usd) : "–"}</td>}
                <td className="r wide">{seconds(row.seconds)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Status({ row }: { row: Req }) {
  const t = useText();
  if (row.running) return <Tag tone="info">{t.requests.running}</Tag>;
  if (row.status === 499) return <Tag>{t.requests.left}</Tag>;
  return <Tag tone={row.status >= 500 || row.status === 0 ? "bad" : row.status >= 400 ? "warn" : "ok"}>{row.status || t.requests.cut}</Tag>;
}

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

function Detail({ id, row: known, spent, onClose }: { id: string; row: Req | undefined; spent: Used | undefined; onClose: () => void }) {
  const t = useText();
  const asked = useQuery({ ...requests(500), enabled: !known });
  const row = known ?? asked.data?.find((item) => item.id === id);
  const settings = useQuery(config);
  // Most requests leave no log: it is asked for where there may be one.
  const bad = row !== undefined && (failed(row) || row.attempts.some((attempt) => attempt.status >= 400));
  const logged = settings.data?.["request-log"] === true || (bad && settings.data?.["logging-to-file"] === true);
  const log = useQuery({ ...requestLog(id), enabled: logged });
  const total = row ? Math.max(row.seconds, 0.001) : 1;
  const losses = row?.attempts[row.attempts.length - 1]?.losses ?? [];
  let passed = 0;
  return (
    <Dialog kind="drawer" title={row ? `${row.model}` : id} onClose={onClose}>
      {!row ? asked.isPending ? <Loading /> : <Empty title={t.requests.gone}>{t.requests.goneHelp}</Empty> : (
        <div className="stack loose">
          <div className="stack tight">
            <div className="row"><Status row={row} /><Fidelity value={row.fidelity} />{row.stream && <Tag>{t.requests.stream}</Tag>}</div>
            {row.error && <div className="note bad"><span className="wrap-any">{row.error}</span></div>}
            <dl className="kv">
              <dt>{t.requests.id}</dt><dd className="row"><code>{row.id}</code><Copy value={row.id} bare /></dd>
              <dt>{t.requests.time}</dt><dd className="num">{dateTime(row.at)}</dd>
              <dt>{t.requests.duration}</dt><dd className="num">{seconds(row.seconds)}{spent?.first_seconds != null && <span className="muted"> · {t.requests.first} {seconds(spent.first_seconds)}</span>}</dd>
              <dt>{t.requests.dialect}</dt><dd>{dialect(row.dialect)}{spent?.upstream && spent.upstream !== row.dialect ? <> → {dialect(spent.upstream)}</> : null}</dd>
              <dt>{t.requests.client}</dt><dd>{row.client || "–"}</dd>
              {spent && <><dt>{t.usage.tokens}</dt><dd className="num">{t.requests.tokens(count(spent.tokens.input), count(spent.tokens.cached), count(spent.tokens.output), count(spent.tokens.reasoning))}</dd></>}
              {spent?.cost_usd != null && <><dt>{t.usage.cost}</dt><dd className="num">{money(spent.cost_usd)}</dd></>}
            </dl>
          </div>
          <section className="stack">
            <h3>{t.requests.timeline}</h3>
            {row.attempts.length === 0 ? <p className="muted">{t.requests.noAttempts}</p> : (
              <ol className="line">
                {row.attempts.map((attempt, n) => {
                  const begin = passed;
                  passed += attempt.seconds;
                  return <Try key={n} attempt={attempt} begin={begin} total={Math.max(total, passed)} />;
                })}
              </ol>
            )}
          </section>
          {losses.length > 0 && <section className="stack tight"><h3>{t.requests.losses}</h3><Losses list={losses} /></section>}
          <section className="stack tight">
            <div className="row apart"><h3>{t.requests.bodies}</h3>{log.data && <Button small icon="download" onClick={() => void download(`/request-log-by-id/${encodeURIComponent(id)}`, `${id}.log`).catch((err: unknown) => toast(say(t, err), true))}>{t.download}</Button>}</div>
            {log.isLoading || settings.isPending ? <div className="sk" style={{ width: "60%" }} /> : log.data ? <pre className="code" tabIndex={0} role="region" aria-label={t.requests.bodies}>{log.data}</pre> : <p className="muted">{t.requests.noBodies} <a href="#/config?key=request-log">request-log</a></p>}
          </section>
        </div>
      )}
    </Dialog>
  );
}

function Try({ attempt, begin, total }: { attempt: Attempt; begin: number; total: number }) {
  const t = useText();
  const good = attempt.reason === "ok";
  const tone = good ? "ok" : attempt.reason ? "bad" : "off";
  return (
    <li className={tone}>
      <div className="row apart">
        <span className="row"><strong>{provider(attempt.provider)}</strong><code className="small">{attempt.account}</code></span>
        <span className="num muted">{seconds(attempt.seconds)}</span>
      </div>
      <div className="row small">
        <State tone={tone === "off" ? "off" : tone}>{t.reasons[attempt.reason] ?? (attempt.reason || t.requests.givenUp)}</State>
        {attempt.status > 0 && <Tag>{attempt.status}</Tag>}
        <span className="muted">{attempt.model}</span>
      </div>
      {attempt.message && !good && <p className="small wrap-any muted">{attempt.message}</p>}
      <div className="span-track" aria-hidden="true"><div className={`span-fill ${good ? "" : "bad"}`} style={{ left: `${(begin / total) * 100}%`, width: `${(attempt.seconds / total) * 100}%` }} /></div>
    </li>
  );
}

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { changedAccounts, requests, summary } from "../api/hooks";
import { show, useRows, type Row } from "../api/rows";
import type { Req, Sum } from "../api/types";
import { useText } from "../i18n";
import { compact, count, money, percent, provider } from "../lib/format";
import { go } from "../lib/route";
import { Box, Button, Countdown, Empty, Failure, Head, Loading, State, Stale, When } from "../ui/basic";
import { Guide, guideIsOver } from "./guide";
import { troubleName } from "./health";
import { RequestTable, failed, openRequest } from "./requests";

export default function Overview() {
  const t = useText();
  const client = useQueryClient();
  const { rows, ready, error, logins, lists } = useRows();
  // A guide that was begun goes on until its end, whatever happens meanwhile.
  const [guided, guide] = useState<boolean | null>(null);
  const latest = useQuery({ ...requests(100), refetchInterval: guided ? 1000 : 3000 });
  const ever = useQuery(summary("", ""));
  const known = logins.data !== undefined && lists.data !== undefined && !latest.isPending && !ever.isPending;
  const used = Boolean(ever.data?.[0]?.requests) || Boolean(latest.data?.length);
  const needed = known ? !rows.length || (!used && !latest.error && !guideIsOver()) : null;
  if (needed !== null && guided === null) guide(needed);
  const board = guided === false;
  return (
    <>
      <Head title={t.pages.overview}>{board && <Button icon="plus" tone="primary" onClick={() => go("accounts/add")}>{t.accounts.add}</Button>}</Head>
      {guided ? <Guide rows={rows} latest={latest.data ?? []} onEnd={() => guide(false)} /> : guided === null && error && !rows.length ? <div className="box"><Failure error={error} retry={() => void client.invalidateQueries()} /></div> : (
        <div className="stack">
          {error ? <Stale error={error} retry={() => void changedAccounts(client)} /> : null}
          <Verdict rows={rows} ready={ready} latest={latest.data ?? []} />
          <Day />
          <div className="two">
            <Box title={t.overview.latest} flush actions={<a href="#/requests">{t.overview.all}</a>}>
              {latest.isPending ? <Loading /> : !latest.data ? <Failure error={latest.error} retry={() => void latest.refetch()} /> : latest.data.length ? <Latest rows={latest.data} /> : <Empty title={t.requests.none} actions={<Button onClick={() => go("clients")}>{t.pages.clients}</Button>}>{t.requests.noneHelp}</Empty>}
            </Box>
            <Busiest />
          </div>
        </div>
      )}
    </>
  );
}

function Latest({ rows }: { rows: Req[] }) {
  const { names } = useRows();
  return <RequestTable rows={rows.slice(0, 8)} used={new Map()} names={names} onOpen={openRequest} slim />;
}

const MOST = 5;

/** Is everything all right? And if not: what is to be done. */
function Verdict({ rows, ready, latest }: { rows: Row[]; ready: boolean; latest: Req[] }) {
  const t = useText();
  if (!ready)
    return <section className="box verdict"><div className="verdict-head"><div className="sk" style={{ width: 220, height: 20 }} /><div className="sk" style={{ width: 320 }} /></div></section>;
  const on = rows.filter((row) => !row.disabled);
  const bad = on.filter((row) => row.standing === "error");
  const resting = on.filter((row) => row.standing === "resting");
  const serving = on.filter((row) => row.standing === "ready");
  const over = latest.filter((row) => !row.running).slice(0, 20);
  const wrong = over.filter((row) => failed(row) && row.status !== 499);
  const failing = over.length >= 4 && wrong.length * 2 > over.length;
  const tone = !rows.length ? "warn" : !serving.length || failing ? "bad" : bad.length ? "warn" : "ok";
  const title = !rows.length ? t.verdict.none : !on.length ? t.verdict.allOff : !serving.length ? (resting.length ? t.verdict.allResting : t.verdict.nobody) : failing ? t.verdict.failing(wrong.length, over.length) : bad.length ? t.verdict.some(bad.length) : t.verdict.fine;
  const under = latest.filter((row) => row.running).length;
  const last = over[0];
  const listed = [...bad, ...resting];
  return (
    <section className={`box verdict ${tone}`} aria-labelledby="verdict">
      <div className="verdict-head">
        <h2 id="verdict"><State tone={tone}>{title}</State></h2>
        <p className="muted num">
          {t.verdict.serving(serving.length, on.length)}
          {under > 0 && <> · {t.verdict.running(under)}</>}
          {last && <> · {t.verdict.last} <When at={last.at} /></>}
        </p>
      </div>
      {failing && !bad.length && wrong[0] && <div className="verdict-line"><span className="grow wrap-any">{wrong[0].error || `${wrong[0].status}`}</span><Button small onClick={() => go(`requests/${wrong[0]!.id}`)}>{t.verdict.look}</Button></div>}
      {listed.length > 0 && (
        <ul className="verdict-list" aria-label={t.overview.attention}>
          {listed.slice(0, MOST).map((row) => <Line key={row.id} row={row} />)}
          {listed.length > MOST && <li className="verdict-line"><a href="#/accounts">{t.verdict.more(listed.length - MOST)}</a></li>}
        </ul>
      )}
    </section>
  );
}

function Line({ row }: { row: Row }) {
  const t = useText();
  const found = row.trouble;
  if (!found) return null;
  return (
    <li className="verdict-line">
      <span className="verdict-who"><a className="strong wrap-any" href={`#/${show(row)}`}>{row.title}</a>{provider(row.provider) !== row.title && <> <span className="muted">{provider(row.provider)}</span></>}</span>
      <span className="verdict-what"><State tone={found.bad ? "bad" : "warn"}>{troubleName(t, found)}</State>{found.until !== null && <span className="muted"> {found.bad ? t.accounts.retried : t.accounts.free} <Countdown until={found.until} /></span>}</span>
      <span className="verdict-cure muted">{t.advice[found.why] ?? found.told}</span>
      <Button small onClick={() => go(show(row))}>{found.bad ? t.verdict.cure : t.accounts.details}</Button>
    </li>
  );
}

const HOUR = 3600;
const from = () => new Date((Math.floor(Date.now() / 1000 / HOUR) - 23) * HOUR * 1000).toISOString().slice(0, 13) + ":00:00Z";

/** The last day in four numbers and a row of hours. */
function Day() {
  const t = useText();
  const since = from();
  const totals = useQuery(summary("", since));
  const hours = useQuery(summary("hour", since));
  const sum: Sum | undefined = totals.data?.[0];
  const figure = (name: string, value: ReactNode, note: string) => (
    <div className="figure">
      <dt>{name}</dt>
      <dd>{totals.isPending ? <span className="sk" style={{ display: "block", width: 80, height: 24 }} /> : (value ?? "–")}</dd>
      <dd className="sub">{note || " "}</dd>
    </div>
  );
  const start = Date.parse(since) / 1000;
  const byHour = new Map((hours.data ?? []).map((row) => [Date.parse(row.hour ?? "") / 1000, row]));
  const bars = Array.from({ length: 24 }, (_, n) => {
    const found = byHour.get(start + n * HOUR);
    return { at: start + n * HOUR, good: (found?.requests ?? 0) - (found?.failed ?? 0), bad: found?.failed ?? 0 };
  });
  const most = Math.max(1, ...bars.map((bar) => bar.good + bar.bad));
  const hour = (at: number) => new Date(at * 1000).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  return (
    <section className="day" aria-label={t.overview.day}>
      <dl className="figures">
        {figure(t.usage.requests, sum && count(sum.requests), t.overview.day)}
        {figure(t.usage.failedShare, sum?.requests ? percent(sum.failed / sum.requests) : undefined, sum ? t.overview.failed(sum.failed) : "")}
        {figure(t.usage.tokens, sum && compact(sum.tokens.total), sum?.tokens.input ? t.overview.cached(percent(sum.tokens.cached / sum.tokens.input)) : "")}
        {figure(t.usage.cost, sum && money(sum.cost_usd), sum?.unpriced ? t.overview.unpriced(sum.unpriced) : t.overview.listPrice)}
      </dl>
      <figure className="hours">
        <div className="hours-bars" role="img" aria-label={t.overview.hours(count(sum?.requests ?? 0), count(sum?.failed ?? 0))}>
          {bars.map((bar) => (
            <span key={bar.at} title={`${hour(bar.at)}  ${t.accounts.calls(count(bar.good), count(bar.bad))}`}>
              {bar.bad > 0 && <i className="bad" style={{ height: `${(bar.bad / most) * 100}%` }} />}
              {bar.good > 0 && <i style={{ height: `${(bar.good / most) * 100}%` }} />}
            </span>
          ))}
        </div>
        <figcaption className="row apart small muted num"><span>{hour(start)}</span><span className="hours-legend"><span className="swatch" style={{ background: "var(--s1)" }} />{t.overview.answered} <span className="swatch" style={{ background: "var(--bad)" }} />{t.usage.failed}</span><span>{t.overview.now}</span></figcaption>
      </figure>
    </section>
  );
}

/** Which models did the work of the last day. */
function Busiest() {
  const t = useText();
  const list = useQuery(summary("model", from()));
  const sorted = [...(list.data ?? [])].sort((a, b) => b.requests - a.requests);
  const most = sorted[0]?.requests ?? 1;
  return (
    <Box title={t.overview.busiest} flush actions={<a href="#/usage">{t.pages.usage}</a>}>
      {list.isPending ? <Loading rows={4} /> : !list.data ? <Failure error={list.error} retry={() => void list.refetch()} /> : !sorted.length ? <p className="box-body muted">{t.usage.none}</p> : (
        <ul className="rows">
          {sorted.slice(0, 7).map((row) => (
            <li key={row.model} className="busy">
              <span className="row apart" style={{ flexWrap: "nowrap" }}><span className="clip" title={row.model}>{row.model || t.usage.unserved}</span><span className="num nowrap">{count(row.requests)}{row.failed > 0 && <span className="small bad-ink"> · {t.overview.failed(row.failed)}</span>}</span></span>
              <span className="share" style={{ width: `${(row.requests / most) * 100}%` }} />
            </li>
          ))}
        </ul>
      )}
    </Box>
  );
}

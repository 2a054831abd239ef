import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import { summary } from "../api/hooks";
import type { Sum } from "../api/types";
import { useClientName } from "../api/who";
import { useText } from "../i18n";
import { compact, count, money, percent, provider, seconds } from "../lib/format";
import { useKept } from "../lib/kept";
import { Box, Button, Empty, Failure, Head, Loading, Segments, Select, Stale } from "../ui/basic";
import type { Series } from "../ui/chart";

const Chart = lazy(() => import("../ui/chart"));

type Range = "24h" | "7d" | "30d" | "90d" | "own";
type By = "model" | "account" | "client" | "provider";
type Metric = "tokens" | "cost" | "requests" | "failed";
const HOUR = 3600;
const DAYS: Record<Exclude<Range, "own">, number> = { "24h": 1, "7d": 7, "30d": 30, "90d": 90 };
const MOST = 5;

const date = (when: Date) => `${when.getFullYear()}-${String(when.getMonth() + 1).padStart(2, "0")}-${String(when.getDate()).padStart(2, "0")}`;
const daysAgo = (days: number) => date(new Date(Date.now() - days * 86400e3));
const value = (row: Sum, metric: Metric) => metric === "tokens" ? row.tokens.total : metric === "cost" ? row.cost_usd : metric === "failed" ? row.failed : row.requests;
const named = (row: Sum, by: By, called: (mark: string) => string) => by === "account" ? row.source || row.account || "" : by === "provider" ? provider(row.provider ?? "") : by === "client" ? called(row.client ?? "") : (row[by] ?? "");

export default function Usage() {
  const t = useText();
  const [range, pick] = useKept<Range>("usage.range", "7d");
  const [own, date_] = useKept("usage.own", { from: daysAgo(6), to: daysAgo(0) });
  const [by, group] = useKept<By>("usage.by", "model");
  const [metric, measure] = useKept<Metric>("usage.metric", "tokens");
  const [table, tabulate] = useKept("usage.table", false);
  const called = useClientName();
  const hourly = range === "24h";
  const hourStart = Math.floor(Date.now() / 1000 / HOUR - 23) * HOUR;
  const from = hourly ? String(hourStart) : range === "own" ? own.from : daysAgo(DAYS[range] - 1);
  const to = range === "own" ? own.to : undefined;
  const unit = hourly ? "hour" : "day";
  const groups = useQuery({ ...summary(by, from, to), placeholderData: keepPreviousData });
  const timed = useQuery({ ...summary(`${unit},${by}`, from, to), placeholderData: keepPreviousData });
  const total = useQuery({ ...summary("", from, to), placeholderData: keepPreviousData });
  const show = metric === "cost" ? money : compact;
  const sum = total.data?.[0];

  const drawn = useMemo(() => {
    const step = hourly ? HOUR : 86400;
    const times: number[] = [];
    const marks: string[] = [];
    if (hourly) {
      for (let k = 0; k < 24; k++) {
        times.push(hourStart + k * HOUR);
        marks.push(new Date((hourStart + k * HOUR) * 1000).toISOString().slice(0, 13));
      }
    } else {
      const end = new Date(`${to ?? daysAgo(0)}T00:00:00`);
      for (const day = new Date(`${from}T00:00:00`); day <= end && times.length < 400; day.setDate(day.getDate() + 1)) {
        times.push(day.getTime() / 1000);
        marks.push(date(day));
      }
    }
    const at = new Map(marks.map((mark, k) => [mark, k]));
    const sums = new Map<string, { total: number; values: number[] }>();
    for (const row of timed.data ?? []) {
      const k = at.get((hourly ? row.hour?.slice(0, 13) : row.day) ?? "");
      if (k === undefined) continue;
      const name = named(row, by, called) || (by === "client" ? t.usage.unknown : t.usage.unserved);
      const entry = sums.get(name) ?? { total: 0, values: marks.map(() => 0) };
      entry.values[k] = (entry.values[k] ?? 0) + value(row, metric);
      entry.total += value(row, metric);
      sums.set(name, entry);
    }
    const sorted = [...sums].sort((a, b) => b[1].total - a[1].total);
    const series: Series[] = sorted.slice(0, MOST).map(([name, entry]) => ({ name, values: entry.values }));
    if (sorted.length > MOST)
      series.push({ name: t.usage.others(sorted.length - MOST), values: marks.map((_, k) => sorted.slice(MOST).reduce((acc, [, entry]) => acc + (entry.values[k] ?? 0), 0)) });
    return { times, marks, series, step };
  }, [timed.data, hourly, hourStart, from, to, by, metric, t, called]);

  const error = groups.error ?? timed.error ?? total.error;
  const again = () => void Promise.all([groups, timed, total].map((asked) => asked.refetch()));
  const nothing = total.data && !sum?.requests;
  return (
    <>
      <Head title={t.pages.usage} about={t.usage.about} />
      <div className="bar">
        <Segments label={t.usage.range} value={range} onChange={pick} options={[["24h", t.usage.ranges.day], ["7d", t.usage.ranges.week], ["30d", t.usage.ranges.month], ["90d", t.usage.ranges.quarter], ["own", t.usage.ranges.own]]} />
        {range === "own" && (
          <span className="row">
            <input className="input" type="date" aria-label={t.usage.from} value={own.from} max={own.to} onChange={(e) => e.target.value && date_({ ...own, from: e.target.value })} />
            <span aria-hidden="true">–</span>
            <input className="input" type="date" aria-label={t.usage.to} value={own.to} min={own.from} onChange={(e) => e.target.value && date_({ ...own, to: e.target.value })} />
          </span>
        )}
      </div>
      {error && !(groups.data && timed.data && total.data) ? <div className="box"><Failure error={error} retry={again} /></div> : (
        <div className="stack">
          {error ? <Stale error={error} retry={again} /> : null}
          <dl className="figures">
            <Big name={t.usage.requests} value={sum && count(sum.requests)} note={sum?.requests ? t.usage.failedOf(percent(sum.failed / sum.requests)) : ""} />
            <Big name={t.usage.input} value={sum && compact(sum.tokens.input)} note={sum?.tokens.input ? t.overview.cached(percent(sum.tokens.cached / sum.tokens.input)) : ""} />
            <Big name={t.usage.output} value={sum && compact(sum.tokens.output)} note={sum?.tokens.reasoning ? t.usage.reasoning(compact(sum.tokens.reasoning)) : ""} />
            <Big name={t.usage.cost} value={sum && money(sum.cost_usd)} note={sum?.unpriced ? t.overview.unpriced(sum.unpriced) : t.overview.listPrice} />
            <Big name={t.usage.first} value={sum && (sum.first_seconds === null ? "–" : seconds(sum.first_seconds))} note={sum?.seconds != null ? t.usage.whole(seconds(sum.seconds)) : ""} />
          </dl>
          <Box title={t.usage.overTime} actions={<>
            <Select quiet label={t.usage.metric} value={metric} onChange={(v) => measure(v as Metric)} options={[["tokens", t.usage.tokens], ["cost", t.usage.cost], ["requests", t.usage.requests], ["failed", t.usage.failed]]} />
            <Select quiet label={t.usage.by} value={by} onChange={(v) => group(v as By)} options={[["model", t.usage.byModel], ["account", t.usage.byAccount], ["client", t.usage.byClient], ["provider", t.usage.byProvider]]} />
            <Button icon="list" aria-pressed={table} onClick={() => tabulate(!table)}>{t.usage.asTable}</Button>
          </>}>
            {timed.isPending ? <div className="chart sk" /> : nothing ? <Empty title={t.usage.none}>{t.usage.noneHelp}</Empty> : table ? (
              <div className="table-wrap" style={{ maxHeight: 330, overflow: "auto" }} tabIndex={0} role="group" aria-label={t.usage.overTime}>
                <table className="table">
                  <caption className="sr">{t.usage.overTime}</caption>
                  <thead><tr><th scope="col">{t.requests.time}</th>{drawn.series.map((s) => <th key={s.name} scope="col" className="r">{s.name}</th>)}</tr></thead>
                  <tbody>{drawn.marks.map((mark, k) => <tr key={mark}><th scope="row" className="num">{hourly ? new Date((drawn.times[k] ?? 0) * 1000).toLocaleString(document.documentElement.lang, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false }) : mark}</th>{drawn.series.map((s) => <td key={s.name} className="r">{show(s.values[k] ?? 0)}</td>)}</tr>)}</tbody>
                </table>
              </div>
            ) : (
              <figure className="stack tight">
                <Suspense fallback={<div className="chart" />}><Chart times={drawn.times} series={drawn.series} step={drawn.step} show={show} label={t.usage.chartLabel} /></Suspense>
                <ul className="legend" aria-hidden="true">{drawn.series.map((s, k) => <li key={s.name}><span className="swatch" style={{ background: `var(--s${k + 1})` }} />{s.name}</li>)}</ul>
              </figure>
            )}
          </Box>
          {!nothing && (
            <Box title={t.usage.breakdown[by]} flush>
              {groups.isPending ? <Loading /> : <Breakdown rows={groups.data ?? []} by={by} metric={metric} />}
            </Box>
          )}
        </div>
      )}
    </>
  );
}

const Big = ({ name, value: shown, note }: { name: string; value: string | undefined; note: string }) => (
  <div className="figure"><dt>{name}</dt><dd>{shown ?? <span className="sk" style={{ display: "block", width: 80, height: 24 }} />}</dd><dd className="sub">{note || " "}</dd></div>
);

function Breakdown({ rows, by, metric }: { rows: Sum[]; by: By; metric: Metric }) {
  const t = useText();
  const called = useClientName();
  const sorted = [...rows].sort((a, b) => value(b, metric) - value(a, metric));
  const most = Math.max(...sorted.map((row) => value(row, metric)), 1e-9);
  return (
    <div className="table-wrap" role="group" tabIndex={0} aria-label={t.usage.breakdown[by]}>
      <table className="table">
        <caption className="sr">{t.usage.breakdown[by]}</caption>
        <thead>
          <tr>
            <th scope="col">{t.usage.columns[by]}</th>
            <th scope="col" className="r">{t.usage.requests}</th>
            <th scope="col" className="r wide">{t.usage.failed}</th>
            <th scope="col" className="r wide">{t.usage.input}</th>
            <th scope="col" className="r wider">{t.usage.cachedShare}</th>
            <th scope="col" className="r wide">{t.usage.output}</th>
            <th scope="col" className="r">{t.usage.tokens}</th>
            <th scope="col" className="r">{t.usage.cost}</th>
            <th scope="col" className="r wider">{t.usage.first}</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((row, k) => (
            <tr key={`${named(row, by, called)} ${k}`}>
              <th scope="row" className="wrap-any">{named(row, by, called) || (by === "client" ? t.usage.unknown : t.usage.unserved)}<span className="share" style={{ width: `${(value(row, metric) / most) * 100}%` }} /></th>
              <td className="r">{count(row.requests)}</td>
              <td className="r wide">{row.failed ? count(row.failed) : <span className="muted">0</span>}</td>
              <td className="r wide">{compact(row.tokens.input)}</td>
              <td className="r wider">{row.tokens.input ? percent(row.tokens.cached / row.tokens.input) : "–"}</td>
              <td className="r wide">{compact(row.tokens.output)}</td>
              <td className="r">{compact(row.tokens.total)}</td>
              <td className="r">{row.unpriced && !row.cost_usd ? "–" : money(row.cost_usd)}</td>
              <td className="r wider">{row.first_seconds === null ? "–" : seconds(row.first_seconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { clientKeys, cooldowns, files, models, requests, summary, useHasAccounts } from "../api/hooks";
import type { Sum } from "../api/types";
import { useText } from "../i18n";
import { compact, count, money, percent, provider } from "../lib/format";
import { Box, Button, Countdown, Empty, Failure, Head, Loading, State } from "../ui/basic";
import { ClientSnippets } from "./clients";
import { RequestTable } from "./requests";
import { go } from "../lib/route";

export default function Overview() {
  const t = useText();
  const has = useHasAccounts();
  const client = useQueryClient();
  const problem = useQuery(files).error;
  return (
    <>
      <Head title={t.pages.overview}>{has && <Button icon="plus" tone="primary" onClick={() => go("accounts/add")}>{t.accounts.add}</Button>}</Head>
      {problem && has === null ? <div className="box"><Failure error={problem} retry={() => void client.invalidateQueries()} /></div> : has === false ? <Guide /> : <Board />}
    </>
  );
}

/** What to do first, for somebody who has nothing yet. */
function Guide() {
  const t = useText();
  const keys = useQuery(clientKeys);
  const list = useQuery(models);
  const local = list.data?.[0];
  return (
    <div className="stack loose">
      <p style={{ maxWidth: "70ch" }}>{t.guide.about}</p>
      <ol className="steps">
        <li>
          <div className="stack tight">
            <h2>{t.guide.account}</h2>
            <p className="muted">{t.guide.accountHelp}</p>
            <div className="row"><Button tone="primary" icon="plus" onClick={() => go("accounts/add")}>{t.accounts.add}</Button><Button icon="upload" onClick={() => go("accounts/import")}>{t.accounts.import}</Button></div>
          </div>
        </li>
        <li className={keys.data?.length ? "done" : ""}>
          <div className="stack tight">
            <h2>{t.guide.key}</h2>
            <p className="muted">{keys.data?.length ? t.guide.keyDone(keys.data.length) : t.guide.keyHelp}</p>
            {!keys.data?.length && <div className="row"><Button onClick={() => go("clients")}>{t.clients.newKey}</Button></div>}
          </div>
        </li>
        <li>
          <div className="stack">
            <h2>{t.guide.client}</h2>
            <p className="muted">{local ? t.guide.clientLocal(local.id) : t.guide.clientHelp}</p>
            <ClientSnippets />
          </div>
        </li>
      </ol>
    </div>
  );
}

const day = () => new Date(Date.now() - 24 * 3600e3).toISOString().slice(0, 13) + ":00:00Z";

function Board() {
  const t = useText();
  const totals = useQuery(summary("", day()));
  const latest = useQuery({ ...requests(100), refetchInterval: 4000 });
  const sum: Sum | undefined = totals.data?.[0];
  return (
    <div className="stack">
      <dl className="figures" aria-label={t.overview.day}>
        <Figure name={t.usage.requests} value={sum ? count(sum.requests) : null} note={t.overview.day} ready={!totals.isPending} />
        <Figure name={t.usage.failedShare} value={sum?.requests ? percent(sum.failed / sum.requests) : null} note={sum ? t.overview.failed(sum.failed) : ""} ready={!totals.isPending} />
        <Figure name={t.usage.tokens} value={sum ? compact(sum.tokens.total) : null} note={sum?.tokens.input ? t.overview.cached(percent(sum.tokens.cached / sum.tokens.input)) : ""} ready={!totals.isPending} />
        <Figure name={t.usage.cost} value={sum ? money(sum.cost_usd) : null} note={sum?.unpriced ? t.overview.unpriced(sum.unpriced) : t.overview.listPrice} ready={!totals.isPending} />
      </dl>
      <Attention />
      <Box title={t.overview.latest} flush actions={<a href="#/requests">{t.overview.all}</a>}>
        {latest.isPending ? <Loading /> : latest.error ? <Failure error={latest.error} retry={() => void latest.refetch()} /> : latest.data.length ? <RequestTable rows={latest.data.slice(0, 8)} used={new Map()} onOpen={(id) => go(`requests/${id}`)} slim /> : <Empty title={t.requests.none} actions={<Button onClick={() => go("clients")}>{t.pages.clients}</Button>}>{t.requests.noneHelp}</Empty>}
      </Box>
    </div>
  );
}

function Figure({ name, value, note, ready }: { name: string; value: string | null; note: string; ready: boolean }) {
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>{ready ? (value ?? "–") : <span className="sk" style={{ display: "block", width: 80, height: 24 }} />}</dd>
      <dd className="sub">{note || " "}</dd>
    </div>
  );
}

/** Accounts that somebody should look at. */
function Attention() {
  const t = useText();
  const list = useQuery(files);
  const cooling = useQuery(cooldowns);
  const broken = (list.data ?? []).filter((file) => !file.disabled && file.status === "error");
  const resting = (cooling.data ?? []).filter((item) => item.state !== "stumbled");
  const error = list.error ?? cooling.error;
  if (error) return <Box title={t.overview.attention} flush><Failure error={error} retry={() => void Promise.all([list.refetch(), cooling.refetch()])} /></Box>;
  if (list.isPending || cooling.isPending) return <Box title={t.overview.attention} flush><Loading rows={2} /></Box>;
  return (
    <Box title={t.overview.attention} flush actions={<a href="#/accounts">{t.pages.accounts}</a>}>
      {!broken.length && !resting.length ? (
        <div className="box-body"><State tone="ok">{t.overview.fine}</State></div>
      ) : (
        <ul className="rows">
          {broken.map((file) => (
            <li key={file.name} className="row apart">
              <span className="row grow"><State tone="bad">{t.accounts.state.error}</State><strong className="clip">{file.email || file.label || file.name}</strong><span className="muted">{provider(file.provider)}</span></span>
              <span className="muted wrap-any">{file.status_message.slice(0, 160)}</span>
            </li>
          ))}
          {resting.slice(0, 8).map((item) => (
            <li key={`${item.account} ${item.model}`} className="row apart">
              <span className="row grow"><State tone="warn">{t.reasons[item.reason] ?? item.reason}</State><strong className="clip">{item.label || item.account}</strong><span className="muted clip">{item.model}</span></span>
              <span className="muted">{t.accounts.free} <Countdown until={item.until} /></span>
            </li>
          ))}
        </ul>
      )}
    </Box>
  );
}

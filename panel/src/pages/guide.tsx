/** From nothing to a first answered request, step by step. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { change } from "../api/client";
import { changedAccounts, clientKeys, models } from "../api/hooks";
import type { Row } from "../api/rows";
import type { Req, Trial } from "../api/types";
import { useText } from "../i18n";
import { provider, seconds } from "../lib/format";
import { freshKey } from "../lib/secrets";
import { go } from "../lib/route";
import { Button, Note, When, say, toast } from "../ui/basic";
import { ClientSnippets } from "./clients";
import { Status, failed } from "./requests";

const OVER = "cliproxy.guide";
export const guideIsOver = () => localStorage.getItem(OVER) === "over";

export function Guide({ rows, latest, onEnd }: { rows: Row[]; latest: Req[]; onEnd: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const keys = useQuery(clientKeys);
  const list = useQuery(models);
  const [busy, work] = useState(false);
  const own = list.data?.find((model) => model.owned_by === "local") ?? (rows.length ? undefined : list.data?.[0]);
  const accounts = rows.length > 0;
  const key = Boolean(keys.data?.length);
  const last = latest[0];
  const good = latest.find((row) => row.status === 200);
  const at = good ? 4 : !accounts && !own ? 1 : !accounts ? 1 : !key ? 2 : 3;

  function end() {
    localStorage.setItem(OVER, "over");
    onEnd();
  }
  async function run(what: () => Promise<unknown>) {
    work(true);
    try {
      await what();
    } catch (err) {
      toast(say(t, err), true);
    } finally {
      work(false);
    }
  }
  const makeKey = () => run(async () => {
    const made = freshKey();
    await change("PATCH", "/api-keys", { old: made, new: made });
    await client.invalidateQueries({ queryKey: clientKeys.queryKey });
  });
  const tryOne = () => run(async () => {
    const row = rows.find((item) => item.standing === "ready") ?? rows[0];
    if (!row) return;
    const told = await change<Trial>("POST", "/accounts/test", { account: row.account });
    await Promise.all([client.invalidateQueries({ queryKey: ["requests"] }), changedAccounts(client)]);
    if (!told.ok) toast(told.error, true);
  });
  const step = (n: number, done: boolean, title: string, help: ReactNode, children: ReactNode) => (
    <li className={done ? "done" : n === at ? "now" : ""} aria-current={n === at ? "step" : undefined}>
      <div className="stack tight">
        <h2>{title}{done && <span className="sr"> ({t.done})</span>}</h2>
        <p className="muted">{help}</p>
        {children}
      </div>
    </li>
  );
  return (
    <div className="stack loose guide">
      <div className="row apart"><p className="grow" style={{ maxWidth: "70ch" }}>{accounts ? t.guide.onTheWay : t.guide.about}</p>{accounts && !good && <Button small tone="plain" onClick={end}>{t.guide.skip}</Button>}</div>
      <ol className="steps">
        {step(1, accounts, t.guide.account, accounts ? t.guide.accountDone(rows.length, [...new Set(rows.map((row) => provider(row.provider)))].slice(0, 4).join(", ")) : t.guide.accountHelp, (
          <div className="row"><Button tone={accounts ? undefined : "primary"} icon="plus" onClick={() => go("accounts/add?back=guide")}>{accounts ? t.add.another : t.accounts.add}</Button>{!accounts && <Button icon="upload" onClick={() => go("accounts/import?back=guide")}>{t.accounts.import}</Button>}</div>
        ))}
        {step(2, key, t.guide.key, key ? t.guide.keyDone(keys.data?.length ?? 0) : t.guide.keyHelp, !key && keys.data ? <div className="row"><Button tone={accounts ? "primary" : undefined} icon="plus" disabled={busy} onClick={() => void makeKey()}>{t.clients.newKey}</Button></div> : null)}
        {step(3, Boolean(good), t.guide.client, accounts ? t.guide.clientHelp : own ? t.guide.clientLocal(own.id) : t.guide.clientHelp, list.data?.length ? <ClientSnippets start="curl" compact /> : <p className="hint">{t.guide.clientFirst}</p>)}
        {step(4, Boolean(good), t.guide.arrive, good ? t.guide.arrived : t.guide.arriveHelp, (
          <div aria-live="polite" className="stack tight">
            {good ? (
              <Note tone="ok">
                <div className="row apart">
                  <span className="row"><Status row={good} /><strong className="wrap-any">{good.model}</strong><span className="muted">{t.guide.answeredBy(provider(good.attempts[good.attempts.length - 1]?.provider ?? ""), seconds(good.seconds))}</span></span>
                  <Button tone="primary" onClick={end}>{t.guide.end}</Button>
                </div>
              </Note>
            ) : last && (failed(last) || last.running) ? (
              <Note tone={last.running ? "info" : "bad"}>
                <div className="row apart">
                  <span className="row grow"><Status row={last} /><strong className="wrap-any">{last.model}</strong><When at={last.at} /></span>
                  <a href={`#/requests/${last.id}`}>{t.verdict.look}</a>
                </div>
                {last.error && <div className="wrap-any">{last.error}</div>}
              </Note>
            ) : <p className="waiting"><span className="dot" aria-hidden="true" />{t.guide.waiting}</p>}
            {!good && accounts && <div className="row"><Button icon="play" disabled={busy} onClick={() => void tryOne()}>{busy ? t.accounts.testing : t.guide.sendOne}</Button></div>}
          </div>
        ))}
      </ol>
    </div>
  );
}

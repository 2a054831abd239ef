/** How an account stands, wherever that is told. */

import type { ReactNode } from "react";
import type { Row, Trouble } from "../api/rows";
import type { Text } from "../i18n";
import { ago } from "../lib/format";
import { Countdown, State } from "../ui/basic";

/** What is the matter with an account, in words. */
export function troubleName(t: Text, found: Trouble): string {
  return t.troubles[found.why] ?? t.reasons[found.why] ?? found.why;
}

export function Health({ row, t, cure }: { row: Row; t: Text; cure: ReactNode }) {
  if (row.disabled) return <div><State tone="off">{t.accounts.state.disabled}</State></div>;
  if (row.pending) return <div><State tone="off">{t.accounts.state.pending}</State></div>;
  const found = row.trouble ?? row.partly;
  const refreshed = row.file?.last_refresh ? Date.parse(row.file.last_refresh) / 1000 : null;
  if (!found) {
    const stumbled = row.cooling[0];
    return (
      <div>
        <State tone="ok">{t.accounts.state.ready}</State>
        {stumbled ? <div className="small muted">{t.states["stumbled"]} (<Countdown until={stumbled.until} />)</div> : row.running ? <div className="small muted num">{t.accounts.running(row.running)}</div> : refreshed ? <div className="small muted">{t.accounts.refreshed(ago(refreshed))}</div> : null}
      </div>
    );
  }
  return (
    <div className="stack" style={{ gap: 4, justifyItems: "start" }}>
      <State tone={row.trouble ? (found.bad ? "bad" : "warn") : found.models.length ? "ok" : "warn"}>{row.trouble || !found.models.length ? troubleName(t, found) : t.accounts.state.ready}</State>
      <div className="small muted wrap-any">
        {row.partly && found.models.length > 0 && <div>{t.accounts.partly(troubleName(t, found), found.models.length)} <span title={found.models.join("\n")}>{found.models.slice(0, 2).join(", ")}{found.models.length > 2 ? " …" : ""}</span></div>}
        {found.told && <div className="two-lines" title={found.told}>{found.told}</div>}
        {found.until !== null && <div>{found.bad ? t.accounts.retried : t.accounts.free} <Countdown until={found.until} />{t.sources[found.source] ? <> · {t.sources[found.source]}</> : null}</div>}
      </div>
      {cure}
    </div>
  );
}

import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo } from "react";
import { models } from "../api/hooks";
import { useText } from "../i18n";
import { compact, provider } from "../lib/format";
import { useKept } from "../lib/kept";
import { go } from "../lib/route";
import { Box, Button, Copy, Empty, Failure, Head, Loading, Search, Select, Stale, Tag } from "../ui/basic";

export default function Models() {
  const t = useText();
  const list = useQuery(models);
  const [find, search] = useKept("models.find", "");
  const [owner, pick] = useKept("models.owner", "");
  const wanted = useDeferredValue(find.trim().toLowerCase());
  const owners = useMemo(() => [...new Set((list.data ?? []).map((item) => item.owned_by ?? ""))].filter(Boolean).sort(), [list.data]);
  const rows = (list.data ?? []).filter((item) => (!owner || item.owned_by === owner) && (!wanted || `${item.id} ${item.display_name ?? ""} ${item.owned_by ?? ""}`.toLowerCase().includes(wanted)));
  return (
    <>
      <Head title={t.pages.models} about={t.models.about} />
      <div className="bar">
        <Search label={t.models.search} value={find} onChange={search} />
        <Select quiet label={t.models.owner} value={owner} onChange={pick} options={[["", t.models.anyOwner], ...owners.map((name) => [name, name] as const)]} />
        <span className="muted num" role="status">{list.data ? t.models.found(rows.length) : ""}</span>
      </div>
      {list.error && list.data ? <div style={{ marginBottom: 12 }}><Stale error={list.error} retry={() => void list.refetch()} /></div> : null}
      <Box flush>
        {list.isPending ? <Loading rows={8} /> : !list.data ? <Failure error={list.error} retry={() => void list.refetch()} /> : !list.data.length ? <Empty title={t.models.none} actions={<Button tone="primary" icon="plus" onClick={() => go("accounts/add")}>{t.accounts.add}</Button>}>{t.models.noneHelp}</Empty> : !rows.length ? <Empty title={t.nothingFound} actions={<Button onClick={() => {
          search("");
          pick("");
        }}>{t.clearFilters}</Button>} /> : (
          <div className="table-wrap">
            <table className="table">
              <caption className="sr">{t.pages.models}</caption>
              <thead><tr><th scope="col">{t.requests.model}</th><th scope="col" className="wide">{t.models.owner}</th><th scope="col" className="r wide">{t.models.context}</th><th scope="col">{t.pages.accounts}</th><th scope="col"><span className="sr">{t.actionsLabel}</span></th></tr></thead>
              <tbody>
                {rows.map((item) => (
                  <tr key={item.id}>
                    <td className="model"><code className="wrap-any">{item.id}</code>{item.display_name && item.display_name !== item.id && <div className="small muted">{item.display_name}</div>}</td>
                    <td className="wide">{item.owned_by || "–"}</td>
                    <td className="r wide">{item.context_length ? compact(item.context_length) : "–"}</td>
                    <td><Owners accounts={item.accounts ?? item.providers ?? []} /></td>
                    <td><div className="row end" style={{ flexWrap: "nowrap", gap: 2 }}><Copy value={item.id} bare /><Button icon="explain" bare small tone="plain" onClick={() => go(`explain?model=${encodeURIComponent(item.id)}`)}>{t.pages.explain}</Button></div></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Box>
    </>
  );
}

const SHOWN = 4;

function Owners({ accounts }: { accounts: ({ id: string; label?: string; provider?: string } | string)[] }) {
  const groups = new Map<string, string[]>();
  for (const item of accounts) {
    const name = typeof item === "string" ? (item.split(/[:/]/)[0] ?? item) : (item.provider ?? item.id);
    groups.set(name, [...(groups.get(name) ?? []), typeof item === "string" ? item : item.label || item.id]);
  }
  if (!groups.size) return <span className="muted">–</span>;
  return <div className="row tags" style={{ gap: 4 }}>{[...groups].slice(0, SHOWN).map(([name, list]) => <span key={name} title={list.join("\n")}><Tag>{provider(name)}{list.length > 1 ? ` × ${list.length}` : ""}</Tag></span>)}{groups.size > SHOWN && <span className="small muted" title={[...groups.keys()].slice(SHOWN).map(provider).join("\n")}>+{groups.size - SHOWN}</span>}</div>;
}

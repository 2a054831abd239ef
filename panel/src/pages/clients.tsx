import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { change, origin } from "../api/client";
import { clientKeys, models, type ClientKey } from "../api/hooks";
import { useText } from "../i18n";
import { mask } from "../lib/format";
import { useKept } from "../lib/kept";
import { freshKey } from "../lib/secrets";
import { CLIENTS, type ClientId } from "../lib/snippets";
import { Box, Button, Copy, Empty, Failure, Head, Loading, Secret, Select, Snippet, Tag, TextInput, copy, say, toast } from "../ui/basic";
import { Confirm, Dialog } from "../ui/dialog";

export default function Clients() {
  const t = useText();
  return (
    <>
      <Head title={t.pages.clients} about={t.clients.about} />
      <div className="stack loose">
        <Keys />
        <section className="stack" aria-labelledby="setups"><h2 id="setups">{t.clients.setups}</h2><ClientSnippets /></section>
      </div>
    </>
  );
}

function Keys() {
  const t = useText();
  const client = useQueryClient();
  const list = useQuery(clientKeys);
  const [gone, drop] = useState<string | null>(null);
  const [renamed, rename] = useState<ClientKey | null>(null);
  const [busy, work] = useState(false);
  async function alter(run: () => Promise<unknown>, done: string) {
    work(true);
    try {
      await run();
      toast(done);
    } catch (err) {
      toast(say(t, err), true);
    } finally {
      await client.invalidateQueries({ queryKey: clientKeys.queryKey });
      work(false);
      drop(null);
      rename(null);
    }
  }
  const add = () => {
    const key = freshKey();
    void alter(() => change("PATCH", "/api-keys", { old: key, new: key }), t.clients.keyMade);
  };
  return (
    <Box title={t.clients.keys} flush actions={<Button icon="plus" small disabled={busy || !list.data} onClick={add}>{t.clients.newKey}</Button>}>
      {list.isPending ? <Loading rows={2} /> : !list.data ? <Failure error={list.error} retry={() => void list.refetch()} /> : !list.data.length ? (
        <Empty title={t.clients.noKeys} actions={<Button tone="primary" icon="plus" disabled={busy} onClick={add}>{t.clients.newKey}</Button>}>{t.clients.noKeysHelp}</Empty>
      ) : (
        <ul className="rows">
          {list.data.map((item, n) => (
            <li key={item.key} className="row apart" style={{ flexWrap: "nowrap" }}>
              <span className="row grow" style={{ gap: "0 12px" }}><Tag>key-{n + 1}</Tag>{item.name && <strong className="wrap-any">{item.name}</strong>}<Secret value={item.key} />{item.mark.includes("#") && <code className="small muted">{item.mark.slice(item.mark.lastIndexOf("#"))}</code>}</span>
              <span className="row" style={{ flexWrap: "nowrap", gap: 2, flexShrink: 0 }}>
                <Button icon="edit" bare small tone="plain" disabled={busy} onClick={() => rename(item)}>{t.clients.rename(`key-${n + 1}`)}</Button>
                <Button icon="trash" bare small tone="plain" disabled={busy} onClick={() => drop(item.key)}>{t.delete}</Button>
              </span>
            </li>
          ))}
        </ul>
      )}
      {renamed && <Rename item={renamed} busy={busy} onClose={() => rename(null)} onName={(name) => void alter(() => change("PATCH", "/api-keys", { old: renamed.key, new: renamed.key, name }), t.saved)} />}
      {gone !== null && (
        <Confirm title={t.clients.deleteKey} action={t.delete} busy={busy} onClose={() => drop(null)} onYes={() => void alter(() => change("DELETE", "/api-keys", undefined, { value: gone }), t.clients.keyDeleted)}>
          <p>{t.clients.deleteSure} <code>{mask(gone)}</code></p>
        </Confirm>
      )}
    </Box>
  );
}

function Rename({ item, busy, onClose, onName }: { item: ClientKey; busy: boolean; onClose: () => void; onName: (name: string) => void }) {
  const t = useText();
  const [name, type] = useState(item.name);
  return (
    <Dialog firm title={t.clients.rename(mask(item.key))} onClose={onClose} foot={<><Button onClick={onClose}>{t.cancel}</Button><Button tone="primary" disabled={busy} onClick={() => onName(name.trim())}>{t.save}</Button></>}>
      <form onSubmit={(e) => {
        e.preventDefault();
        onName(name.trim());
      }}>
        <TextInput label={t.clients.name} hint={t.clients.renameHelp} value={name} maxLength={80} onChange={(e) => type(e.target.value)} />
      </form>
    </Dialog>
  );
}

export function ClientSnippets({ start = "claude-code", compact }: { start?: ClientId; compact?: boolean }) {
  const t = useText();
  const keys = useQuery(clientKeys);
  const list = useQuery(models);
  const [client, pick] = useKept<ClientId>(compact ? "guide.client" : "clients.client", start);
  const [key, use] = useState("");
  const [model, name] = useKept("clients.model", "");
  const usedKey = (keys.data?.some((item) => item.key === key) ? key : "") || keys.data?.[0]?.key || "";
  const usedModel = (list.data?.some((item) => item.id === model) ? model : "") || list.data?.[0]?.id || "";
  const found = CLIENTS.find((item) => item.id === client) ?? CLIENTS[0]!;
  const parts = found.parts(origin, usedKey || "YOUR-KEY", usedModel || "MODEL");
  const hidden = found.parts(origin, usedKey ? mask(usedKey) : "YOUR-KEY", usedModel || "MODEL");
  return (
    <div className={`split ${compact ? "compact" : ""}`}>
      {!compact && (
        <div className="aside">
          <nav className="nav" aria-label={t.clients.which}>
            {CLIENTS.map((item) => <button key={item.id} type="button" aria-current={item.id === client ? "true" : undefined} onClick={() => pick(item.id)}>{item.name}</button>)}
          </nav>
        </div>
      )}
      <div className="stack" style={{ minWidth: 0 }}>
        <div className="grid-2">
          <div className="which"><Select label={t.clients.one} value={client} onChange={(value) => pick(value as ClientId)} options={CLIENTS.map((item) => [item.id, item.name] as const)} /></div>
          <Select label={t.clients.key} value={usedKey} onChange={use} options={keys.data?.length ? keys.data.map((item) => [item.key, item.name ? `${item.name} · ${mask(item.key)}` : mask(item.key)] as const) : [["", t.clients.noKey] as const]} />
          <Select label={t.requests.model} value={usedModel} onChange={name} options={list.data?.length ? list.data.map((item) => [item.id, item.id] as const) : [["", t.models.none] as const]} />
        </div>
        <div className="row small"><span className="muted">{t.clients.address}</span><code className="wrap-any">{origin}</code><Copy value={origin} bare /></div>
        {parts.map((part, n) => (
          <div key={`${client}${n}`} className="stack tight">
            <div className="row apart"><h3>{t.clients.steps[part.what]}{part.file && <> <code>{part.file}</code></>}</h3></div>
            <Snippet label={`${found.name} ${part.file ?? ""}`} text={part.text} shown={hidden[n]?.text ?? part.text} />
          </div>
        ))}
        <p className="hint">{t.clients.masked}</p>
        {found.note && <p className="hint">{t.clients.notes[found.note]}</p>}
        {parts.length > 1 && <div><Button icon="copy" onClick={() => void copy(t, parts.map((part) => part.text).join("\n"))}>{t.clients.copyAll}</Button></div>}
      </div>
    </div>
  );
}

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useId, useMemo, useState } from "react";
import { ApiError, send, session } from "../api/client";
import { useText } from "../i18n";
import { around, diff, type Piece } from "../lib/diff";
import { useRoute } from "../lib/route";
import { GROUPS, type Setting } from "../lib/settings";
import { hidden } from "../lib/secrets";
import { at, faults, put, read, type Fault, type Value } from "../lib/yaml";
import { Box, Button, Empty, Failure, Head, Loading, Note, Search, State, Switch, Tabs, Tag, say, toast } from "../ui/basic";
import { Dialog } from "../ui/dialog";

const Editor = lazy(() => import("../ui/editor"));

interface Saved { text: string; etag: string }
/** A line of the file that was written all the same, and means nothing. */
interface Warning { line: number | null; path?: string; message: string }

/** What was not saved yet, for whoever looks at another page meanwhile. */
let kept: { base: Saved; draft: string } | null = null;
addEventListener("beforeunload", (e) => {
  if (kept) e.preventDefault();
});
session.subscribe(() => {
  if (session.key() === null) kept = null;
});

async function load(): Promise<Saved> {
  const response = await send("/config.yaml", { headers: { Accept: "application/yaml" } });
  return { text: await response.text(), etag: response.headers.get("etag") ?? "" };
}

export default function Config() {
  const t = useText();
  const client = useQueryClient();
  const file = useQuery({ queryKey: ["config.yaml"], queryFn: load, retry: false, refetchOnWindowFocus: false, staleTime: Infinity, gcTime: 0 });
  const [base, rebase] = useState<Saved | null>(kept?.base ?? null);
  const [{ draft, version }, replace] = useState({ draft: kept?.draft ?? "", version: 0 });
  /** Replace the text from outside the editor. */
  const write = (text: string) => replace((old) => ({ draft: text, version: old.version + 1 }));
  const [tab, turn] = useState<"form" | "yaml">("form");
  const [review, show] = useState(false);
  const [open, reveal] = useState(false);
  const [busy, work] = useState(false);
  const [problem, fail] = useState<{ text: string; fault: Fault | null } | null>(null);
  const [conflict, meet] = useState<Saved | null>(null);
  const [warnings, warn] = useState<Warning[]>([]);

  useEffect(() => {
    if (file.data && !base) {
      rebase(file.data);
      write(file.data.text);
    }
  }, [file.data, base]);

  const dirty = base !== null && draft !== base.text;
  const local = useMemo(() => (dirty ? faults(draft) : []), [dirty, draft]);
  useEffect(() => {
    kept = dirty && base ? { base, draft } : null;
  }, [dirty, base, draft]);

  // What went wrong is said at the top of the page.
  useEffect(() => {
    if (problem || conflict || warnings.length) scrollTo({ top: 0 });
  }, [problem, conflict, warnings]);

  function edit(text: string) {
    replace((old) => ({ ...old, draft: text }));
    if (problem) fail(null);
  }

  async function save() {
    if (!base) return;
    work(true);
    fail(null);
    try {
      const answer = await send("/config.yaml", { method: "PUT", body: draft, headers: { "Content-Type": "application/yaml", ...(base.etag ? { "If-Match": base.etag } : {}) } });
      const told = (await answer.json().catch(() => ({}))) as { warnings?: Warning[] };
      warn(told.warnings ?? []);
      const now = await load();
      rebase(now);
      write(now.text);
      show(false);
      toast(t.config.saved);
      await client.invalidateQueries();
    } catch (err) {
      if (err instanceof ApiError && (err.status === 412 || err.status === 409)) {
        meet(await load().catch(() => null));
        show(false);
      } else {
        const fault = err instanceof ApiError && err.line ? { line: err.line, column: err.column ?? 1, message: err.message } : null;
        fail({ text: say(t, err), fault });
        show(false);
        if (fault) turn("yaml");
      }
    } finally {
      work(false);
    }
  }

  if (file.error)
    return (
      <>
        <Head title={t.pages.config} />
        <div className="box">{file.error instanceof ApiError && file.error.status === 404 ? <Empty title={t.config.noFile}>{t.config.noFileHelp}</Empty> : <Failure error={file.error} retry={() => void file.refetch()} />}</div>
      </>
    );
  return (
    <>
      <Head title={t.pages.config} about={t.config.about} />
      {problem && <div style={{ marginBottom: 14 }}><Note tone="bad" alert><strong>{t.config.refused}</strong> {problem.fault && <Tag tone="bad">{t.config.line(problem.fault.line)}</Tag>}<div className="wrap-any">{problem.text}</div></Note></div>}
      {warnings.length > 0 && (
        <div style={{ marginBottom: 14 }}>
          <Note tone="warn" alert>
            <strong>{t.config.idle}</strong>
            <ul>{warnings.map((item) => <li key={`${item.line} ${item.message}`} className="wrap-any">{item.line ? <><Tag tone="warn">{t.config.line(item.line)}</Tag> </> : null}{item.path && <><code>{item.path}</code> </>}{item.message}</li>)}</ul>
          </Note>
        </div>
      )}
      {conflict && base && (
        <div style={{ marginBottom: 14 }}>
          <Note tone="warn" alert>
            <div className="stack tight">
              <div><strong>{t.config.conflict}</strong><p>{t.config.conflictHelp}</p></div>
              <details><summary>{t.config.theirs}</summary><Diff old={base.text} now={conflict.text} /></details>
              <div className="row">
                <Button onClick={() => {
                  rebase(conflict);
                  write(conflict.text);
                  meet(null);
                }}>{t.config.takeTheirs}</Button>
                <Button onClick={() => {
                  rebase(conflict);
                  meet(null);
                  show(true);
                }}>{t.config.keepMine}</Button>
              </div>
            </div>
          </Note>
        </div>
      )}
      <Tabs label={t.pages.config} value={tab} onChange={turn} tabs={[["form", t.config.form], ["yaml", t.config.yaml]]}>
        {!base ? <div className="box" style={{ minHeight: "60vh" }}><Loading rows={10} /></div> : tab === "form" ? <Form text={draft} onChange={edit} /> : (
          <div className="stack tight">
            <Suspense fallback={<div className="editor" />}><Editor value={draft} version={version} onChange={edit} label={t.config.yaml} told={problem?.fault ?? null} open={open} /></Suspense>
            <div className="row apart"><p className="hint">{t.config.keys}</p><label className="check"><input type="checkbox" checked={open} onChange={(e) => reveal(e.target.checked)} /><span>{t.config.secrets}</span></label></div>
          </div>
        )}
      </Tabs>
      {base && (
        <div className={`savebar ${dirty ? "stuck" : ""}`} role="region" aria-label={t.config.changes}>
          <span role="status">
            {local.length ? <State tone="bad">{t.config.line(local[0]!.line)}: {local[0]!.message}</State> : problem ? <State tone="bad">{t.config.refused}{problem.fault ? ` ${t.config.line(problem.fault.line)}` : ""}</State> : dirty ? <State tone="warn">{t.config.unsaved}</State> : <State tone="ok">{t.config.clean}</State>}
          </span>
          <span className="row">
            <Button disabled={!dirty} onClick={() => {
              write(base.text);
              fail(null);
            }}>{t.config.discard}</Button>
            <Button tone="primary" disabled={!dirty || local.length > 0} onClick={() => show(true)}>{t.config.review}</Button>
          </span>
        </div>
      )}
      {review && base && (
        <Dialog firm kind="wide-dialog" title={t.config.reviewTitle} onClose={() => show(false)} foot={<><Button onClick={() => show(false)}>{t.back}</Button><Button tone="primary" disabled={busy} onClick={() => void save()}>{busy ? t.config.saving : t.save}</Button></>}>
          <div className="stack"><p className="muted">{t.config.reviewHelp}</p><Diff old={base.text} now={draft} /></div>
        </Dialog>
      )}
    </>
  );
}

function Diff({ old, now }: { old: string; now: string }) {
  const t = useText();
  const pieces: Piece[] = useMemo(() => {
    // Compared as they are, shown without secrets.
    const [before, after] = [hidden(old), hidden(now)];
    return around(diff(old, now)).map((piece) =>
      piece.kind === "gap" ? piece : { ...piece, text: (piece.after !== null ? after[piece.after - 1] : before[(piece.before ?? 1) - 1]) ?? piece.text },
    );
  }, [old, now]);
  return (
    <div className="diff" tabIndex={0} role="region" aria-label={t.config.reviewTitle}>
      <table>
        <caption className="sr">{t.config.reviewTitle}</caption>
        <tbody>
          {pieces.map((piece, n) =>
            piece.kind === "gap" ? <tr key={n} className="gap"><td colSpan={4}>{t.config.gap(piece.lines)}</td></tr> : (
              <tr key={n} className={piece.kind}>
                <td className="n">{piece.before ?? ""}</td>
                <td className="n">{piece.after ?? ""}</td>
                <td style={{ width: 14 }}>{piece.kind === "add" ? <><span className="sr">{t.config.added}</span>+</> : piece.kind === "del" ? <><span className="sr">{t.config.removed}</span>−</> : ""}</td>
                <td>{piece.text || " "}</td>
              </tr>
            ),
          )}
        </tbody>
      </table>
    </div>
  );
}

function Form({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const t = useText();
  const route = useRoute();
  const tree = useMemo(() => read(text), [text]);
  const broken = useMemo(() => faults(text).length > 0, [text]);
  const [find, search] = useState(route.query.get("key") ?? "");
  const wanted = find.trim().toLowerCase();
  const groups = GROUPS.map((group) => ({ ...group, settings: group.settings.filter((item) => !wanted || `${item.path} ${t.settings[item.path]?.[0] ?? ""}`.toLowerCase().includes(wanted)) })).filter((group) => group.settings.length);
  if (broken) return <div className="box"><Empty title={t.config.brokenText}>{t.config.brokenHelp}</Empty></div>;
  return (
    <div className="stack">
      <div className="bar" style={{ marginBottom: 0 }}><Search label={t.config.find} value={find} onChange={search} /></div>
      {!groups.length && <div className="box"><Empty title={t.nothingFound}>{t.config.notInForm}</Empty></div>}
      {groups.map((group) => (
        <Box key={group.name} title={t.config.groups[group.name]} flush>
          {group.settings.map((setting) => <Line key={setting.path} setting={setting} value={at(tree, setting.path)} onChange={(value) => onChange(put(text, setting.path, value))} />)}
        </Box>
      ))}
      <p className="hint">{t.config.more}</p>
    </div>
  );
}

const simple = (value: unknown): value is string | number | boolean => ["string", "number", "boolean"].includes(typeof value);

function Line({ setting, value, onChange }: { setting: Setting; value: unknown; onChange: (value: Value | undefined) => void }) {
  const t = useText();
  const id = useId();
  const [label, help] = t.settings[setting.path] ?? [setting.path, ""];
  const given = value !== undefined && value !== null;
  const shown = given ? value : setting.initial;
  const { kind } = setting;
  const yes = shown === true || shown === "true" || shown === "yes" || shown === "on";
  const named = { id, "aria-describedby": `${id}-h` };
  let control;
  if (kind === "bool") control = <Switch label={label} on={yes} onChange={onChange} />;
  else if (Array.isArray(kind)) {
    const options = simple(shown) && !kind.includes(String(shown)) ? [...kind, String(shown)] : kind;
    control = <select className="select" {...named} value={String(shown)} onChange={(e) => onChange(e.target.value)}>{options.map((item: string) => <option key={item} value={item}>{t.options[item] ?? item}</option>)}</select>;
  } else if (kind === "list") control = <ListInput {...named} value={value} onChange={onChange} />;
  else control = <Typed {...named} setting={setting} value={simple(shown) ? String(shown) : ""} onChange={onChange} />;
  return (
    <div className="setting">
      <div style={{ minWidth: 0 }}>
        <div className="row" style={{ gap: "2px 8px" }}>
          {kind === "bool" ? <strong>{label}</strong> : <label htmlFor={id}><strong>{label}</strong></label>}
          <code className="small muted wrap-any">{setting.path.replace("/", ".")}</code>
          {setting.restart && <Tag>{t.config.restart}</Tag>}
        </div>
        <div className="hint" id={`${id}-h`}>{help}</div>
      </div>
      <div className="control row" style={{ flexWrap: "nowrap" }}>
        {given && <Button small tone="plain" icon="undo" bare onClick={() => onChange(undefined)}>{t.config.reset(label)}</Button>}
        {control}
      </div>
    </div>
  );
}

interface TypedProps { id: string; "aria-describedby": string; setting: Setting; value: string; onChange: (value: Value | undefined) => void }
function Typed({ setting, value, onChange, ...named }: TypedProps) {
  const t = useText();
  const [typed, type] = useState<string | null>(null);
  const [error, fail] = useState("");
  const [seen, see] = useState(false);
  function settle() {
    if (typed === null) return;
    const text = typed.trim();
    if (text === value) return type(null);
    if (setting.kind === "int") {
      const number = Number(text);
      if (!text || !Number.isInteger(number) || (setting.min !== undefined && number < setting.min)) return fail(t.config.wantsNumber);
      onChange(number);
    } else if (setting.kind === "duration") {
      if (!/^(\d+(\.\d+)?(ms|s|m|h)?)+$/.test(text)) return fail(t.config.wantsDuration);
      onChange(/^\d+$/.test(text) ? Number(text) : text);
    } else onChange(text);
    fail("");
    type(null);
  }
  const secret = setting.kind === "secret" && value.includes("@") && !seen && typed === null;
  return (
    <div className="grow">
      <div className="row" style={{ flexWrap: "nowrap" }}>
        <input className="input" {...named} type={secret ? "password" : "text"} inputMode={setting.kind === "int" ? "numeric" : undefined} value={typed ?? value} aria-invalid={error ? true : undefined} spellCheck={false} autoComplete="off" onChange={(e) => type(e.target.value)} onBlur={settle} onKeyDown={(e) => {
          if (e.key === "Enter") settle();
        }} />
        {setting.kind === "secret" && value.includes("@") && <Button icon="eye" bare aria-pressed={seen} onClick={() => see(!seen)}>{seen ? t.hide : t.show}</Button>}
      </div>
      {error && <div className="error-text" role="alert">{error}</div>}
    </div>
  );
}

function ListInput({ value, onChange, ...named }: { id: string; "aria-describedby": string; value: unknown; onChange: (value: Value | undefined) => void }) {
  const t = useText();
  const plain = value === undefined || value === null || (Array.isArray(value) && value.every((item) => typeof item === "string"));
  const text = Array.isArray(value) ? value.join(", ") : "";
  const [typed, type] = useState<string | null>(null);
  if (!plain) return <span className="hint">{t.config.onlyYaml}</span>;
  return <input className="input" {...named} value={typed ?? text} spellCheck={false} onChange={(e) => type(e.target.value)} onBlur={() => {
    if (typed === null) return;
    const items = typed.split(",").map((item) => item.trim()).filter(Boolean);
    if (items.join(", ") !== text) onChange(items.length ? items : undefined);
    type(null);
  }} />;
}

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { change, get, send } from "../api/client";
import { LIST_PROVIDER, KEY_LISTS, changedAccounts, rewriteKeys, type KeyList } from "../api/hooks";
import type { KeyEntry, LoginStart, LoginStatus } from "../api/types";
import { useText } from "../i18n";
import { provider } from "../lib/format";
import { Button, Copy, Countdown, Field, Note, SecretInput, Select, Tabs, TextInput, say, toast } from "../ui/basic";
import { Dialog } from "../ui/dialog";

type Tab = "login" | "key" | "file";

interface Way { id: string; path: string; flow: "browser" | "device" | "cookie"; options?: "project" }
const WAYS: Way[] = [
  { id: "claude", path: "/anthropic-auth-url", flow: "browser" },
  { id: "codex", path: "/codex-auth-url", flow: "browser" },
  { id: "gemini-cli", path: "/gemini-cli-auth-url", flow: "browser", options: "project" },
  { id: "antigravity", path: "/antigravity-auth-url", flow: "browser" },
  { id: "qwen", path: "/qwen-auth-url", flow: "device" },
  { id: "kimi", path: "/kimi-auth-url", flow: "device" },
  { id: "xai", path: "/xai-auth-url", flow: "device" },
  { id: "iflow", path: "/iflow-auth-url", flow: "browser" },
  { id: "iflow", path: "/iflow-auth-url", flow: "cookie" },
];

export function AddAccount({ start, provider: named, onClose }: { start: Tab; provider: string; onClose: () => void }) {
  const t = useText();
  const [tab, turn] = useState<Tab>(start);
  const [busy, lock] = useState(false);
  return (
    <Dialog title={t.add.title} onClose={onClose} kind="wide-dialog" firm>
      <Tabs label={t.add.title} value={tab} onChange={(value) => !busy && turn(value)} tabs={[["login", t.add.login], ["key", t.add.key], ["file", t.add.file]]}>
        {tab === "login" ? <ByLogin named={named} onClose={onClose} lock={lock} /> : tab === "key" ? <ByKey onClose={onClose} /> : <ByFile onClose={onClose} />}
      </Tabs>
    </Dialog>
  );
}

function ByLogin({ named, onClose, lock }: { named: string; onClose: () => void; lock: (busy: boolean) => void }) {
  const t = useText();
  const [way, choose] = useState<Way | null>(() => WAYS.find((item) => item.id === named) ?? null);
  const [project, name] = useState("");
  const [run, restart] = useState(0);
  useEffect(() => {
    lock(way !== null);
    return () => lock(false);
  }, [way, lock]);
  if (!way)
    return (
      <div className="stack">
        <p className="muted">{t.add.loginAbout}</p>
        <div className="pick">
          {WAYS.map((item) => (
            <button key={item.id + item.flow} type="button" onClick={() => choose(item)}>
              <strong>{provider(item.id)}</strong>
              <span className="small muted">{t.add.flow[item.flow]}</span>
            </button>
          ))}
        </div>
        <TextInput label={t.add.project} hint={t.add.projectHint} value={project} onChange={(e) => name(e.target.value)} />
      </div>
    );
  const back = () => choose(null);
  return way.flow === "cookie" ? <Cookie onBack={back} onClose={onClose} /> : <Running key={run} way={way} project={project} onBack={back} onAgain={() => restart(run + 1)} onClose={onClose} />;
}

interface RunningProps { way: Way; project: string; onBack: () => void; onAgain: () => void; onClose: () => void }
function Running({ way, project, onBack, onAgain, onClose }: RunningProps) {
  const t = useText();
  const client = useQueryClient();
  const [login, begin] = useState<LoginStart | null>(null);
  const [ended, end] = useState<{ ok: boolean; text: string } | null>(null);
  const [pasted, paste] = useState("");
  const [refused, refuse] = useState("");
  const [lost, lose] = useState("");
  const [handed, hand] = useState(false);
  const [until, expire] = useState<number | null>(null);
  const over = useRef(false);

  // One login for as long as this is shown; leaving ends it.
  useEffect(() => {
    let gone = false;
    let state = "";
    let timer = 0;
    const poll = async () => {
      try {
        const told = await get<LoginStatus>("/get-auth-status", { state });
        if (gone) return;
        lose("");
        if (told.status === "wait") timer = window.setTimeout(() => void poll(), 1500);
        else {
          over.current = true;
          end({ ok: told.status === "ok", text: told.error ?? told.name ?? "" });
          if (told.status === "ok") void changedAccounts(client);
        }
      } catch (err) {
        if (gone) return;
        // A server that is restarting is asked again.
        timer = window.setTimeout(() => void poll(), 3000);
        lose(say(t, err));
      }
    };
    // Started a moment later: a page that is mounted twice starts one login only.
    timer = window.setTimeout(() => void (async () => {
      try {
        const got = await get<LoginStart>(way.path, { is_webui: true, project_id: way.options === "project" ? project : undefined });
        state = got.state;
        if (gone) return void change("DELETE", "/oauth-session", undefined, { state }).catch(() => undefined);
        begin(got);
        expire(Date.now() / 1000 + (got.expires_in ?? 600));
        timer = window.setTimeout(() => void poll(), 1000);
      } catch (err) {
        if (!gone) {
          over.current = true;
          end({ ok: false, text: say(t, err) });
        }
      }
    })(), 0);
    return () => {
      gone = true;
      clearTimeout(timer);
      if (state && !over.current) void change("DELETE", "/oauth-session", undefined, { state }).catch(() => undefined);
    };
  }, []);

  async function bring() {
    refuse("");
    try {
      await change("POST", "/oauth-callback", { provider: way.id === "claude" ? "anthropic" : way.id === "gemini-cli" ? "gemini" : way.id, redirect_url: pasted.trim(), ...(login ? { state: login.state } : {}) });
      hand(true);
    } catch (err) {
      refuse(say(t, err));
    }
  }

  const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const device = login?.flow === "device" || Boolean(login?.user_code) || way.flow === "device";
  if (ended)
    return (
      <div className="stack">
        {ended.ok ? <Note tone="ok" alert><strong>{t.add.done(provider(way.id))}</strong>{ended.text && <div className="wrap-any">{ended.text}</div>}</Note> : <Note tone="bad" alert><strong>{t.add.failed}</strong><div className="wrap-any">{ended.text}</div></Note>}
        <div className="row end">{ended.ok ? <><Button onClick={onBack}>{t.add.another}</Button><Button tone="primary" onClick={onClose}>{t.done}</Button></> : <><Button onClick={onBack}>{t.back}</Button><Button tone="primary" icon="refresh" onClick={onAgain}>{t.add.again}</Button></>}</div>
      </div>
    );
  return (
    <div className="stack loose">
      <div className="row apart">
        <h3>{t.add.loginTo(provider(way.id))}</h3>
        <span className="muted small" role="status">{handed ? t.add.taken : login ? <>{t.add.waiting} {until && <Countdown until={until} />}</> : t.add.starting}</span>
      </div>
      {lost && <Note tone="bad" alert>{lost}</Note>}
      {login?.notice && <Note tone="warn"><strong>{t.add.notice}</strong><div>{login.notice}</div></Note>}
      <ol className="steps">
        <li>
          <div className="stack tight">
            <strong>{device ? t.add.openDevice : t.add.open}</strong>
            {login ? (
              <>
                <div className="row"><a className="btn primary" href={login.url} target="_blank" rel="noopener noreferrer">{t.add.openPage}</a><Copy value={login.url} label={t.add.copyAddress} small={false} /></div>
                <code className="small muted wrap-any">{login.url.length > 160 ? `${login.url.slice(0, 160)}…` : login.url}</code>
              </>
            ) : <div className="sk" style={{ width: 220, height: 34 }} />}
          </div>
        </li>
        {device ? (
          <li>
            <div className="stack tight">
              <strong>{t.add.typeCode}</strong>
              {login?.user_code ? <div className="row"><span className="code-big">{login.user_code}</span><Copy value={login.user_code} label={t.add.copyCode} small={false} />{until && <span className="muted">{t.add.codeValid} <Countdown until={until} /></span>}</div> : <p className="muted">{login ? t.add.codeInAddress : <span className="sk" style={{ display: "block", width: 180, height: 46 }} />}</p>}
            </div>
          </li>
        ) : (
          <li>
            <div className="stack tight">
              <strong>{local ? t.add.comesBack : t.add.pasteBack}</strong>
              <p className="muted">{local ? t.add.comesBackHelp : t.add.pasteBackHelp}</p>
              <form className="row" style={{ alignItems: "flex-end" }} onSubmit={(e) => {
                e.preventDefault();
                void bring();
              }}>
                <div className="grow"><TextInput label={t.add.callback} placeholder="http://localhost:…/callback?code=…&state=…" value={pasted} onChange={(e) => paste(e.target.value)} /></div>
                <Button type="submit" disabled={!login || !pasted.trim()}>{t.add.handOver}</Button>
              </form>
              {refused && <p className="error-text" role="alert">{refused}</p>}
            </div>
          </li>
        )}
        <li><div><strong>{t.add.finish}</strong><p className="muted">{t.add.finishHelp}</p></div></li>
      </ol>
      <div className="row end"><Button onClick={onBack}>{t.cancel}</Button></div>
    </div>
  );
}

function Cookie({ onBack, onClose }: { onBack: () => void; onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const [cookie, type] = useState("");
  const [error, fail] = useState("");
  const [busy, work] = useState(false);
  async function save() {
    work(true);
    fail("");
    try {
      await change("POST", "/iflow-auth-url", { cookie: cookie.trim() });
      await changedAccounts(client);
      toast(t.add.done("iFlow"));
      onClose();
    } catch (err) {
      fail(say(t, err));
      work(false);
    }
  }
  return (
    <form className="stack" onSubmit={(e) => {
      e.preventDefault();
      void save();
    }}>
      <SecretInput label={t.add.cookie} hint={t.add.cookieHint} placeholder="BXAuth=…;" value={cookie} onChange={(e) => type(e.target.value)} error={error || null} />
      <div className="row end"><Button onClick={onBack}>{t.back}</Button><Button type="submit" tone="primary" disabled={busy || !cookie.trim()}>{t.add.addIt}</Button></div>
    </form>
  );
}

const BASES: Partial<Record<KeyList, string>> = {
  "claude-api-key": "https://api.anthropic.com", "codex-api-key": "https://api.openai.com/v1",
  "gemini-api-key": "https://generativelanguage.googleapis.com", "xai-api-key": "https://api.x.ai/v1", "openai-compatibility": "https://openrouter.ai/api/v1",
};
const NEEDS_BASE: KeyList[] = ["openai-compatibility", "codex-api-key", "xai-api-key"];

function ByKey({ onClose }: { onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const [list, choose] = useState<KeyList>("claude-api-key");
  const [form, set] = useState({ key: "", name: "", base: "", prefix: "", models: "" });
  const [error, fail] = useState("");
  const [busy, work] = useState(false);
  const compat = list === "openai-compatibility";
  const field = (name: keyof typeof form) => ({ value: form[name], onChange: (e: { target: { value: string } }) => set({ ...form, [name]: e.target.value }) });

  async function save() {
    const lines = form.key.split(/\s+/).filter(Boolean);
    if (compat && !form.name.trim()) return fail(t.add.needsName);
    if (compat && !form.base.trim()) return fail(t.add.needsBase);
    if (!compat && !lines.length) return fail(t.add.needsKey);
    const models = form.models.split(/[,\n]/).map((text) => text.trim()).filter(Boolean).map((text) => {
      const [name = "", alias = ""] = text.split("=").map((part) => part.trim());
      return alias ? { name, alias } : { name };
    });
    const base = form.base.trim() || (NEEDS_BASE.includes(list) ? BASES[list] : "");
    const common: KeyEntry = { ...(base ? { "base-url": base } : {}), ...(form.prefix.trim() ? { prefix: form.prefix.trim() } : {}), ...(models.length ? { models } : {}) };
    const made: KeyEntry[] = compat
      ? [{ name: form.name.trim(), ...common, "api-key-entries": lines.map((key) => ({ "api-key": key })) }]
      : lines.map((key) => ({ "api-key": key, ...(form.name.trim() ? { name: form.name.trim() } : {}), ...common }));
    work(true);
    fail("");
    try {
      await rewriteKeys(list, (entries) => [...entries, ...made]);
      await changedAccounts(client);
      toast(t.add.done(provider(LIST_PROVIDER[list])));
      onClose();
    } catch (err) {
      fail(say(t, err));
      work(false);
    }
  }

  return (
    <form className="stack" onSubmit={(e) => {
      e.preventDefault();
      void save();
    }}>
      {error && <Note tone="bad" alert>{error}</Note>}
      <div className="grid-2">
        <Select label={t.add.service} value={list} onChange={(value) => choose(value as KeyList)} options={KEY_LISTS.map((name) => [name, t.add.services[name]] as const)} />
        <TextInput label={compat ? t.add.hostName : t.add.label} hint={compat ? t.add.hostNameHint : t.add.labelHint} required={compat} {...field("name")} />
      </div>
      <SecretInput label={t.add.apiKey} hint={compat ? t.add.keysHint : undefined} {...field("key")} />
      <TextInput label={t.accounts.baseUrl} type="url" hint={NEEDS_BASE.includes(list) ? undefined : t.add.baseHint} placeholder={BASES[list] ?? ""} required={compat} {...field("base")} />
      <Field label={t.add.models} hint={compat ? t.add.modelsNeeded : t.add.modelsHint}>{(id, described) => <textarea id={id} className="area" rows={3} aria-describedby={described} placeholder={"moonshotai/kimi-k2 = kimi"} {...field("models")} />}</Field>
      <TextInput label={t.accounts.prefix} hint={t.accounts.prefixHint} {...field("prefix")} />
      <div className="row end"><Button onClick={onClose}>{t.cancel}</Button><Button type="submit" tone="primary" disabled={busy}>{t.add.addIt}</Button></div>
    </form>
  );
}

function ByFile({ onClose }: { onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const [chosen, choose] = useState<File[]>([]);
  const [region, locate] = useState("us-central1");
  const [service, isService] = useState(false);
  const [errors, fail] = useState<string[]>([]);
  const [busy, work] = useState(false);

  async function look(list: File[]) {
    choose(list);
    fail([]);
    const texts = await Promise.all(list.map(async (file) => {
      try {
        const value: unknown = JSON.parse(await file.text());
        return (value as { type?: string } | null)?.type ?? "";
      } catch {
        return "?";
      }
    }));
    isService(texts.includes("service_account"));
    fail(list.filter((_, at) => texts[at] === "?").map((file) => t.add.notJson(file.name)));
  }

  async function bring() {
    work(true);
    const problems: string[] = [];
    for (const file of chosen) {
      const form = new FormData();
      form.append("file", file, file.name);
      const text = await file.text();
      const vertex = /"type"\s*:\s*"service_account"/.test(text);
      if (vertex) form.append("location", region);
      try {
        await send(vertex ? "/vertex/import" : "/auth-files", { method: "POST", body: form });
      } catch (err) {
        problems.push(`${file.name}: ${say(t, err)}`);
      }
    }
    await changedAccounts(client);
    work(false);
    if (problems.length) fail(problems);
    else {
      toast(t.add.imported(chosen.length));
      onClose();
    }
  }

  return (
    <form className="stack" onSubmit={(e) => {
      e.preventDefault();
      void bring();
    }}>
      <p className="muted">{t.add.fileAbout}</p>
      <Field label={t.add.files} hint={t.add.filesHint}>{(id, described) => <input id={id} className="input" type="file" multiple accept=".json,application/json" aria-describedby={described} onChange={(e) => void look([...(e.target.files ?? [])])} />}</Field>
      {service && <TextInput label={t.add.region} value={region} onChange={(e) => locate(e.target.value)} />}
      {errors.length > 0 && <Note tone="bad" alert>{errors.map((text) => <div key={text} className="wrap-any">{text}</div>)}</Note>}
      <div className="row end"><Button onClick={onClose}>{t.cancel}</Button><Button type="submit" tone="primary" icon="upload" disabled={busy || !chosen.length}>{t.accounts.import}</Button></div>
    </form>
  );
}

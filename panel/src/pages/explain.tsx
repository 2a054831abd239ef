import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError, change } from "../api/client";
import { models } from "../api/hooks";
import type { Choice } from "../api/types";
import { useText } from "../i18n";
import { dialect, provider } from "../lib/format";
import { useKept } from "../lib/kept";
import { Box, Button, Countdown, Empty, Failure, Field, Head, Loading, Note, Select, Snippet, State, Tag } from "../ui/basic";
import { useRoute } from "../lib/route";
import { Fidelity, Losses } from "./requests";

const SAMPLES: Record<string, unknown> = {
  "openai-chat": { messages: [{ role: "user", content: "Hello" }] },
  "openai-responses": { input: "Hello" },
  anthropic: { max_tokens: 1024, messages: [{ role: "user", content: "Hello" }] },
  gemini: { contents: [{ role: "user", parts: [{ text: "Hello" }] }] },
  "openai-completions": { prompt: "Hello" },
};
const GOOD = ["ready", "bound", "placed"];
const ASKED = ["ready", "bound", "placed", "probe", "unproven", "stumbled", "full"];

export default function Explain() {
  const t = useText();
  const route = useRoute();
  const list = useQuery(models);
  const [typed, name] = useKept<string | null>("explain.model", null, route.query.get("model"));
  const model = typed ?? list.data?.[0]?.id ?? "";
  const [kind, speak] = useKept("explain.dialect", "openai-chat");
  const [stream, flow] = useKept("explain.stream", false);
  const [own, write] = useKept<string | null>("explain.body", null);
  const body = own ?? JSON.stringify(SAMPLES[kind] ?? {}, null, 2);
  const [wrong, refuse] = useState("");
  const ask = useMutation({
    mutationFn: (asked: { body: unknown }) =>
      change<{ choices: Choice[] }>("POST", "/explain", { model: model.trim(), dialect: kind, stream, body: asked.body }),
  });

  function submit() {
    refuse("");
    let parsed: unknown;
    try {
      parsed = JSON.parse(body || "{}");
    } catch (err) {
      return refuse(t.explain.notJson(err instanceof Error ? err.message : ""));
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return refuse(t.explain.notObject);
    ask.mutate({ body: parsed });
  }

  return (
    <>
      <Head title={t.pages.explain} about={t.explain.about} />
      <div className="stack">
        <Box>
          <form className="stack" onSubmit={(e) => {
            e.preventDefault();
            submit();
          }}>
            <div className="grid-2">
              <Field label={t.requests.model}>{(id) => <><input id={id} className="input" list="explain-models" required value={model} onChange={(e) => name(e.target.value)} spellCheck={false} autoComplete="off" /><datalist id="explain-models">{(list.data ?? []).map((item) => <option key={item.id} value={item.id} />)}</datalist></>}</Field>
              <Select label={t.explain.dialect} value={kind} onChange={speak} options={Object.keys(SAMPLES).map((id) => [id, dialect(id)] as const)} />
            </div>
            <Field label={t.explain.body} hint={t.explain.bodyHint} error={wrong || null}>{(id, described) => <textarea id={id} className="area" rows={9} spellCheck={false} aria-describedby={described} value={body} onChange={(e) => write(e.target.value)} onBlur={() => {
              if (!body.trim()) write(null);
            }} />}</Field>
            <div className="row apart">
              <label className="check"><input type="checkbox" checked={stream} onChange={(e) => flow(e.target.checked)} /><span>{t.explain.stream}</span></label>
              <Button type="submit" tone="primary" icon="explain" disabled={!model.trim() || ask.isPending}>{t.explain.ask}</Button>
            </div>
          </form>
        </Box>
        <div aria-live="polite" className="stack">
          {ask.isPending ? <div className="box"><Loading rows={3} /></div> : ask.error instanceof ApiError && ask.error.status === 404 ? <div className="box"><Empty title={t.explain.nobody}>{ask.error.message || t.explain.nobodyHelp}</Empty></div> : ask.error ? <div className="box"><Failure error={ask.error} /></div> : ask.data ? (
            ask.data.choices.length ? (
              <>
                <h2>{t.explain.order(ask.data.choices.filter((item) => !item.error && ASKED.includes(item.state)).length, ask.data.choices.length)}</h2>
                <ol className="stack">{ask.data.choices.map((choice, n) => <li key={`${choice.account} ${choice.model} ${n}`}><Candidate choice={choice} n={n} /></li>)}</ol>
              </>
            ) : <div className="box"><Empty title={t.explain.nobody}>{t.explain.nobodyHelp}</Empty></div>
          ) : null}
        </div>
      </div>
    </>
  );
}

function Candidate({ choice, n }: { choice: Choice; n: number }) {
  const t = useText();
  const headers = Object.entries(choice.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
  const body = choice.body == null ? "" : JSON.stringify(choice.body, null, 2);
  return (
    <Box>
      <div className="stack">
        <div className="row apart">
          <div className="row">
            <span className="num muted" style={{ minWidth: 22 }}>{n + 1}.</span>
            <strong className="wrap-any">{choice.label || choice.account}</strong>
            <span className="muted">{provider(choice.provider)} · <code>{choice.model}</code></span>
          </div>
          <div className="row">
            <State tone={choice.error ? "bad" : GOOD.includes(choice.state) ? "ok" : "warn"}>{choice.error ? t.explain.cannot : (t.states[choice.state] ?? choice.state)}</State>
            <Fidelity value={choice.fidelity} />
          </div>
        </div>
        <div className="row small muted">
          {choice.because && <Tag tone="warn">{t.reasons[choice.because] ?? choice.because}</Tag>}
          {choice.until ? <span>{t.accounts.free} <Countdown until={choice.until} /></span> : null}
          <span>{t.accounts.priorityShort(choice.priority)}</span><span>{t.accounts.weightShort(choice.weight)}</span>
          {choice.proxy && <span>{t.accounts.proxy}: {choice.proxy}</span>}
          <code className="wrap-any">{choice.account}</code>
        </div>
        {choice.error && <Note tone="bad">{choice.error}</Note>}
        {choice.losses.length > 0 ? <details open><summary>{t.explain.losses(choice.losses.length)}</summary><Losses list={choice.losses} /></details> : !choice.error && <p className="small muted">{t.explain.noLosses}</p>}
        {choice.url && (
          <details open={n === 0}>
            <summary>{t.explain.request}</summary>
            <div className="stack tight">
              <Snippet label={t.explain.request} text={`${choice.method} ${choice.url}\n${headers}\n\n${body}`} />
            </div>
          </details>
        )}
      </div>
    </Box>
  );
}

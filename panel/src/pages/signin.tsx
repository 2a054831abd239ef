import { useEffect, useState } from "react";
import { ApiError, send, session } from "../api/client";
import { useText } from "../i18n";
import { Preferences } from "../app";
import { arriving } from "../lib/route";
import { Button, Note, say, SecretInput } from "../ui/basic";
import { Mark } from "../ui/icons";

export function SignIn() {
  const t = useText();
  const [key, type] = useState("");
  const [remember, keep] = useState(false);
  const [busy, work] = useState(false);
  const [error, fail] = useState<{ text: string; help?: string } | null>(null);

  useEffect(() => {
    arriving.again = true;
    document.title = `${t.signIn.title} · cliproxy`;
  }, [t]);

  async function enter() {
    work(true);
    fail(null);
    try {
      await send("/config", { as: key.trim() });
      session.enter(key.trim(), remember);
    } catch (err) {
      const status = err instanceof ApiError ? err.status : -1;
      if (status === 401) fail({ text: t.signIn.wrong });
      else if (status === 404) fail({ text: t.signIn.off, help: t.signIn.offHelp });
      else fail({ text: say(t, err) });
      work(false);
    }
  }

  return (
    <div className="gate">
      <header className="gate-art">
        <Lines />
        <div className="row" style={{ gap: 12 }}><span style={{ width: 34, height: 34 }}><Mark /></span><strong style={{ fontSize: 18 }}>cliproxy</strong></div>
        <div className="stack">
          <h2>{t.signIn.claim}</h2>
          <p style={{ maxWidth: "44ch" }}>{t.signIn.about}</p>
        </div>
      </header>
      <main className="gate-form">
        <form className="stack" onSubmit={(e) => {
          e.preventDefault();
          void enter();
        }}>
          <h1>{t.signIn.title}</h1>
          {session.ended() && !error && <Note tone="warn" alert>{t.signIn.ended}</Note>}
          <SecretInput label={t.signIn.key} hint={t.signIn.where} value={key} onChange={(e) => type(e.target.value)} required autoFocus error={error ? error.text : null} />
          {error?.help && <p className="hint">{error.help}</p>}
          <label className="check"><input type="checkbox" checked={remember} onChange={(e) => keep(e.target.checked)} /><span>{t.signIn.remember}<br /><span className="hint">{t.signIn.rememberHint}</span></span></label>
          <Button type="submit" tone="primary" disabled={busy || !key.trim()}>{busy ? t.signIn.checking : t.signIn.enter}</Button>
          <div style={{ marginTop: 20 }}><Preferences /></div>
        </form>
      </main>
    </div>
  );
}

/** Many clients, one junction, many accounts. */
function Lines() {
  const ys = [60, 150, 240, 330, 420, 510, 600];
  return (
    <svg className="lines" viewBox="0 0 600 660" preserveAspectRatio="xMidYMid slice" fill="none" aria-hidden="true">
      <g stroke="#7cc7b8" strokeOpacity=".28" strokeWidth="1.5">
        {ys.slice(0, 5).map((y) => <path key={y} d={`M-20 ${y} H90 C220 ${y} 220 330 320 330`} />)}
        {ys.map((y) => <path key={y} d={`M320 330 C430 330 430 ${y} 540 ${y} H640`} />)}
      </g>
      <circle cx="320" cy="330" r="9" fill="#f2b84b" />
      <g fill="#0a3f3a" stroke="#7cc7b8" strokeOpacity=".55" strokeWidth="1.5">{ys.map((y) => <circle key={y} cx="540" cy={y} r="5" />)}</g>
    </svg>
  );
}

/** The small parts that pages are made of. */

import {
  useEffect, useId, useRef, useState, useSyncExternalStore,
  type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes,
} from "react";
import { ApiError } from "../api/client";
import { ago, dateTime, left, mask, quotaName } from "../lib/format";
import { arriving } from "../lib/route";
import { useText, type Text } from "../i18n";
import { Icon, Nothing, type IconName } from "./icons";

type Tone = "ok" | "warn" | "bad" | "info" | "off" | "";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon?: IconName;
  tone?: "primary" | "danger" | "plain";
  small?: boolean;
  /** Only the icon is seen; the words are read out. */
  bare?: boolean;
}
export function Button({ icon, tone, small, bare, children, className, type = "button", ...rest }: ButtonProps) {
  const classes = ["btn", tone, small && "small", bare && "icon", className].filter(Boolean).join(" ");
  return (
    <button type={type} className={classes} title={bare && typeof children === "string" ? children : undefined} {...rest}>
      {icon && <Icon name={icon} />}
      {bare ? <span className="sr">{children}</span> : children}
    </button>
  );
}

export function Head({ title, about, children }: { title: string; about?: string; children?: ReactNode }) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · cliproxy`;
  }, [title]);
  // A page that follows another is read out from its title on.
  useEffect(() => {
    if (arriving.again) ref.current?.focus({ preventScroll: true });
    arriving.again = true;
  }, []);
  return (
    <header className="head">
      <div>
        <h1 tabIndex={-1} id="page-title" ref={ref}>{title}</h1>
        {about && <p>{about}</p>}
      </div>
      {children && <div className="head-actions">{children}</div>}
    </header>
  );
}

export function Box({ title, actions, children, flush }: { title?: string; actions?: ReactNode; children: ReactNode; flush?: boolean }) {
  const id = useId();
  return (
    <section className="box" aria-labelledby={title ? id : undefined}>
      {(title || actions) && (
        <div className="box-head">
          {title && <h2 id={id}>{title}</h2>}
          {actions && <div className="row">{actions}</div>}
        </div>
      )}
      {flush ? children : <div className="box-body">{children}</div>}
    </section>
  );
}

interface FieldProps { label: string; hint?: ReactNode; error?: string | null; children: (id: string, described: string | undefined) => ReactNode }
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const described = hint || error ? `${id}-d` : undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id, described)}
      {described && (
        <div id={described} className={error ? "error-text" : "hint"} role={error ? "alert" : undefined}>{error || hint}</div>
      )}
    </div>
  );
}

interface TextInputProps extends InputHTMLAttributes<HTMLInputElement> { label: string; hint?: ReactNode; error?: string | null }
export function TextInput({ label, hint, error, ...rest }: TextInputProps) {
  return (
    <Field label={label} hint={hint} error={error ?? null}>
      {(id, described) => <input id={id} className="input" aria-describedby={described} aria-invalid={error ? true : undefined} {...rest} />}
    </Field>
  );
}

interface SecretInputProps extends TextInputProps { shown?: boolean }
export function SecretInput({ label, hint, error, ...rest }: SecretInputProps) {
  const t = useText();
  const [shown, show] = useState(false);
  return (
    <Field label={label} hint={hint} error={error ?? null}>
      {(id, described) => (
        <div className="row" style={{ flexWrap: "nowrap" }}>
          <input id={id} className="input mono" type={shown ? "text" : "password"} autoComplete="off" spellCheck={false} aria-describedby={described} aria-invalid={error ? true : undefined} {...rest} />
          <Button icon="eye" bare aria-pressed={shown} onClick={() => show(!shown)}>{shown ? t.hide : t.show}</Button>
        </div>
      )}
    </Field>
  );
}

interface SelectProps extends Omit<SelectHTMLAttributes<HTMLSelectElement>, "onChange"> {
  label: string;
  options: readonly (readonly [value: string, text: string])[];
  value: string;
  onChange: (value: string) => void;
  /** The label is only read out. */
  quiet?: boolean;
}
export function Select({ label, options, value, onChange, quiet, ...rest }: SelectProps) {
  const id = useId();
  return (
    <div className={quiet ? undefined : "field"}>
      <label htmlFor={id} className={quiet ? "sr" : undefined}>{label}</label>
      <select id={id} className="select" value={value} onChange={(e) => onChange(e.target.value)} {...rest}>
        {options.map(([v, text]) => <option key={v} value={v}>{text}</option>)}
      </select>
    </div>
  );
}

export function Search({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return <input className="input search" type="search" aria-label={label} placeholder={label} value={value} onChange={(e) => onChange(e.target.value)} />;
}

interface SegmentsProps<T extends string> { label: string; options: readonly (readonly [T, string])[]; value: T; onChange: (value: T) => void }
export function Segments<T extends string>({ label, options, value, onChange }: SegmentsProps<T>) {
  const name = useId();
  return (
    <div className="seg" role="radiogroup" aria-label={label}>
      {options.map(([v, text]) => (
        <label key={v}>
          <input type="radio" name={name} value={v} checked={v === value} onChange={() => onChange(v)} />
          <span>{text}</span>
        </label>
      ))}
    </div>
  );
}

export function Switch({ label, on, onChange, disabled }: { label: string; on: boolean; onChange: (on: boolean) => void; disabled?: boolean }) {
  return <button type="button" role="switch" aria-checked={on} aria-label={label} title={label} className="switch" aria-disabled={disabled || undefined} onClick={() => {
    // Not disabled in earnest: it would lose the focus while it works.
    if (!disabled) onChange(!on);
  }} />;
}

interface TabsProps<T extends string> { label: string; tabs: readonly (readonly [T, string])[]; value: T; onChange: (value: T) => void; children: ReactNode }
export function Tabs<T extends string>({ label, tabs, value, onChange, children }: TabsProps<T>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const move = (step: number) => {
    const at = tabs.findIndex(([v]) => v === value);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    onChange(next[0]);
    list.current?.querySelector<HTMLElement>(`[data-tab="${next[0]}"]`)?.focus();
  };
  return (
    <>
      <div className="tabs" role="tablist" aria-label={label} ref={list}>
        {tabs.map(([v, text]) => (
          <button
            key={v} type="button" role="tab" data-tab={v} id={`${id}-${v}`} aria-selected={v === value} aria-controls={`${id}-panel`} tabIndex={v === value ? 0 : -1}
            onClick={() => onChange(v)}
            onKeyDown={(e) => {
              if (e.key === "ArrowRight") move(1);
              else if (e.key === "ArrowLeft") move(-1);
            }}
          >{text}</button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`} style={{ paddingTop: 16 }}>{children}</div>
    </>
  );
}

export const Tag = ({ tone = "", children }: { tone?: Tone; children: ReactNode }) => <span className={`tag ${tone}`}>{children}</span>;
export const State = ({ tone, children }: { tone: Tone; children: ReactNode }) => <span className={`state ${tone}`}>{children}</span>;
export const Note = ({ tone = "info", children, alert }: { tone?: Tone; children: ReactNode; alert?: boolean }) => (
  <div className={`note ${tone}`} role={alert ? "alert" : undefined}><div className="grow">{children}</div></div>
);

export function Empty({ title, children, actions }: { title: string; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="empty">
      <Nothing />
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {actions && <div className="row">{actions}</div>}
    </div>
  );
}

export function say(t: Text, err: unknown): string {
  if (err instanceof ApiError) {
    if (err.status === 0) return t.errors.unreachable;
    if (err.status === 404 && !err.message) return t.errors.missing;
    return err.message || t.errors.status(err.status);
  }
  return err instanceof Error ? err.message : String(err);
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const t = useText();
  return (
    <div className="empty failure" role="alert">
      <Nothing />
      <h2>{t.errors.title}</h2>
      <p>{say(t, error)}</p>
      {retry && <Button icon="refresh" onClick={retry}>{t.retry}</Button>}
    </div>
  );
}

export function Loading({ rows = 5 }: { rows?: number }) {
  const t = useText();
  return (
    <div className="rows" role="status" aria-label={t.loading}>
      {Array.from({ length: rows }, (_, n) => (
        <div key={n} style={{ padding: "14px 16px" }}><div className="sk" style={{ width: `${88 - ((n * 17) % 40)}%` }} /></div>
      ))}
    </div>
  );
}

/* Messages that pass. */
interface Toast { id: number; text: string; bad: boolean }
let toasts: Toast[] = [];
let next = 0;
const heard = new Set<() => void>();
const tell = () => heard.forEach((told) => told());
export function toast(text: string, bad = false) {
  const id = next++;
  toasts = [...toasts.slice(-3), { id, text, bad }];
  tell();
  setTimeout(() => {
    toasts = toasts.filter((item) => item.id !== id);
    tell();
  }, bad ? 9000 : 4500);
}
export function Toasts() {
  const shown = useSyncExternalStore(
    (told) => {
      heard.add(told);
      return () => void heard.delete(told);
    },
    () => toasts,
  );
  const ref = useRef<HTMLDivElement>(null);
  // A popover lies above open dialogs.
  useEffect(() => {
    const box = ref.current;
    if (!box?.showPopover) return;
    if (box.matches(":popover-open")) box.hidePopover();
    if (shown.length) box.showPopover();
  }, [shown]);
  return (
    <div className="toasts" role="status" aria-live="polite" popover="manual" ref={ref}>
      {shown.map((item) => <div key={item.id} className={`toast ${item.bad ? "bad" : ""}`}>{item.text}</div>)}
    </div>
  );
}

export async function copy(t: Text, value: string) {
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    // Without HTTPS there is no clipboard but this one.
    const area = document.createElement("textarea");
    area.value = value;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(t.copied);
}

export function Copy({ value, label, small = true, bare }: { value: string; label?: string; small?: boolean; bare?: boolean }) {
  const t = useText();
  return <Button icon="copy" small={small} {...(bare ? { bare, tone: "plain" as const } : {})} onClick={() => void copy(t, value)}>{label ?? t.copy}</Button>;
}

export function Snippet({ text, shown, label }: { text: string; shown?: string; label: string }) {
  const t = useText();
  return (
    <div className="snip">
      <pre className="code" tabIndex={0} role="region" aria-label={label}>{shown ?? text}</pre>
      <span className="copy"><Button icon="copy" small onClick={() => void copy(t, text)} aria-label={`${t.copy}: ${label}`}>{t.copy}</Button></span>
    </div>
  );
}

export function Secret({ value }: { value: string }) {
  const t = useText();
  const [shown, show] = useState(false);
  return (
    <span className="row" style={{ display: "inline-flex", flexWrap: "nowrap" }}>
      <code className="wrap-any">{shown ? value : mask(value)}</code>
      <Button icon="eye" bare small tone="plain" aria-pressed={shown} onClick={() => show(!shown)}>{shown ? t.hide : t.show}</Button>
      <Button icon="copy" bare small tone="plain" onClick={() => void copy(t, value)}>{t.copy}</Button>
    </span>
  );
}

/* One clock for all that tick alike, however many there are on a page. */
interface Ticking { now: number; heard: Set<() => void>; subscribe: (told: () => void) => () => void }
const clocks = new Map<number, Ticking>();
function ticking(every: number): Ticking {
  const known = clocks.get(every);
  if (known) return known;
  let timer = 0;
  const made: Ticking = {
    now: Date.now() / 1000,
    heard: new Set(),
    subscribe(told) {
      if (!made.heard.size) {
        made.now = Date.now() / 1000;
        timer = window.setInterval(() => {
          made.now = Date.now() / 1000;
          made.heard.forEach((hear) => hear());
        }, every);
      }
      made.heard.add(told);
      return () => {
        made.heard.delete(told);
        if (!made.heard.size) clearInterval(timer);
      };
    },
  };
  clocks.set(every, made);
  return made;
}
export function useNow(every = 1000): number {
  const clock = ticking(every);
  return useSyncExternalStore(clock.subscribe, () => clock.now);
}

/** How long ago something was; the exact moment is its title. */
export function When({ at }: { at: number }) {
  const now = useNow(5000);
  return <time className="num nowrap" dateTime={new Date(at * 1000).toISOString()} title={dateTime(at)}>{ago(at, Math.abs(at - now) < 10 ? Math.max(now, at) : now)}</time>;
}

/** What is shown is no longer up to date. */
export function Stale({ error, retry }: { error: unknown; retry: () => void }) {
  const t = useText();
  // That the server is gone is said once, at the top of every page.
  if (error instanceof ApiError && error.status === 0) return null;
  return <Note tone="warn" alert><div className="row apart"><span className="grow"><strong>{t.errors.stale}</strong> {say(t, error)}</span><Button small icon="refresh" onClick={retry}>{t.retry}</Button></div></Note>;
}
export function Countdown({ until }: { until: number }) {
  const t = useText();
  const now = useNow();
  return <span className="num nowrap">{until > now ? left(until - now) : t.moment}</span>;
}

/** How much of a limit is used, on one line: its name, a bar, the share, and when it is renewed. */
export function Meter({ label, used, reset }: { label: string; used: number; reset: number | null }) {
  const t = useText();
  const whole = Math.max(0, Math.min(100, used));
  const tone = whole >= 95 ? "bad" : whole >= 80 ? "warn" : "";
  const name = quotaName(label);
  return (
    <div className="meter">
      <span className="clip" title={name}>{name}</span>
      <div className="meter-track" role="meter" aria-label={name} aria-valuenow={Math.round(whole)} aria-valuemin={0} aria-valuemax={100}>
        <div className={`meter-fill ${tone}`} style={{ width: `${whole}%` }} />
      </div>
      <span className="num r">{Math.round(whole)} %</span>
      <span className="num r muted">{reset ? <span title={`${dateTime(reset)} · ${t.accounts.resets}`}><Until at={reset} /></span> : ""}</span>
    </div>
  );
}
/** A wait in its largest unit but one: limits are renewed in hours and days. */
function Until({ at }: { at: number }) {
  const now = useNow(10_000);
  return <>{left(at - now, true)}</>;
}

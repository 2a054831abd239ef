import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef, useState, useSyncExternalStore, type ComponentType } from "react";
import { session } from "./api/client";
import { served } from "./api/hooks";
import { speak, useLanguage, useText } from "./i18n";
import { go, useRoute } from "./lib/route";
import { setTheme, useTheme, type Theme } from "./lib/theme";
import { SignIn } from "./pages/signin";
import { Button, Loading, Note, Select, Tag, Toasts } from "./ui/basic";
import { Boundary } from "./ui/boundary";
import { Icon, Mark, type IconName } from "./ui/icons";

const PAGES = {
  "": lazy(() => import("./pages/overview")),
  accounts: lazy(() => import("./pages/accounts")),
  requests: lazy(() => import("./pages/requests")),
  usage: lazy(() => import("./pages/usage")),
  explain: lazy(() => import("./pages/explain")),
  models: lazy(() => import("./pages/models")),
  config: lazy(() => import("./pages/config")),
  logs: lazy(() => import("./pages/logs")),
  clients: lazy(() => import("./pages/clients")),
} satisfies Record<string, ComponentType>;
type PageName = keyof typeof PAGES;

const MENU: readonly (readonly [name: PageName, icon: IconName])[] = [
  ["", "home"], ["accounts", "accounts"], ["requests", "requests"], ["usage", "usage"], ["models", "models"],
  ["explain", "explain"], ["clients", "clients"], ["config", "config"], ["logs", "logs"],
];

export function App() {
  const key = useSyncExternalStore(session.subscribe, session.key);
  const client = useQueryClient();
  useEffect(() => {
    if (key === null) client.clear();
  }, [key, client]);
  return (
    <>
      {key === null ? <SignIn /> : <Frame />}
      <Toasts />
    </>
  );
}

function Frame() {
  const t = useText();
  const route = useRoute();
  const [menu, open] = useState(false);
  const name = route.page in PAGES ? (route.page as PageName) : "";
  const Page = PAGES[name];
  const pulse = useQuery(served);
  const gone = useSyncExternalStore(session.subscribe, session.gone);
  useEffect(() => {
    open(false);
    scrollTo(0, 0);
  }, [name]);
  return (
    <div className="frame">
      <a className="skip" href="#page-title" onClick={(e) => {
        e.preventDefault();
        document.getElementById("page-title")?.focus();
      }}>{t.skip}</a>
      <header className="topbar">
        <Button icon="menu" bare tone="plain" aria-expanded={menu} onClick={() => open(true)}>{t.menu}</Button>
        <a className="brand" href="#/"><Mark />cliproxy</a>
      </header>
      <header className="side"><Side at={name} /></header>
      {menu && <Menu onClose={() => open(false)}><Side at={name} onGo={() => open(false)} /></Menu>}
      <main className="main" id="main">
        {gone && pulse.data && <div className="gone"><Note tone="bad" alert><strong>{t.errors.gone}</strong> {t.errors.goneHelp}</Note></div>}
        <Boundary key={name}>
          <Suspense fallback={<div className="box"><Loading rows={8} /></div>}><Page /></Suspense>
        </Boundary>
      </main>
    </div>
  );
}

function Menu({ onClose, children }: { onClose: () => void; children: React.ReactNode }) {
  const t = useText();
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog?.open) dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog className="menu" ref={ref} aria-label={t.menu} onCancel={onClose} onMouseDown={(e) => {
      if (e.target === ref.current) onClose();
    }}>
      <div className="side">{children}</div>
    </dialog>
  );
}

function Side({ at, onGo }: { at: PageName; onGo?: () => void }) {
  const t = useText();
  const accounts = useQuery(served);
  const waiting = (accounts.data ?? []).filter((item) => !item.disabled && (item.cooldown !== null || !["ok", "refreshing", "network", "limited"].includes(item.state)));
  const bad = waiting.some((item) => item.cooldown === null || item.cooldown.reason !== "rate_limit");
  const server = useSyncExternalStore(session.subscribe, session.server);
  return (
    <>
      <a className="brand" href="#/" onClick={onGo}><Mark />cliproxy</a>
      <nav className="nav" aria-label={t.menu}>
        {MENU.map(([name, icon]) => (
          <a key={name} href={`#/${name}`} aria-current={name === at ? "page" : undefined} onClick={onGo}>
            <Icon name={icon} />
            {t.pages[name === "" ? "overview" : name]}
            {name === "accounts" && waiting.length > 0 && <span className="count"><Tag tone={bad ? "bad" : "warn"}>{waiting.length}<span className="sr"> {t.accounts.waiting}</span></Tag></span>}
          </a>
        ))}
      </nav>
      <div className="side-foot">
        <Preferences />
        <div className="row apart">
          <span className="small muted num clip">{server.version || " "}</span>
          <Button icon="out" small tone="plain" onClick={() => {
            session.leave();
            go("");
          }}>{t.signOut}</Button>
        </div>
      </div>
    </>
  );
}

export function Preferences() {
  const t = useText();
  const theme = useTheme();
  const language = useLanguage();
  return (
    <div className="prefs">
      <Select quiet label={t.theme.label} value={theme} onChange={(value) => setTheme(value as Theme)} options={[["system", t.theme.system], ["light", t.theme.light], ["dark", t.theme.dark]]} />
      <Select quiet label={t.language} value={language} onChange={(value) => void speak(value as "en" | "zh")} options={[["en", "English"], ["zh", "中文"]]} />
    </div>
  );
}

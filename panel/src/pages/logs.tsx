import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { ApiError, change, download, get, text } from "../api/client";
import { config, errorLogs } from "../api/hooks";
import type { LogPage } from "../api/types";
import { useText } from "../i18n";
import { bytes, dateTime } from "../lib/format";
import { parseLine } from "../lib/logline";
import { go } from "../lib/route";
import { Box, Button, Empty, Failure, Head, Loading, Search, Segments, Tabs, TextInput, say, toast } from "../ui/basic";
import { Confirm, Dialog } from "../ui/dialog";

const MOST = 5000;
type Level = "all" | "warn" | "error";

export default function Logs() {
  const t = useText();
  const [tab, turn] = useState<"live" | "errors" | "request">("live");
  const settings = useQuery(config);
  return (
    <>
      <Head title={t.pages.logs} />
      <Tabs label={t.pages.logs} value={tab} onChange={turn} tabs={[["live", t.logs.live], ["errors", t.logs.errors], ["request", t.logs.byId]]}>
        {tab === "live" ? settings.isPending ? <div className="box"><Loading rows={10} /></div> : <Live off={settings.data?.["logging-to-file"] === false} /> : tab === "errors" ? <Errors /> : <ById />}
      </Tabs>
    </>
  );
}

function Live({ off }: { off: boolean }) {
  const t = useText();
  const client = useQueryClient();
  const [lines, keep] = useState<string[]>([]);
  const [state, become] = useState<{ ready: boolean; error: unknown }>({ ready: false, error: null });
  const [follow, run] = useState(true);
  const [level, pick] = useState<Level>("all");
  const [find, search] = useState("");
  const [clearing, clear] = useState(false);
  const [round, again] = useState(0);
  const cursor = useRef<{ cursor?: string; after?: number }>({});
  const box = useRef<HTMLDivElement>(null);
  const bottom = useRef(true);

  useEffect(() => {
    if (off) return;
    let gone = false;
    let timer = 0;
    const poll = async (first: boolean) => {
      try {
        const at = cursor.current;
        const got = await get<LogPage>("/logs", first ? { limit: 2000 } : at.cursor ? { limit: 2000, cursor: at.cursor } : { after: at.after });
        if (gone) return;
        cursor.current = { ...(got["next-cursor"] ? { cursor: got["next-cursor"] } : {}), after: got["latest-timestamp"] };
        keep((old) => (first || got["cursor-reset"] ? got.lines : got.lines.length ? [...old, ...got.lines] : old).slice(-MOST));
        become({ ready: true, error: null });
        if (follow) timer = window.setTimeout(() => void poll(false), 2000);
      } catch (err) {
        if (gone) return;
        become({ ready: true, error: err });
        if (!(err instanceof ApiError && err.status === 400)) timer = window.setTimeout(() => void poll(first), 5000);
      }
    };
    void poll(cursor.current.cursor === undefined);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [off, follow, round]);

  const parsed = useMemo(() => {
    let last = "info";
    return lines.map((line, n) => {
      const item = parseLine(line, last);
      last = item.level;
      return { ...item, n };
    });
  }, [lines]);
  const wanted = find.trim().toLowerCase();
  const shown = parsed.filter((item) => (level === "all" || item.level === "error" || (level === "warn" && item.level === "warn")) && (!wanted || `${item.id} ${item.text}`.toLowerCase().includes(wanted)));

  useEffect(() => {
    const view = box.current;
    if (view && bottom.current) view.scrollTop = view.scrollHeight;
  }, [shown.length, state.ready]);

  const turnOn = useMutation({
    mutationFn: () => change("PUT", "/logging-to-file", { value: true }),
    onSuccess: () => {
      become({ ready: false, error: null });
      again(round + 1);
      void client.invalidateQueries({ queryKey: ["config"] });
    },
    onError: (err) => toast(say(t, err), true),
  });

  if (off || (state.error instanceof ApiError && state.error.status === 400))
    return <div className="box"><Empty title={t.logs.off} actions={<Button tone="primary" disabled={turnOn.isPending} onClick={() => turnOn.mutate()}>{t.logs.turnOn}</Button>}>{t.logs.offHelp}</Empty></div>;
  return (
    <>
      <div className="bar">
        <Search label={t.logs.search} value={find} onChange={search} />
        <Segments label={t.logs.level} value={level} onChange={pick} options={[["all", t.all], ["warn", t.logs.warnings], ["error", t.logs.onlyErrors]]} />
        <Button icon={follow ? "pause" : "play"} onClick={() => run(!follow)}>{follow ? t.requests.pause : t.requests.follow}</Button>
        <Button icon="trash" onClick={() => clear(true)}>{t.logs.clear}</Button>
        <span className="muted num" role="status">{state.ready ? t.logs.lines(shown.length) : ""}</span>
      </div>
      <Box flush>
        {!state.ready ? <div className="vacant"><Loading rows={10} /></div> : state.error && !lines.length ? <Failure error={state.error} retry={() => again(round + 1)} /> : !shown.length ? <div className="vacant"><Empty title={lines.length ? t.nothingFound : t.logs.none}>{lines.length ? undefined : t.logs.noneHelp}</Empty></div> : (
          <div className="log" ref={box} tabIndex={0} role="log" aria-live="off" aria-label={t.logs.live} onScroll={(e) => {
            const view = e.currentTarget;
            bottom.current = view.scrollHeight - view.scrollTop - view.clientHeight < 40;
          }}>
            {shown.map((item) => (
              <div key={item.n} className={item.level}>
                {item.time && <span className="t">{item.time.slice(5)} </span>}
                {item.id && <><button type="button" className="link" onClick={() => go(`requests/${item.id}`)}>{item.id}</button> </>}
                {item.level !== "info" && <strong>{item.level} </strong>}
                {item.text}
              </div>
            ))}
          </div>
        )}
      </Box>
      {clearing && (
        <Confirm title={t.logs.clear} action={t.logs.clear} onClose={() => clear(false)} onYes={() => void change("DELETE", "/logs").then(() => {
          cursor.current = {};
          keep([]);
          clear(false);
          again(round + 1);
        }, (err: unknown) => toast(say(t, err), true))}>{t.logs.clearSure}</Confirm>
      )}
    </>
  );
}

function Errors() {
  const t = useText();
  const list = useQuery(errorLogs);
  const [open, show] = useState<string | null>(null);
  return (
    <Box flush>
      {list.isPending ? <Loading /> : !list.data ? <Failure error={list.error} retry={() => void list.refetch()} /> : !list.data.length ? <Empty title={t.logs.noErrors}>{t.logs.noErrorsHelp}</Empty> : (
        <div className="table-wrap">
          <table className="table">
            <caption className="sr">{t.logs.errors}</caption>
            <thead><tr><th scope="col">{t.logs.file}</th><th scope="col" className="wide">{t.logs.modified}</th><th scope="col" className="r">{t.logs.size}</th><th scope="col"><span className="sr">{t.actionsLabel}</span></th></tr></thead>
            <tbody>
              {list.data.map((file) => (
                <tr key={file.name}>
                  <td><button type="button" className="link wrap-any" onClick={() => show(file.name)}><code>{file.name}</code></button></td>
                  <td className="num nowrap wide">{dateTime(file.modified)}</td>
                  <td className="r">{bytes(file.size)}</td>
                  <td className="r"><Button icon="download" bare small tone="plain" onClick={() => void download(`/request-error-logs/${encodeURIComponent(file.name)}`, file.name).catch((err: unknown) => toast(say(t, err), true))}>{t.download}</Button></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {open && <LogFileView title={open} path={`/request-error-logs/${encodeURIComponent(open)}`} onClose={() => show(null)} />}
    </Box>
  );
}

function LogFileView({ title, path, onClose }: { title: string; path: string; onClose: () => void }) {
  const t = useText();
  const asked = useQuery({ queryKey: ["log-file", path], queryFn: () => text(path), retry: false });
  return (
    <Dialog kind="wide-dialog" title={title} onClose={onClose} foot={<Button icon="download" onClick={() => void download(path, title)}>{t.download}</Button>}>
      {asked.isPending ? <Loading /> : asked.error ? <Failure error={asked.error} /> : <pre className="code" style={{ maxHeight: "none" }} tabIndex={0} role="region" aria-label={title}>{asked.data}</pre>}
    </Dialog>
  );
}

function ById() {
  const t = useText();
  const [id, type] = useState("");
  const [open, show] = useState<string | null>(null);
  return (
    <Box>
      <form className="row" style={{ alignItems: "flex-end" }} onSubmit={(e) => {
        e.preventDefault();
        if (id.trim()) show(id.trim());
      }}>
        <div className="grow" style={{ maxWidth: 420 }}><TextInput label={t.requests.id} hint={t.logs.idHint} value={id} onChange={(e) => type(e.target.value)} spellCheck={false} /></div>
        <Button type="submit" tone="primary" disabled={!id.trim()}>{t.show}</Button>
      </form>
      {open && <LogFileView title={`${open}.log`} path={`/request-log-by-id/${encodeURIComponent(open)}`} onClose={() => show(null)} />}
    </Box>
  );
}

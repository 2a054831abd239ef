import { useEffect, useId, useRef, type ReactNode } from "react";
import { useText } from "../i18n";
import { Button } from "./basic";

interface DialogProps { title: string; onClose: () => void; children: ReactNode; foot?: ReactNode; kind?: "" | "drawer" | "wide-dialog";
  /** A click beside it does not close it: something is being filled in. */
  firm?: boolean }

/** A window above the page; focus stays inside and goes back where it was. */
export function Dialog({ title, onClose, children, foot, kind = "", firm }: DialogProps) {
  const t = useText();
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    const before = document.activeElement;
    if (!dialog.open) {
      dialog.showModal();
      dialog.querySelector<HTMLElement>(".dialog-head h2")?.focus();
    }
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected && before !== document.body) before.focus();
      else document.getElementById("page-title")?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={ref} className={kind} aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
      onMouseDown={(e) => {
        if (e.target === ref.current && !firm) onClose();
      }}
    >
      <div className="dialog-head">
        <h2 id={id} className="two-lines" tabIndex={-1} title={title}>{title}</h2>
        <Button icon="close" bare tone="plain" onClick={onClose}>{t.close}</Button>
      </div>
      <div className="dialog-body">{children}</div>
      {foot && <div className="dialog-foot">{foot}</div>}
    </dialog>
  );
}

export function Confirm({ title, children, action, onClose, onYes, busy }: { title: string; children: ReactNode; action: string; onClose: () => void; onYes: () => void; busy?: boolean }) {
  const t = useText();
  return (
    <Dialog title={title} onClose={onClose} foot={<><Button onClick={onClose}>{t.cancel}</Button><Button tone="danger" disabled={busy} onClick={onYes}>{action}</Button></>}>
      {children}
    </Dialog>
  );
}

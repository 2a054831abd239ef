/** What was chosen on a page and is still chosen when one comes back to it, also after a reload. It ends with the tab,
 * and with the session. */

import { useState } from "react";
import { session } from "../api/client";

const STORED = "cliproxy.kept";
let kept: Record<string, unknown> = {};
try {
  kept = JSON.parse(sessionStorage.getItem(STORED) ?? "{}") as Record<string, unknown>;
} catch {
  sessionStorage.removeItem(STORED);
}
session.subscribe(() => {
  if (session.key() !== null) return;
  kept = {};
  sessionStorage.removeItem(STORED);
});

export function useKept<T>(name: string, initial: T, asked?: T | null): [T, (value: T) => void] {
  const [value, set] = useState<T>(() => asked ?? (name in kept ? (kept[name] as T) : initial));
  return [value, (next) => {
    kept[name] = next;
    sessionStorage.setItem(STORED, JSON.stringify(kept));
    set(next);
  }];
}

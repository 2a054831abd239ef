import { useSyncExternalStore } from "react";
import { setLocale } from "../lib/format";
import { en, type Text } from "./en";

export type { Text };
export type Language = "en" | "zh";

const STORED = "cliproxy.language";
let language: Language = "en";
let current: Text = en;
const listeners = new Set<() => void>();

export async function speak(wanted: Language): Promise<void> {
  current = wanted === "zh" ? (await import("./zh")).zh : en;
  language = wanted;
  setLocale(wanted === "zh" ? "zh-CN" : "en");
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  localStorage.setItem(STORED, wanted);
  listeners.forEach((told) => told());
}

export function start(): Promise<void> {
  const stored = localStorage.getItem(STORED);
  const zh = stored ? stored === "zh" : navigator.language.toLowerCase().startsWith("zh");
  return zh ? speak("zh") : (setLocale("en"), Promise.resolve());
}

const subscribe = (told: () => void) => {
  listeners.add(told);
  return () => void listeners.delete(told);
};

/** The words of the page. */
export const useText = (): Text => useSyncExternalStore(subscribe, () => current);
export const useLanguage = (): Language => useSyncExternalStore(subscribe, () => language);

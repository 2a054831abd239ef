import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const STORED = "cliproxy.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
const read = (): Theme => {
  const value = localStorage.getItem(STORED);
  return value === "light" || value === "dark" ? value : "system";
};
let theme = read();

function apply() {
  const shown = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
  document.documentElement.dataset["theme"] = shown;
  listeners.forEach((told) => told());
}

export function setTheme(value: Theme) {
  theme = value;
  if (value === "system") localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, value);
  apply();
}

export function startTheme() {
  dark.addEventListener("change", apply);
  apply();
}

const subscribe = (told: () => void) => {
  listeners.add(told);
  return () => void listeners.delete(told);
};
export const useTheme = () => useSyncExternalStore(subscribe, () => theme);
export const useShownTheme = () => useSyncExternalStore(subscribe, () => document.documentElement.dataset["theme"] ?? "light");

/** Addresses within the page: everything behind the #. */

import { useSyncExternalStore } from "react";

const listen = (told: () => void) => {
  addEventListener("hashchange", told);
  return () => removeEventListener("hashchange", told);
};

export interface Route { page: string; rest: string; query: URLSearchParams }

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", ...rest] = path.split("/");
  return { page, rest: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query) };
}

export function useRoute(): Route {
  return parse(useSyncExternalStore(listen, () => location.hash));
}

const hash = (path: string) => (path.startsWith("#") ? path : `#/${path}`);
export const go = (path: string) => {
  const from = location.hash;
  location.hash = hash(path);
  // Noted in the new place itself: whoever closes it can go back instead of on.
  if (location.hash !== from) history.replaceState({ from }, "");
};

/** Leave a window for the page below it, so that the browser's way back does not lead into it again. */
export const leave = (path: string) => {
  const state: unknown = history.state;
  if (state && typeof state === "object" && (state as { from?: unknown }).from === hash(path)) history.back();
  else location.replace(hash(path));
};

/** Whether something was shown here before: the first page leaves the focus where the browser puts it. */
export const arriving = { again: false };

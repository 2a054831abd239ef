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

export const go = (path: string) => {
  location.hash = path.startsWith("#") ? path : `#/${path}`;
};

/** Whether something was shown here before: the first page leaves the focus where the browser puts it. */
export const arriving = { again: false };

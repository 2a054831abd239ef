/** What client keys are called. Elsewhere they are known by their marks alone. */

import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useText } from "../i18n";
import { clientKeys } from "./hooks";

/** Who asks when an account is tested. */
export const PANEL = "management";

export function useClientName(): (mark: string) => string {
  const t = useText();
  const keys = useQuery(clientKeys);
  const names = useMemo(() => new Map((keys.data ?? []).filter((key) => key.name).map((key) => [key.mark, key.name])), [keys.data]);
  return useCallback((mark) => (mark === PANEL ? t.requests.byPanel : (names.get(mark) ?? mark)), [names, t]);
}

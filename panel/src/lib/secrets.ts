/** Where secrets stand in a configuration's text, so that they need not be on screen. */

const KEYED = /^(\s*(?:-\s+)?["']?(?:[\w-]*api-key|secret-key|client-secret|secret|password|key|token|cookie)["']?\s*:\s*)(\S.*?)(\s+#.*)?\s*$/i;
/** The same between braces, as often as it stands there. */
const FLOW = /([{,]\s*["']?(?:[\w-]*api-key|secret-key|client-secret|secret|password|key|token|cookie|authorization)["']?\s*:\s*)("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,{}[\]"'][^,{}[\]]*)/gi;
/** A list of keys between braces. */
const FLOW_LIST = /([{,]\s*["']?(?:api-keys|upstream-api-keys)["']?\s*:\s*\[)([^\]]*)/gi;
const USERINFO = /(:\/\/[^/\s:@"']+:)([^@\s/"']+)(?=@)/g;
const HEADER = /^(\s*["']?(?:authorization|x-api-key|x-goog-api-key|cookie)["']?\s*:\s*)(\S.*?)\s*$/i;
const LIST = /^(\s*)(?:-\s+)?["']?(?:api-keys|upstream-api-keys|generative-language-api-key)["']?\s*:\s*(.*)$/i;
const ITEM = /^(\s*-\s+)(\S.*?)(\s+#.*)?\s*$/;

export interface Hidden { line: number; from: number; to: number }

export function secrets(text: string): Hidden[] {
  const found: Hidden[] = [];
  let list: number | null = null;
  text.split("\n").forEach((line, at) => {
    const add = (from: number, length: number) => length > 0 && found.push({ line: at, from, to: from + length });
    const opened = LIST.exec(line);
    if (opened) {
      list = opened[1]!.length;
      const inline = opened[2]!.replace(/\s*#.*$/, "");
      if (inline && inline !== "[]") add(line.indexOf(opened[2]!), inline.length);
      return;
    }
    if (list !== null) {
      const indent = line.length - line.trimStart().length;
      const item = ITEM.exec(line);
      if (item && indent >= list && !/^["']?[\w-]+["']?\s*:\s/.test(item[2]!)) return void add(item[1]!.length, item[2]!.length);
      if (line.trim() && !line.trim().startsWith("#") && indent <= list) list = null;
    }
    const keyed = KEYED.exec(line) ?? HEADER.exec(line);
    if (keyed && keyed[2] !== '""' && keyed[2] !== "''") return void add(keyed[1]!.length, keyed[2]!.length);
    for (const shape of [FLOW, FLOW_LIST, USERINFO])
      for (const part of line.matchAll(shape)) if (!/^(""|'')?$/.test(part[2]!.trim())) add(part.index + part[1]!.length, part[2]!.trimEnd().length);
  });
  // In the order of the text, and no place twice: an address may hold a key and a password.
  found.sort((a, b) => a.line - b.line || a.from - b.from);
  return found.filter((item, n) => !found.slice(0, n).some((other) => other.line === item.line && other.to > item.from));
}

/** The lines of a text with dots in place of its secrets. */
export function hidden(text: string): string[] {
  const lines = text.split("\n");
  for (const { line, from, to } of secrets(text).reverse())
    lines[line] = `${lines[line]!.slice(0, from)}••••••••${lines[line]!.slice(to)}`;
  return lines;
}

/** A key of one's own for a client, which nobody guesses. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return `sk-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

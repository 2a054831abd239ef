/** Changes of single settings in a YAML text: whatever is not meant stays as it is, byte for byte. */

import { isMap, isScalar, parseDocument, stringify, type Document, type Pair, type YAMLMap } from "yaml";

export type Value = string | number | boolean | string[] | null;

export interface Fault { line: number; column: number; message: string }

export function faults(text: string): Fault[] {
  const doc = parseDocument(text, { prettyErrors: true });
  const found: Fault[] = doc.errors.map((err) => ({
    line: err.linePos?.[0].line ?? 1,
    column: err.linePos?.[0].col ?? 1,
    message: (err.message.split(" at line ")[0] ?? err.message).trim(),
  }));
  if (!found.length && doc.contents !== null && !isMap(doc.contents))
    found.push({ line: 1, column: 1, message: "The file must be a list of settings (key: value)." });
  return found;
}

export function read(text: string): Record<string, unknown> {
  try {
    const value: unknown = parseDocument(text).toJS();
    return value && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export function at(tree: Record<string, unknown>, path: string): unknown {
  let value: unknown = tree;
  for (const part of path.split("/")) {
    if (!value || typeof value !== "object") return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

const written = (value: Value) => stringify(value, { lineWidth: 0 }).trimEnd();

/** Return the text with one setting changed; `undefined` takes the key away. */
export function put(text: string, path: string, value: Value | undefined): string {
  const parts = path.split("/");
  const doc = parseDocument(text);
  if (doc.errors.length) return text;
  let map: YAMLMap | null = isMap(doc.contents) ? doc.contents : null;
  let depth = 0;
  let pair: Pair | undefined;
  while (map) {
    pair = map.items.find((item) => isScalar(item.key) && item.key.value === parts[depth]);
    if (!pair || depth === parts.length - 1) break;
    if (!isMap(pair.value)) break;
    map = pair.value;
    depth++;
    pair = undefined;
  }
  if (pair && depth === parts.length - 1 && map && !map.flow) return value === undefined ? without(text, pair) : replaced(text, pair, value);
  if (value === undefined) return text;
  if (map?.flow || (pair && depth < parts.length - 1 && !empty(pair))) return whole(doc, parts, value);
  if (pair && depth < parts.length - 1) {
    // `key:` stands there without anything below it.
    const [begin, end] = span(text, pair);
    const indent = column(text, begin);
    return text.slice(0, begin) + block(parts.slice(depth), value, indent) + text.slice(end);
  }
  const indent = map?.items[0] && depth > 0 ? column(text, keyStart(map.items[0])) : 0;
  const lines = block(parts.slice(depth), value, indent);
  if (depth === 0 || !map?.items.length) return `${text}${text && !text.endsWith("\n") ? "\n" : ""}${lines}`;
  const last = map.items[map.items.length - 1]!;
  const [, end] = span(text, last);
  return `${text.slice(0, end)}${end > 0 && text[end - 1] !== "\n" ? "\n" : ""}${lines}${text.slice(end)}`;
}

const empty = (pair: Pair) => pair.value === null || (isScalar(pair.value) && pair.value.value === null);

function keyStart(pair: Pair): number {
  return isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
}

const column = (text: string, offset: number) => offset - (text.lastIndexOf("\n", offset - 1) + 1);

function valueRange(pair: Pair): [number, number] | null {
  const value = pair.value as { range?: [number, number, number] | null } | null;
  return value?.range ? [value.range[0], value.range[1]] : null;
}

/** The whole lines of a pair. */
function span(text: string, pair: Pair): [number, number] {
  const start = keyStart(pair);
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const range = valueRange(pair);
  let end = Math.max(range ? range[1] : start, (isScalar(pair.key) ? pair.key.range?.[1] : start) ?? start);
  if (end > 0 && text[end - 1] === "\n") end--;
  const lineEnd = text.indexOf("\n", end);
  return [lineStart, lineEnd === -1 ? text.length : lineEnd + 1];
}

function without(text: string, pair: Pair): string {
  const [begin, end] = span(text, pair);
  return text.slice(0, begin) + text.slice(end);
}

function replaced(text: string, pair: Pair, value: Value): string {
  const range = valueRange(pair);
  if (range && isScalar(pair.value) && !Array.isArray(value) && range[1] > range[0]) {
    const quote = pair.value.type;
    const shown =
      typeof value === "string" && quote === "QUOTE_DOUBLE"
        ? JSON.stringify(value)
        : typeof value === "string" && quote === "QUOTE_SINGLE"
          ? `'${value.replaceAll("'", "''")}'`
          : written(value);
    return text.slice(0, range[0]) + shown + text.slice(range[1]);
  }
  const [begin, end] = span(text, pair);
  const indent = column(text, keyStart(pair));
  const name = isScalar(pair.key) ? String(pair.key.value) : "";
  return text.slice(0, begin) + block([name], value, indent) + text.slice(end);
}

function block(parts: string[], value: Value, indent: number): string {
  const pad = " ".repeat(indent);
  const [name, ...rest] = parts;
  if (rest.length) return `${pad}${name}:\n${block(rest, value, indent + 2)}`;
  if (Array.isArray(value) && value.length)
    return `${pad}${name}:\n${value.map((item) => `${pad}  - ${written(item)}\n`).join("")}`;
  return `${pad}${name}: ${written(value)}\n`;
}

function whole(doc: Document, parts: string[], value: Value): string {
  doc.setIn(parts, value);
  return doc.toString({ lineWidth: 0 });
}

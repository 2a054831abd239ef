export interface LogLine { time: string; id: string; level: string; text: string }

const SHAPE = /^\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)[^\]\s]*\]?\s*(?:\[([0-9a-zA-Z]{6,}|-{8})\]\s*)?(?:\[?(debug|info|warn|warning|error|fatal)\s*\]?\s+)?(.*)$/i;

export function parseLine(line: string, before: string): LogLine {
  const found = SHAPE.exec(line);
  if (!found) return { time: "", id: "", level: before, text: line };
  const level = (found[3] ?? "").toLowerCase();
  return {
    time: found[1] ?? "",
    id: found[2]?.startsWith("-") ? "" : (found[2] ?? ""),
    level: level === "warning" ? "warn" : level === "fatal" ? "error" : level || "info",
    text: found[4] ?? "",
  };
}

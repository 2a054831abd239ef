/** Line differences, for looking before saving. */

export interface DiffLine {
  kind: "same" | "add" | "del";
  text: string;
  before: number | null;
  after: number | null;
}

export function diff(old: string, now: string): DiffLine[] {
  const a = old.split("\n");
  const b = now.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const out: DiffLine[] = [];
  for (let i = 0; i < start; i++) out.push({ kind: "same", text: a[i]!, before: i + 1, after: i + 1 });
  const [n, m] = [endA - start, endB - start];
  // Longest common subsequence of what is left; beyond a size the whole block counts as replaced.
  const small = n * m <= 4_000_000;
  const width = m + 1;
  const table = small ? new Uint32Array((n + 1) * width) : new Uint32Array(0);
  if (small) {
    for (let i = n - 1; i >= 0; i--)
      for (let j = m - 1; j >= 0; j--)
        table[i * width + j] =
          a[start + i] === b[start + j]
            ? table[(i + 1) * width + j + 1]! + 1
            : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
  }
  let i = 0;
  let j = 0;
  while (i < n || j < m) {
    if (small && i < n && j < m && a[start + i] === b[start + j]) {
      out.push({ kind: "same", text: a[start + i]!, before: start + i + 1, after: start + j + 1 });
      i++;
      j++;
    } else if (i < n && (j >= m || !small || table[(i + 1) * width + j]! >= table[i * width + j + 1]!)) {
      out.push({ kind: "del", text: a[start + i]!, before: start + i + 1, after: null });
      i++;
    } else {
      out.push({ kind: "add", text: b[start + j]!, before: null, after: start + j + 1 });
      j++;
    }
  }
  for (let k = 0; endA + k < a.length; k++)
    out.push({ kind: "same", text: a[endA + k]!, before: endA + k + 1, after: endB + k + 1 });
  return out;
}

export type Piece = DiffLine | { kind: "gap"; lines: number };

/** Leave out what did not change, but for a few lines around what did. */
export function around(lines: DiffLine[], context = 3): Piece[] {
  const shown = lines.map(() => false);
  lines.forEach((line, at) => {
    if (line.kind !== "same")
      for (let k = Math.max(0, at - context); k <= Math.min(lines.length - 1, at + context); k++) shown[k] = true;
  });
  const out: Piece[] = [];
  let gap = 0;
  lines.forEach((line, at) => {
    if (!shown[at]) {
      gap++;
      return;
    }
    if (gap) out.push({ kind: "gap", lines: gap });
    gap = 0;
    out.push(line);
  });
  if (gap) out.push({ kind: "gap", lines: gap });
  return out;
}

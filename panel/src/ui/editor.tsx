/** The YAML editor. It lives in a shadow root: its style sheets are constructed there, which the
 * page's content security policy allows, and nothing of the page leaks in. */

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { linter, lintGutter, lintKeymap, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, RangeSetBuilder } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, ViewPlugin, type DecorationSet, type ViewUpdate } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { secrets } from "../lib/secrets";
import { faults, type Fault } from "../lib/yaml";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.string, tags.content], color: "var(--ink)" },
  { tag: [tags.number, tags.bool, tags.keyword, tags.atom], color: "var(--info)" },
  { tag: [tags.punctuation, tags.separator, tags.meta], color: "var(--muted)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);
const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--surface)", color: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-secret": { WebkitTextSecurity: "var(--secret-shape, disc)" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 26%, transparent)" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)" },
  ".cm-textfield": { backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)", color: "var(--ink)" },
});

const covered = Decoration.mark({ class: "cm-secret" });
function cover(view: EditorView): DecorationSet {
  const made = new RangeSetBuilder<Decoration>();
  const doc = view.state.doc;
  for (const { line, from, to } of secrets(doc.toString())) {
    const start = doc.line(line + 1).from;
    made.add(start + from, start + to, covered);
  }
  return made.finish();
}
const covers = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = cover(view);
    }
    update(update: ViewUpdate) {
      if (update.docChanged) this.decorations = cover(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

interface EditorProps {
  value: string;
  /** Grows whenever the text is replaced from outside; typing does not change it. */
  version: number;
  onChange: (value: string) => void; label: string; told: Fault | null; open: boolean }

export default function Editor({ value, version, onChange, label, told, open }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const change = useRef(onChange);
  const fault = useRef(told);
  change.current = onChange;
  fault.current = told;

  useEffect(() => {
    const box = host.current;
    if (!box) return;
    const root = box.shadowRoot ?? box.attachShadow({ mode: "open" });
    const place = document.createElement("div");
    place.style.height = "100%";
    root.append(place);
    const check = (now: EditorView): Diagnostic[] => {
      const doc = now.state.doc;
      const server = fault.current;
      return [...faults(doc.toString()), ...(server ? [server] : [])].map((item) => {
        const line = doc.line(Math.max(1, Math.min(doc.lines, item.line)));
        const from = Math.min(line.to, line.from + Math.max(0, item.column - 1));
        return { from, to: Math.max(from, line.to), severity: "error", message: item.message };
      });
    };
    const made = new EditorView({
      parent: place,
      root,
      state: EditorState.create({
        doc: value,
        extensions: [
          lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), highlightActiveLine(),
          highlightActiveLineGutter(), highlightSelectionMatches(), yaml(), syntaxHighlighting(colours), theme, covers,
          indentUnit.of("  "), lintGutter(), linter(check, { delay: 300 }), EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          // Tab indents only after it was asked to: Escape, then Tab, leaves the editor.
          keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, ...lintKeymap, indentWithTab]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) change.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      place.remove();
      view.current = null;
    };
    // The text is taken once; later texts come below.
  }, [label]);

  useEffect(() => {
    const made = view.current;
    if (made && made.state.doc.toString() !== value)
      made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: value } });
    // Not on every change of the value: it lags behind quick typing.
  }, [version]);

  useEffect(() => {
    const made = view.current;
    if (!made || !told) return;
    const line = made.state.doc.line(Math.max(1, Math.min(made.state.doc.lines, told.line)));
    made.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
    made.focus();
    // Looks again at once, with what the server said.
    made.dispatch({ changes: { from: 0, to: 0, insert: "" } });
  }, [told]);

  return <div className={`editor ${open ? "open" : ""}`} ref={host} />;
}

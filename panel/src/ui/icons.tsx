/** Line icons on a 20 × 20 grid. */

const PATHS = {
  home: "M3 9.2 10 3.5l7 5.7M5 8v8.5h10V8M8.5 16.5v-4h3v4",
  accounts: "M3 6h9M3 10h6M3 14h9M15.5 4v12M13.5 6l2-2 2 2",
  requests: "M2.5 10h3l2.2-5.5 4 11 2.3-5.5h3.5",
  usage: "M3.5 16.5h13M5.5 14v-4M10 14V4.5M14.5 14V8",
  explain: "M3 5h4c4 0 3 10 7 10h3M3 15h4c1.6 0 2.4-1.6 3-3.3M14.5 12.5 17 15l-2.5 2.5M11.6 6.2C12.3 5.4 13 5 14 5h3M14.5 2.5 17 5l-2.5 2.5",
  models: "M10 3l6.5 3.5v7L10 17l-6.5-3.5v-7zM3.5 6.5 10 10l6.5-3.5M10 10v7",
  config: "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4",
  logs: "M4 4h12M4 8h9M4 12h12M4 16h6",
  clients: "M7 7 3.5 10 7 13M13 7l3.5 3L13 13M11.3 5l-2.6 10",
  menu: "M3 6h14M3 10h14M3 14h14",
  close: "M5 5l10 10M15 5 5 15",
  plus: "M10 4v12M4 10h12",
  copy: "M7 7h9v9H7zM4 13V4h9",
  eye: "M2 10s3-5.5 8-5.5S18 10 18 10s-3 5.5-8 5.5S2 10 2 10zM10 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
  edit: "M4 16l.8-3.4L13.5 4 16 6.5 7.4 15.2zM12 5.5 14.5 8",
  trash: "M4 6h12M8 6V4h4v2M6 6l.7 10.5h6.6L14 6",
  play: "M6 4.5v11l9-5.5z",
  pause: "M7 4.5v11M13 4.5v11",
  refresh: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
  external: "M11 4h5v5M16 4l-7 7M14 11.5V16H4V6h4.5",
  download: "M10 3.5v9M6.5 9.5 10 13l3.5-3.5M4 16.5h12",
  upload: "M10 13V4M6.5 7.5 10 4l3.5 3.5M4 16.5h12",
  list: "M7 5h10M7 10h10M7 15h10M3.5 5h.01M3.5 10h.01M3.5 15h.01",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  undo: "M4 8h8a4.5 4.5 0 0 1 0 9H8M7.5 4.5 4 8l3.5 3.5",
  out: "M8 4H4v12h4M8 10h9M14 7l3 3-3 3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={PATHS[name]} {...(name === "more" ? { strokeWidth: 2.6 } : {})} />
    </svg>
  );
}

/** The mark: several ways in, one junction, one way on. */
export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#0b5f56" />
      <g fill="none" stroke="#fff" strokeWidth="2.4" strokeLinecap="round">
        <path d="M5 8h4c5 0 4 8 7 8h11M5 16h22M5 24h4c5 0 4-8 7-8" />
      </g>
      <circle cx="17" cy="16" r="3.4" fill="#f2b84b" />
    </svg>
  );
}

export function Nothing() {
  return (
    <svg viewBox="0 0 56 40" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" aria-hidden="true">
      <path d="M4 8h10c9 0 7 12 14 12M4 32h10c9 0 7-12 14-12" />
      <path d="M34 20h18" strokeDasharray="2 6" />
      <circle cx="28" cy="20" r="4" />
    </svg>
  );
}

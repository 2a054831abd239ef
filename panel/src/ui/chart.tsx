/** Stacked columns over time. Loaded only where something is drawn. */

import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useShownTheme } from "../lib/theme";

export interface Series { name: string; values: number[] }
interface ChartProps { times: number[]; series: Series[]; step: number; show: (value: number) => string; label: string }

export default function Chart({ times, series, step, show, label }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const theme = useShownTheme();
  const stacked = useMemo(() => {
    const sums = times.map(() => 0);
    return series.map((item) => item.values.map((value, at) => (sums[at] = (sums[at] ?? 0) + value)));
  }, [times, series]);

  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const css = getComputedStyle(document.documentElement);
    const colour = (name: string) => css.getPropertyValue(name).trim();
    const [ink, line] = [colour("--muted"), colour("--line")];
    const font = `12px ${colour("--sans")}`;
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    // Each column stands in the middle of its hour or day.
    const centres = times.map((time) => time + step / 2);
    const thinned = (plot: uPlot) => {
      const every = Math.max(1, Math.ceil(centres.length / Math.max(1, Math.floor(plot.width / 80))));
      return centres.filter((_, at) => at % every === 0);
    };
    const named = (centre: number) => {
      const when = new Date((centre - step / 2) * 1000);
      const language = document.documentElement.lang;
      return step < 86400
        ? when.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", hour12: false })
        : when.toLocaleDateString(language, { month: "short", day: "numeric" });
    };
    const bars = uPlot.paths.bars!({ size: [0.72, 72] });
    const axis = { stroke: ink, font, ticks: { show: false }, grid: { stroke: line, width: 1 } };
    const options: uPlot.Options = {
      width: host.clientWidth,
      padding: [10, 8, 0, 0],
      height: host.clientHeight,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: () => [times[0] ?? 0, (times[times.length - 1] ?? 0) + step] },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
      },
      axes: [
        { ...axis, size: 30, grid: { show: false }, splits: (plot) => thinned(plot), values: (_, ticks) => ticks.map(named) },
        { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => show(tick)) },
      ],
      // The highest first, so that each lower one is painted over it.
      series: [{}, ...series.map((item, at) => ({
        label: item.name,
        fill: colour(`--s${(series.length - 1 - at) % 6 + 1}`),
        width: 0,
        points: { show: false },
        paths: bars,
      }))],
      hooks: {
        setCursor: [(plot) => {
          const at = plot.cursor.idx;
          const x = plot.cursor.left ?? -1;
          if (at === null || at === undefined || x < 0) {
            tip.hidden = true;
            return;
          }
          const when = new Date((times[at] ?? 0) * 1000);
          const head = document.createElement("strong");
          head.textContent = step < 86400 ? when.toLocaleString(document.documentElement.lang, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false }) : when.toLocaleDateString(document.documentElement.lang);
          tip.replaceChildren(head, ...series.filter((item) => item.values[at]).map((item) => {
            const row = document.createElement("span");
            row.textContent = `${item.name}  ${show(item.values[at] ?? 0)}`;
            return row;
          }));
          tip.hidden = false;
          const width = tip.offsetWidth;
          const shift = x + plot.over.offsetLeft;
          tip.style.left = `${Math.max(0, shift + width + 16 > host.clientWidth ? shift - width - 10 : shift + 12)}px`;
          tip.style.top = "10px";
        }],
      },
    };
    const plot = new uPlot(options, [centres, ...[...stacked].reverse()], host);
    host.append(tip);
    const watch = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: host.clientHeight }));
    watch.observe(host);
    return () => {
      watch.disconnect();
      plot.destroy();
      tip.remove();
    };
  }, [times, series, stacked, step, show, theme]);

  return <div className="chart" ref={box} role="img" aria-label={label} />;
}

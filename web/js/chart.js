// A chart over time by uPlot, which is loaded when the first chart is drawn.
import { h, useRef, useEffect, tokenColours } from "./ui.js";

let loading;
const loadPlot = () => (loading ||= import("../vendor/uplot.js").then((module) => module.default));

/** A fill of diagonal lines, so that mocked and live differ without colour. */
function hatch(context, colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const lines = tile.getContext("2d");
  lines.strokeStyle = colour;
  lines.lineWidth = 1.6;
  lines.beginPath();
  lines.moveTo(-2, 6);
  lines.lineTo(6, -2);
  lines.moveTo(2, 10);
  lines.lineTo(10, 2);
  lines.stroke();
  return context.createPattern(tile, "repeat");
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** The sums of each column with those before it. */
const stacked = (columns) =>
  columns.map((column, index) => column.map((_, row) => columns.slice(0, index + 1).reduce((sum, other) => sum + other[row], 0)));

/**
 * `data` begins with times in seconds; `series` are `{label, colour, dash, fill, width}`, where `colour` is a token and
 * `fill` is `solid` or `hatch`. `label` says the chart in a sentence.
 */
export function Chart({ data, series, height = 170, unit = "", label, isStacked }) {
  const box = useRef();
  const plot = useRef();
  const columns = (rows) => {
    const values = isStacked ? stacked(rows.slice(1)) : rows.slice(1);
    // The highest sum is drawn first, below the others.
    return [rows[0], ...(isStacked ? values.reverse() : values)];
  };
  useEffect(() => {
    let isGone = false;
    let resize;
    const draw = (Plot) => {
      plot.current?.destroy();
      const colours = tokenColours([...new Set(series.map(({ colour }) => colour)), "ink-3", "line"]);
      const axis = { stroke: colours["ink-3"], ticks: { show: false }, font: "11px Geist, system-ui" };
      const ordered = isStacked ? [...series].reverse() : series;
      const fills = {
        hatch: (colour) => (drawn) => hatch(drawn.ctx, colour),
        solid: (colour) => colour.replace("rgb(", "rgba(").replace(")", ", .2)"),
      };
      plot.current = new Plot(
        {
          width: box.current.clientWidth,
          height,
          padding: [8, 4, 0, 0],
          legend: { show: false },
          cursor: { y: false, drag: { x: false } },
          scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
          axes: [
            { ...axis, grid: { show: false }, size: 24, space: 60, incrs: [60, 120, 300, 600], values: (_, times) => times.map(clock) },
            { ...axis, grid: { stroke: colours.line, width: 1 }, size: 44, space: 34, values: (_, values) => values.map((value) => value + unit) },
          ],
          series: [{}, ...ordered.map((line) => ({
            label: line.label,
            stroke: colours[line.colour],
            width: line.width ?? 1.5,
            dash: line.dash,
            points: { show: false },
            fill: fills[line.fill]?.(colours[line.colour]),
          }))],
        },
        columns(data),
        box.current,
      );
    };
    let redraw = () => {};
    loadPlot().then((Plot) => {
      if (isGone) return;
      redraw = () => draw(Plot);
      redraw();
      resize = new ResizeObserver(() => box.current && plot.current?.setSize({ width: box.current.clientWidth, height }));
      resize.observe(box.current);
    });
    const change = () => redraw();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("themechange", change);
    scheme.addEventListener("change", change);
    return () => {
      isGone = true;
      resize?.disconnect();
      removeEventListener("themechange", change);
      scheme.removeEventListener("change", change);
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => {
    plot.current?.setData(columns(data));
  }, [data]);
  return h("div", { class: "chart", ref: box, role: "img", "aria-label": label, style: { height: height + "px" } });
}

// Stacked columns by uPlot in the colors of the tokens, read by pointer or by arrow keys.

import uPlot from "uplot";

const HEIGHT = 260;
const WIDEST_COLUMN = 64; // pixels

export function draw(figure) {
  const { labels, series } = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
  if (!labels.length) return;
  const plot = figure.querySelector(".plot");
  const stand = plot.querySelector("svg");
  const readout = figure.querySelector("[data-readout]");
  const stacked = stack(series.map(({ values }) => values));
  let chart = null;

  const make = () => {
    chart?.destroy();
    const ink = inkOf(figure);
    chart = new uPlot(options(plot, labels, series, ink, tell), [labels.map((_, n) => n), ...stacked], plot);
    chart.root.role = "img";
    chart.root.setAttribute("aria-labelledby", stand.getAttribute("aria-labelledby"));
  };
  const tell = (index) => {
    if (index == null) return;
    const words = series.map(({ name, values }) => `${name} ${values[index].toLocaleString()}`);
    readout.textContent = `${labels[index]}: ${words.join(", ")}`;
  };

  make();
  stand.classList.add("behind"); // stays for paper
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = Math.max(0, Math.min(labels.length - 1, (chart.cursor.idx ?? (step > 0 ? -1 : labels.length)) + step));
    chart.setCursor({ left: chart.valToPos(at, "x"), top: chart.bbox.height / devicePixelRatio / 2 });
    tell(at);
  });
  new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: HEIGHT })).observe(plot);
  for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
    matchMedia(query).addEventListener("change", make);
  }
}

function options(plot, labels, series, ink, tell) {
  const bars = uPlot.paths.bars({ size: [0.7, WIDEST_COLUMN] });
  const axis = { stroke: ink.soft, font: ink.font, grid: { stroke: ink.line, width: 1 }, ticks: { show: false } };
  return {
    width: plot.clientWidth,
    height: HEIGHT,
    padding: [12, 30, 0, 0], // half a label of a day in Chinese stands beyond the last bar
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.6, labels.length - 0.4] },
      y: { range: (_chart, _low, high) => [0, Math.max(1, (high ?? 0) * 1.05)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 72,
        size: 32,
        incrs: [1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 30, 50, 60, 90, 120],
        values: (_chart, splits) => splits.map((n) => labels[n] ?? ""),
      },
      {
        ...axis,
        size: 56,
        incrs: Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat(),
        values: (_chart, splits) => splits.map((n) => n.toLocaleString()),
      },
    ],
    // The tallest stack first: each next one is painted over it, with a line of paper between.
    series: [
      {},
      ...series.map(({ name }, n) => ({
        label: name,
        fill: ink.series[series.length - 1 - n],
        stroke: ink.surface,
        width: 1,
        paths: bars,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(chart) => tell(chart.cursor.idx)] },
  };
}

// Running sums, the highest first; nothing where a part is nothing.
function stack(columns) {
  const sums = [];
  for (const values of columns) sums.push(values.map((value, n) => value + (sums.at(-1)?.[n] ?? 0)));
  return sums.map((heights, part) => heights.map((height, n) => (columns[part][n] ? height : null))).reverse();
}

// What the tokens become here and now: a canvas knows no custom properties.
function inkOf(figure) {
  const probe = figure.appendChild(document.createElement("i"));
  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    soft: color("ink-soft"),
    line: color("line"),
    surface: color("surface"),
    series: [1, 2, 3, 4, 5, 6].map((number) => color(`series-${number}`)),
    font: `12px ${getComputedStyle(probe).fontFamily}`,
  };
  probe.remove();
  return found;
}

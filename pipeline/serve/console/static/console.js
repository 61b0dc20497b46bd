// Charts, local times and the keyboard. Pages work without it: every figure is in the page's text too.
"use strict";

(function () {
  const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const older = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

  // The server writes UTC; the reader's zone is known here only. The title keeps both.
  function localTimes(root) {
    root.querySelectorAll("time[datetime]:not([data-local])").forEach((element) => {
      const at = new Date(element.getAttribute("datetime"));
      if (Number.isNaN(at.getTime())) return;
      const age = Date.now() - at.getTime();
      const near = at.toDateString() === new Date().toDateString();
      const format = near ? today : Math.abs(age) < 300 * 864e5 ? day : older;
      element.title = time.format(at) + " local time, " + element.getAttribute("datetime");
      element.textContent = format.format(at);
      element.dataset.local = "";
    });
  }

  const charts = new Map();

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function options(element, names) {
    const axis = { stroke: colour("--ink-3"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const lines = names.map((name, at) => ({
      label: name, stroke: colour("--t" + at), width: 1.6, points: { show: false },
      value: (_, value) => (value == null ? "–" : value.toLocaleString(undefined, { maximumFractionDigits: 1 })),
    }));
    return {
      width: element.clientWidth, height: 160, cursor: { y: false }, scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [axis, { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => tick.toLocaleString()) }],
      series: [{ label: "time" }, ...lines], legend: { live: true },
    };
  }

  function draw(element) {
    const data = JSON.parse(element.dataset.series);
    const known = charts.get(element.id);
    if (known && known.root.isConnected && known.root.parentElement === element) { known.setData(data.values); return; }
    element.replaceChildren();
    charts.set(element.id, new uPlot(options(element, data.names), data.values, element));
  }

  function drawCharts(root) {
    if (typeof uPlot === "undefined") return;
    root.querySelectorAll(".chart[data-series]").forEach(draw);
  }

  function redrawAll() {
    charts.forEach((chart) => chart.destroy());
    charts.clear();
    drawCharts(document);
  }

  // A table that is wider than its place is scrolled with the arrow keys, for which it must take the focus.
  function reachable(root) {
    root.querySelectorAll(".scroll, pre.text").forEach((element) => {
      const wide = element.scrollWidth > element.clientWidth;
      if (!wide) { element.removeAttribute("tabindex"); return; }
      element.tabIndex = 0;
      element.setAttribute("role", "group");
      if (!element.hasAttribute("aria-label")) element.setAttribute("aria-label", "Scrolls sideways");
    });
  }

  function ready(root) { localTimes(root); drawCharts(root); reachable(root); }

  document.addEventListener("DOMContentLoaded", () => ready(document));
  document.addEventListener("htmx:afterSettle", (event) => ready(event.target));
  document.addEventListener("htmx:oobAfterSwap", (event) => ready(event.target));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => { redrawAll(); reachable(document); }, 150); });

  // "/" goes to the search, as on many consoles; never while something is being typed.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const search = document.querySelector("input[type=search]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (search) search.focus(); else location.assign("/customers");
    }
  });
})();

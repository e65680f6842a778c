// Times in UTC or in the browser's zone, as the person chooses in the rail; the exact moment, in both, at whatever has
// the pointer or the focus. Without this script every time is UTC, and a title has the exact one.

const KEY = "fleet.zone";
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

function chosen() {
  try { return localStorage.getItem(KEY) === "local" ? ZONE : "UTC"; } catch { return "UTC"; }
}

const formats = new Map();
function parts(date, zone) {
  if (!formats.has(zone)) formats.set(zone, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric",
    month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }));
  return Object.fromEntries(formats.get(zone).formatToParts(date).map((one) => [one.type, one.value]));
}
function written(date, zone) {
  const one = parts(date, zone);
  return `${one.year}-${one.month}-${one.day} ${one.hour}:${one.minute}:${one.second} ${zone === "UTC" ? "UTC" : one.timeZoneName}`;
}
const both = (date) => [written(date, "UTC"), ...(ZONE === "UTC" ? [] : [`${written(date, ZONE)} (${ZONE})`])];

/* ---- the texts of times ---- */

function tell() {
  const zone = chosen();
  for (const time of $$("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    time.removeAttribute("title"); // the tip says it, at the focus too
    if (!("at" in time.dataset)) continue;
    const one = parts(date, zone);
    const text = time.dataset.at === "time" ? `${one.hour}:${one.minute}:${one.second} ${zone === "UTC" ? "UTC" : one.timeZoneName}` : written(date, zone);
    if (time.textContent !== text) time.textContent = text;
  }
  // Labels of bars shorter than a day; days are those of UTC.
  for (const label of $$("svg text[data-at]")) {
    const one = parts(new Date(label.dataset.at), zone);
    label.textContent = `${one.hour}:${one.minute}`;
  }
  for (const word of $$("[data-zone-name]")) word.textContent = zone;
  for (const title of $$(".chart-bar > title")) title.remove();
  for (const chart of $$(".chart svg.plot")) rove(chart);
  const choice = document.getElementById("zone");
  if (choice) {
    choice.closest("label").hidden = false;
    choice.value = zone === "UTC" ? "utc" : "local";
    choice.options[1].textContent = ZONE === "UTC" ? "Browser: UTC" : ZONE.replaceAll("_", " ");
  }
}

document.addEventListener("change", (event) => {
  if (event.target.id !== "zone") return;
  try { localStorage.setItem(KEY, event.target.value); } catch { /* it holds for this page alone */ }
  tell();
});

/* ---- the tip: exact times, and the figures of a bar ---- */

const tip = document.createElement("div");
tip.id = "tip";
tip.setAttribute("role", "tooltip");
tip.hidden = true;

function linesOf(what) {
  if (what.matches(".chart-bar")) {
    const span = [what.dataset.start, what.dataset.end].map((one) => one && parts(new Date(one), ZONE));
    const local = span[0] && ZONE !== "UTC" ? [`${span[0].year}-${span[0].month}-${span[0].day} ${span[0].hour}:${span[0].minute} to `
      + `${span[1].day === span[0].day ? "" : `${span[1].year}-${span[1].month}-${span[1].day} `}${span[1].hour}:${span[1].minute} ${span[0].timeZoneName} (${ZONE})`] : [];
    return [...(what.dataset.told ?? "").split("\n"), ...local];
  }
  const date = new Date(what.dateTime);
  return Number.isNaN(date.getTime()) ? [] : both(date);
}

let focused = null; // what the tip is about, if the focus brought it

function show(what, { byFocus = false } = {}) {
  what.removeAttribute("title");
  const lines = linesOf(what);
  if (!lines.length) return hide();
  tip.textContent = lines.join("\n");
  tip.hidden = false;
  focused = byFocus ? what : null;
  if (!tip.isConnected) document.body.append(tip);
  const box = what.getBoundingClientRect();
  const above = box.top - tip.offsetHeight - 6;
  tip.style.left = `${Math.max(4, Math.min(innerWidth - tip.offsetWidth - 4, box.left + box.width / 2 - tip.offsetWidth / 2))}px`;
  tip.style.top = `${above > 0 ? above : Math.min(innerHeight - tip.offsetHeight - 4, box.bottom + 6)}px`;
}
function hide() { tip.hidden = true; }

const TOLD = "time[datetime], .chart-bar";
document.addEventListener("pointerover", (event) => {
  const what = event.target.closest?.(TOLD);
  if (what) show(what);
  else if (!tip.hidden && event.target !== tip) hide();
});
// Times themselves take no focus: a list would have fifty more stops. The row that has it shows its time.
document.addEventListener("focusin", (event) => {
  if (!event.target.matches?.(":focus-visible")) return hide();
  const what = event.target.closest(".chart-bar") ?? event.target.closest("tr, li, dd, .kpi")?.querySelector("time[datetime]");
  if (what) show(what, { byFocus: true });
  else hide();
});
document.addEventListener("focusout", hide);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
// The focus may scroll the page: the tip goes along.
addEventListener("scroll", () => {
  if (focused && !tip.hidden) show(focused, { byFocus: true });
  else hide();
}, { passive: true, capture: true });

/* ---- a chart is one stop of the Tab key; arrows go from bar to bar ---- */

function rove(chart) {
  const bars = $$(".chart-bar", chart);
  const at = bars.findLastIndex((bar) => bar === document.activeElement);
  bars.forEach((bar, place) => bar.setAttribute("tabindex", place === (at < 0 ? bars.length - 1 : at) ? "0" : "-1"));
}

document.addEventListener("keydown", (event) => {
  const bar = event.target.closest?.(".chart .chart-bar");
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (!bar || step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const bars = $$(".chart-bar", bar.closest("svg"));
  const to = bars[Math.max(0, Math.min(bars.length - 1, bars.indexOf(bar) + step))];
  to.focus();
  rove(bar.closest("svg"));
});

document.addEventListener("fleet:ready", tell);
tell();

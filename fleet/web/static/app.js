// Pages without reloads, and pages that stay true: links and forms of ours are fetched and the page's content is put in
// place; what the fleet does arrives as server-sent events. Without this script every page and form works all the same.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const parsed = (html) => new DOMParser().parseFromString(html, "text/html");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/* ---- what is said to the person ---- */

function say(text, wrong = false, link = null) {
  const box = $("#said");
  const line = document.createElement("p");
  line.className = wrong ? "said wrong" : "said";
  line.textContent = text;
  if (link) {
    const a = document.createElement("a");
    a.href = link.href;
    a.textContent = link.text;
    a.dataset.whole = "";
    line.append(" ", a);
  }
  box?.replaceChildren(line);
}

function ask(question, label, danger) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "question");
  dialog.innerHTML = `<form method="dialog"><p id="question"></p><div class="actions">
    <button value="no" autofocus>Cancel</button><button value="yes" class="main"></button></div></form>`;
  $("p", dialog).textContent = question;
  const yes = $("button.main", dialog);
  yes.textContent = label || "Go on";
  yes.classList.toggle("danger", danger);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => {
    dialog.remove();
    done(dialog.returnValue === "yes");
  }));
}

/* ---- going somewhere ---- */

const scrolls = new Map(); // entry of the history -> where one stood in it
let entry = history.state?.entry ?? newEntry();
let going = null; // the load under way; a later one replaces it

function newEntry() {
  const fresh = `${performance.timeOrigin}-${performance.now()}`;
  history.replaceState({ ...history.state, entry: fresh }, "");
  return fresh;
}

async function load(url, { method = "GET", body = null, form = null, ...how } = {}) {
  if (method === "GET") going?.abort();
  const control = new AbortController();
  if (method === "GET") going = control;
  document.documentElement.classList.add("busy");
  try {
    const answer = await fetch(url, { method, body, signal: control.signal, credentials: "same-origin", headers: { accept: "text/html" } });
    const isPage = (answer.headers.get("content-type") ?? "").startsWith("text/html");
    const text = isPage ? await answer.text() : "";
    return () => arrive(url, answer, isPage && parsed(text), { method, form, ...how });
  } catch (error) {
    if (error.name === "AbortError") return () => {};
    return () => say("The server cannot be reached. Nothing was lost; try again.", true);
  } finally {
    if (going === control) going = null;
    if (!going) document.documentElement.classList.remove("busy");
  }
}

const go = async (url, how) => (await load(url, how))();

function arrive(url, answer, page, { method, form, ...how }) {
  if (!page || new URL(answer.url).origin !== location.origin) {
    if (method === "GET" && answer.ok) location.assign(url);
    else say(`The server answered ${answer.status} ${answer.statusText}.`, true);
  } else if (form && !answer.ok && $("[data-problem]", page) && !$("[aria-invalid]", page)) {
    // What was typed stays where it is. A page that marks wrong fields has what was typed in them.
    say($$("[data-problem] > p:not(.actions)", page).map((one) => one.textContent.trim()).join(" "), true);
  } else if (!$("#main", page) || Boolean($(".rail", page)) !== Boolean($(".rail")) || $("#switch", page)?.dataset.at !== $("#switch")?.dataset.at) {
    location.assign(answer.url); // in or out, or another organisation: another frame, and another stream
  } else {
    // An answer to a form that leads nowhere has no address of its own: one could not come back to it.
    const { hash } = new URL(url, location.href);
    show(page, method === "GET" || answer.redirected ? answer.url + hash : null, { hash, ...how });
  }
}

function show(page, url, { push = true, keepFocus = false, entryAfter = null, hash = "" }) {
  const before = location.pathname;
  const place = $("#main [data-place]")?.dataset.place; // pages of one place keep the scroll
  const focused = keepFocus && placeOf(document.activeElement);
  const y = scrollY;
  scrolls.set(entry, y);
  if (url && push && url !== location.href) {
    entry = `${performance.timeOrigin}-${performance.now()}`;
    history.pushState({ entry }, "", url);
  } else if (entryAfter) entry = entryAfter;
  document.title = page.title;
  $("#main").replaceWith(document.adoptNode($("#main", page)));
  frame(page);
  ready($("#main"));
  const same = (url && before === location.pathname) || (place && place === $("#main [data-place]")?.dataset.place);
  const anchor = url ? location.hash : hash;
  const to = anchor ? document.getElementById(anchor.slice(1)) : null;
  const wrong = $("#main [aria-invalid]");
  const old = focused ? find(focused, document) : null;
  (wrong ?? old ?? to ?? $("#main [autofocus]") ?? $("#main")).focus({ preventScroll: true });
  if (wrong) wrong.scrollIntoView({ block: "center" });
  else if (entryAfter) scrollTo(0, scrolls.get(entryAfter) ?? 0);
  else if (to) to.scrollIntoView();
  else scrollTo(0, same ? y : 0);
  live.look();
}

// The rail stays (its own scroll, an open menu); what it says of the page and the fleet is taken over.
function frame(page) {
  for (const link of $$(".rail a[href]")) {
    const current = $(`.rail a[href="${CSS.escape(link.getAttribute("href"))}"]`, page)?.getAttribute("aria-current");
    if (current) link.setAttribute("aria-current", current);
    else link.removeAttribute("aria-current");
  }
  for (const part of $$(".rail :is(#state, #switch, [id^=tally-])")) swap(part, page.getElementById(part.id));
  for (const list of $$(".rail ul[id]")) { // a page that came or went, such as that of organisations
    const fresh = page.getElementById(list.id);
    const places = (one) => $$("a[href]", one).map((link) => link.getAttribute("href")).join();
    if (fresh && places(list) !== places(fresh)) swap(list, fresh);
  }
  const word = $("meta[name=csrf]", page)?.content;
  if (word) $("meta[name=csrf]")?.setAttribute("content", word);
  const menu = $("#places");
  if (menu?.matches(":popover-open")) menu.hidePopover();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.getAttribute("href"), location.href); // of a link in a drawing, `href` is no text
  const elsewhere = link.getAttribute("target") || link.hasAttribute("download") || "whole" in link.dataset || url.origin !== location.origin;
  const anchor = url.hash && url.pathname + url.search === location.pathname + location.search;
  if (elsewhere || anchor || /^\/(static|api|live)\//.test(url.pathname)) return;
  event.preventDefault();
  go(url.href, { keepFocus: url.pathname === location.pathname });
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  const action = new URL(button?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href, location.href);
  const method = (button?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "get").toUpperCase();
  if (event.defaultPrevented || action.origin !== location.origin || method === "DIALOG") return;
  event.preventDefault();
  if (form.hasAttribute("aria-busy")) return; // twice pressed is once sent
  const question = button?.dataset.confirm ?? form.dataset.confirm;
  const danger = Boolean(button?.classList.contains("danger"));
  if (question && !(await ask(question, button?.textContent.trim(), danger))) return;
  const fields = new FormData(form, button);
  form.setAttribute("aria-busy", "true");
  if (method === "GET") {
    action.search = new URLSearchParams([...fields].filter(([, value]) => value !== "")).toString();
    await go(action.href, { keepFocus: true, form });
  } else await go(action.href, { method, body: new URLSearchParams(fields), keepFocus: true, form });
  form.removeAttribute("aria-busy");
});

addEventListener("popstate", (event) => {
  if (!event.state?.entry) return; // a step to an anchor of this page
  scrolls.set(entry, scrollY);
  go(location.href, { push: false, entryAfter: event.state.entry });
});
history.scrollRestoration = "manual";
addEventListener("pagehide", () => { history.scrollRestoration = "auto"; });
addEventListener("pageshow", () => { history.scrollRestoration = "manual"; });

/* ---- parts of a page that are put in place anew, while somebody is at work in them ---- */

function placeOf(element) {
  if (!element || element === document.body || element.id === "main") return null;
  if (element.id) return `#${CSS.escape(element.id)}`;
  const name = element.getAttribute("name");
  const form = element.form?.getAttribute("action");
  const value = element.value && element.type !== "text" ? `[value="${CSS.escape(element.value)}"]` : "";
  // A field that names its form stands somewhere else on the page.
  const elsewhere = element.getAttribute("form");
  const inForm = form && !elsewhere ? `form[action="${CSS.escape(form)}"] ` : "";
  const ofForm = elsewhere ? `[form="${CSS.escape(elsewhere)}"]` : "";
  if (name) return `${inForm}${element.localName}[name="${CSS.escape(name)}"]${ofForm}${/checkbox|radio/.test(element.type) ? value : ""}`;
  if (element.hasAttribute("href")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  return inForm ? `${inForm}button` : null;
}
const find = (place, within) => { try { return $(place, within); } catch { return null; } };
const isTyping = (part) => $$("input, textarea, select", part).some((field) => field.matches(":focus")
  && !/checkbox|radio|button|submit/.test(field.type)
  || /^(text|search|number|textarea|password)$/.test(field.type) && field.value !== field.defaultValue);

function swap(part, fresh) {
  if (!fresh || part.isEqualNode(fresh)) return true;
  if (isTyping(part) || $("dialog[open]", part)) return false; // it is fetched again with the next change
  const focused = part.contains(document.activeElement) ? placeOf(document.activeElement) : null;
  const checked = $$("input:checked", part).map(placeOf).filter(Boolean);
  const open = $$("details[open][id]", part).map((one) => one.id);
  const node = document.adoptNode(fresh);
  part.replaceWith(node);
  for (const place of checked) { const box = find(place, node); if (box) box.checked = true; }
  for (const id of open) $(`#${CSS.escape(id)}`, node)?.setAttribute("open", "");
  if (focused) find(focused, node)?.focus({ preventScroll: true });
  ready(node);
  return true;
}

// What the stream brings whole: each part takes the place of the one with its id.
function put(html) {
  for (const fresh of $$("body > [id]", parsed(html))) {
    const old = document.getElementById(fresh.id);
    if (old) swap(old, fresh);
  }
}

/* ---- choosing many ---- */

const boxes = (name, within) => $$(`input[type=checkbox][name="${CSS.escape(name)}"]:not(:disabled)`, within);
const scopeOf = (box) => box.form ?? $("#main");

function tally(within) {
  for (const all of $$("input[data-all]", within)) {
    const each = boxes(all.dataset.all, scopeOf(all));
    const on = each.filter((box) => box.checked).length;
    all.checked = on > 0 && on === each.length;
    all.indeterminate = on > 0 && on < each.length;
    for (const count of $$(".bulk .count", scopeOf(all))) count.textContent = `${on} selected`;
  }
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches?.("input[data-all]")) for (const one of boxes(box.dataset.all, scopeOf(box))) one.checked = box.checked;
  if (box.type === "checkbox") tally($("#main"));
  if (box.matches?.("[data-submit]")) box.form?.requestSubmit();
});

function ready(within) {
  document.dispatchEvent(new Event("fleet:ready"));
  tally($("#main") ?? document);
  freshness.show(within);
  share(within);
  tellTimes(within);
  for (const table of $$(".scroll", within)) if (table.scrollWidth > table.clientWidth && !table.hasAttribute("tabindex")) table.tabIndex = 0;
}

/* ---- suggestions of a large fleet: its datalist has the first agents alone, so the others are looked up ---- */

let typing = 0;
document.addEventListener("input", async (event) => {
  const list = event.target.list;
  const typed = event.target.value?.trim();
  if (!list || !("agents" in list.dataset) || !typed || [...list.options].some((one) => one.value === typed)) return;
  const turn = ++typing;
  await sleep(200);
  if (turn !== typing) return;
  try {
    const answer = await fetch(`/api/v1/agents?${new URLSearchParams({ text: typed, limit: 20 })}`, { credentials: "same-origin", headers: { accept: "application/json" } });
    if (!answer.ok || turn !== typing) return;
    const { items } = await answer.json();
    list.replaceChildren(...items.map((one) => Object.assign(document.createElement("option"), { value: one.username, textContent: one.name })));
  } catch { /* what is suggested stays */ }
});

/* ---- copying, also where a page without https may not touch the clipboard ---- */

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  const source = button?.previousElementSibling;
  if (!source) return;
  let done = false;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    done = true;
  } catch { // no https, or not allowed: select the text, so that a keystroke copies it where this does not
    getSelection().selectAllChildren(source);
    done = document.execCommand("copy");
  }
  button.textContent = done ? "Copied" : "Press Ctrl+C";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

/* ---- presets of choices, and the share that each weight has ---- */

document.addEventListener("change", (event) => {
  const preset = event.target.closest?.("select[data-preset]");
  if (!preset?.value) return;
  const wanted = preset.selectedOptions[0].dataset.values.split(" ");
  for (const box of boxes(preset.dataset.preset, preset.form)) box.checked = wanted.includes(box.value);
  tally($("#main"));
});

function share(within) {
  for (const group of $$("[data-shares]", within)) {
    const fields = $$("input[type=number]", group);
    const total = fields.reduce((sum, field) => sum + Math.max(0, Number(field.value) || 0), 0);
    for (const field of fields) {
      const told = group.querySelector(`[data-share="${CSS.escape(field.name)}"]`);
      const part = total ? 100 * Math.max(0, Number(field.value) || 0) / total : 0;
      if (told) told.textContent = total ? `${part > 0 && part < 1 ? "under 1" : Math.round(part)} % of its actions` : "no action";
    }
  }
}
document.addEventListener("input", (event) => { if (event.target.closest?.("[data-shares]")) share($("#main")); });

/* ---- a preview of a form, while somebody types ---- */

let previewTimer;
let previewing;
document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-preview]");
  if (!form) return;
  clearTimeout(previewTimer);
  previewTimer = setTimeout(() => preview(form), 400);
});
async function preview(form) {
  previewing?.abort();
  previewing = new AbortController();
  const how = { method: "POST", body: new URLSearchParams(new FormData(form)), signal: previewing.signal };
  try {
    const answer = await fetch(form.dataset.preview, { ...how, credentials: "same-origin", headers: { accept: "text/html" } });
    if (answer.ok) put(await answer.text());
  } catch (error) {
    if (error.name !== "AbortError") say("The server cannot be reached. Nothing was lost; try again.", true);
  }
}

/* ---- how long ago ---- */

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
function span(seconds, rounded = Math.floor) {
  const [size, unit] = UNITS.find(([least]) => seconds >= least) ?? UNITS.at(-1);
  return `${rounded(seconds / size)} ${unit}`;
}
function tellTimes(within) {
  for (const time of $$("time[data-ago]", within)) {
    const s = (Date.now() - Date.parse(time.dateTime)) / 1000;
    if (Number.isNaN(s)) continue;
    const text = Math.abs(s) < 2 ? "now" : s > 0 ? `${span(s)} ago` : `in ${span(-s, Math.round)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(() => { if (!document.hidden) tellTimes(document); }, 5000);

/* ---- how old the figures are ---- */

// The server says every two seconds how old its figures are. Where it does not, they grow old: no old green stays.
const OLD_S = 15;
const SILENT_S = 8;
const LOST_S = 2;
const freshness = {
  ages: {}, since: performance.now(), heardAt: performance.now(), lostAt: null, away: "", before: null,

  told({ ages, away }) {
    for (const [name, seconds] of Object.entries(ages)) this.ages[name] = performance.now() - seconds * 1000;
    this.away = away;
    this.show(document);
  },

  show(within) {
    for (const label of $$("[data-age]", within)) {
      const seconds = (performance.now() - (this.ages[label.dataset.age] ?? this.since)) / 1000;
      label.textContent = `${span(seconds)} ago`;
      label.closest("[data-ages]")?.classList.toggle("old", seconds > OLD_S || Boolean(this.away));
    }
  },

  // A page that hears nothing, or of a server that cannot read, says so.
  judge() {
    if (document.hidden || !live.source) return;
    const now = performance.now();
    const silent = now - this.heardAt > SILENT_S * 1000 || (this.lostAt !== null && now - this.lostAt > LOST_S * 1000);
    document.documentElement.classList.toggle("stale", silent || Boolean(this.away));
    const state = $("#state .state");
    if (silent && state && !this.before) {
      this.before = state.cloneNode(true);
      state.className = "state unknown";
      state.textContent = "No connection";
    } else if (!silent && this.before) { // the server sends the state again only when it has changed
      if (state?.textContent === "No connection") state.replaceWith(this.before);
      this.before = null;
    }
    this.show(document);
  },
};
setInterval(() => freshness.judge(), 1000);

/* ---- live ---- */

const EVERY_MS = 3000;

const live = {
  source: null, last: null, wait: 1000, dirty: new Set(), timer: null, hiddenAt: null,

  tell(state) {
    const light = $("#live");
    if (!light) return;
    light.hidden = false;
    light.className = `live ${state === "live" ? "on" : "lost"}`;
    const words = state === "live" ? "Live" : "Reconnecting…";
    if (light.textContent !== words) light.textContent = words;
  },

  // Listens as the page at hand needs it; a page with a feed gets the lines as well.
  look() {
    if (!$("meta[name=csrf]")) return;
    const feed = $("[data-feed]");
    const wants = `${feed ? "feed" : ""} ${$("#cards") ? "cards" : ""}`;
    if (this.source && this.source.readyState !== EventSource.CLOSED && this.wants === wants) return;
    this.wants = wants;
    this.open(feed && !this.last ? feed.dataset.feed : this.last);
  },

  open(after) {
    this.source?.close();
    const query = new URLSearchParams({ ...(/feed/.test(this.wants) && { feed: "1" }),
      ...(/cards/.test(this.wants) && { cards: "1" }), ...(after && { after }) });
    const source = this.source = new EventSource(`/live?${query}`);
    const hear = (name, heard) => source.addEventListener(name, (event) => {
      if (event.lastEventId) this.last = event.lastEventId;
      freshness.heardAt = performance.now();
      heard(event.data);
    });
    source.onopen = () => { this.wait = 1000; freshness.lostAt = null; this.tell("live"); };
    source.onerror = () => {
      this.tell("lost");
      freshness.lostAt ??= performance.now();
      if (source === this.source && source.readyState === EventSource.CLOSED) this.again();
    };
    hear("hello", () => {});
    hear("fresh", (data) => freshness.told(JSON.parse(data)));
    hear("activity", (html) => this.line(html));
    hear("changed", (data) => this.changed(JSON.parse(data)));
    for (const name of ["frame", "cards"]) hear(name, put);
    hear("reset", () => this.changed(null));
  },

  // A stream that was refused and not just lost: full, or the session is over.
  async again() {
    await sleep(this.wait * (0.5 + Math.random()));
    this.wait = Math.min(30000, this.wait * 2);
    if (this.source?.readyState !== EventSource.CLOSED || document.hidden) return;
    try {
      const answer = await fetch(location.href, { redirect: "manual", credentials: "same-origin" });
      if (answer.type === "opaqueredirect") {
        say("You are logged out.", true, { text: "Log in again", href: `/login?next=${encodeURIComponent(location.pathname + location.search)}` });
        return;
      }
    } catch { /* away still */ }
    this.open(this.last);
  },

  line(html) {
    const feed = $("[data-feed]");
    const line = $("li", parsed(html));
    if (!feed || !line || document.getElementById(line.id)) return;
    const only = feed.dataset.only;
    if (only ? line.dataset.family !== only : "quiet" in line.dataset && !("allLines" in feed.dataset)) return;
    if (feed.dataset.agent && line.dataset.agent !== feed.dataset.agent) return;
    if (feed.dataset.subject && !matches(line.dataset.subject, feed.dataset.subject)) return;
    $(".empty", feed.parentElement)?.remove();
    feed.hidden = false;
    line.classList.add("fresh");
    feed.prepend(document.adoptNode(line));
    tellTimes(line);
    while (feed.children.length > Number(feed.dataset.most)) feed.lastElementChild.remove();
  },

  // `what` null: so much happened that nobody knows what; everything may have changed.
  changed(what) {
    for (const part of $$("[data-live][id]")) {
      const wanted = part.dataset.live.split(",");
      const agent = part.dataset.agent;
      const concerns = !what || (what.subjects.some((subject) => wanted.some((one) => matches(subject, one)))
        && (!agent || what.agents === null || what.agents.includes(agent)));
      if (concerns) this.dirty.add(part.id);
    }
    if (!what) for (const feed of $$("[data-feed][id]")) this.dirty.add(feed.id);
    if (this.dirty.size) this.timer ??= setTimeout(() => this.refresh(), 200 + Math.random() * 800);
  },

  async refresh() {
    const began = Date.now();
    const where = location.href;
    const parts = new Set(this.dirty);
    this.dirty.clear();
    try {
      if (!document.hidden) {
        const answer = await fetch(where, { credentials: "same-origin", headers: { accept: "text/html" } });
        const page = answer.ok && !answer.redirected ? parsed(await answer.text()) : null;
        for (const id of page && location.href === where ? parts : []) {
          const part = document.getElementById(id);
          if (part && !swap(part, page.getElementById(id))) this.dirty.add(id);
        }
      } else for (const id of parts) this.dirty.add(id);
    } catch { /* the next change, or the stream's return, asks again */ }
    await sleep(Math.max(0, began + EVERY_MS - Date.now()) + Math.random() * 500);
    this.timer = null;
    if (this.dirty.size && !document.hidden) this.timer = setTimeout(() => this.refresh(), EVERY_MS);
  },
};

function matches(subject, wanted) {
  return wanted.endsWith("*") ? subject.startsWith(wanted.slice(0, -1)) : subject === wanted;
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    freshness.heardAt = performance.now();
    freshness.lostAt = null;
    if (!live.source || live.source.readyState === EventSource.CLOSED) live.open(live.last);
    if (live.dirty.size) live.timer ??= setTimeout(() => live.refresh(), 100);
    clearTimeout(live.hiddenAt);
  } else live.hiddenAt = setTimeout(() => { live.source?.close(); }, 120000);
});

document.documentElement.classList.add("scripted");
ready(document);
live.look();
// With the query of this file's own address, so that no old edition is kept beside it.
if ($("[data-palette]")) import(`./palette.js${new URL(import.meta.url).search}`);

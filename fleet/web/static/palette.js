// The palette: Ctrl-K opens a search over agents, jobs, accounts, pages and actions; `/` goes to the filter of the page;
// `?` lists the keys. Without this script the page /search does the same.

const TYPED_MS = 120;
const KEYS = [["Ctrl K", "Search everything"], ["/", "Go to the filter of this page"], ["?", "List the keys"]];

let dialog = null;
let asked = 0; // the number of the newest search; answers to older ones are left out

function element(name, { text = "", ...attributes } = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function open(className, label) {
  dialog?.close();
  dialog = element("dialog", { class: className, "aria-label": label });
  dialog.addEventListener("close", (event) => event.target.remove());
  dialog.addEventListener("click", (event) => { if (event.target === event.currentTarget) event.currentTarget.close(); });
  document.body.append(dialog);
  return dialog;
}

/* ---- the search ---- */

function openPalette() {
  const box = open("palette", "Search");
  const field = element("input", { type: "search", placeholder: "Agent, job, account, page", "aria-label": "Search", role: "combobox",
    "aria-expanded": "true", "aria-controls": "hits", autocomplete: "off", spellcheck: "false", maxlength: "100" });
  const list = element("div", { id: "hits", role: "listbox", "aria-label": "Results" });
  const hint = element("p", { class: "soft", role: "status" });
  box.append(field, list, hint);
  box.showModal();
  field.focus();
  let timer = null;
  let shown = null; // the text whose results the list has
  const find = async () => {
    clearTimeout(timer);
    const text = field.value;
    if (await search(field, list, hint)) shown = text;
  };
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, TYPED_MS); });
  field.addEventListener("keydown", async (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(field, list, event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (shown !== field.value) await find(); // else it would open a result of the text before
      if (shown === field.value) chosenIn(list)?.click();
    }
  });
  list.addEventListener("click", (event) => { if (event.target.closest("a")) setTimeout(() => box.close()); });
  find();
}

const chosenIn = (list) => list.querySelector("a[aria-selected=true]");

function choose(field, list, by) {
  const every = [...list.querySelectorAll("a")];
  if (!every.length) return;
  const at = every.indexOf(chosenIn(list));
  select(field, every, every[(at + by + every.length) % every.length]);
}

function select(field, every, one) {
  for (const other of every) other.setAttribute("aria-selected", String(other === one));
  field.setAttribute("aria-activedescendant", one?.id ?? "");
  one?.scrollIntoView({ block: "nearest" });
}

// Return whether the list shows the results of this search; a later one takes its place.
async function search(field, list, hint) {
  const number = ++asked;
  let groups;
  try {
    const answer = await fetch(`/api/v1/search?${new URLSearchParams({ q: field.value })}`, { credentials: "same-origin", headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    ({ groups } = await answer.json());
  } catch {
    if (number === asked) hint.textContent = "The search does not respond. Try again.";
    return false;
  }
  if (number !== asked) return false;
  list.replaceChildren(...groups.map((group, nr) => {
    const part = element("div", { role: "group", "aria-label": group.name });
    part.append(element("p", { class: "title", "aria-hidden": "true", text: group.name }), ...group.hits.map((hit, place) => {
      const link = element("a", { href: hit.href, id: `hit-${nr}-${place}`, role: "option", "aria-selected": "false", tabindex: "-1", text: hit.label });
      if (hit.note) link.append(" ", element("small", { text: hit.note }));
      return link;
    }));
    return part;
  }));
  const every = [...list.querySelectorAll("a")];
  select(field, every, every[0]);
  hint.textContent = every.length ? "" : "Nothing matches.";
  return true;
}

/* ---- the keys ---- */

function openKeys() {
  const box = open("keys", "Keys");
  const rows = element("dl", { class: "facts" });
  // A page names its own keys in elements with data-key-label, which hold the key.
  const own = [...document.querySelectorAll("[data-key-label]")].map((one) => [one.textContent, one.dataset.keyLabel]);
  for (const [key, label] of [...KEYS, ...own, ["Esc", "Close"]]) {
    const term = element("dt");
    term.append(element("kbd", { text: key }));
    rows.append(term, element("dd", { text: label }));
  }
  const close = element("form", { method: "dialog" });
  close.append(element("button", { text: "Close", autofocus: "" }));
  box.append(element("h2", { text: "Keys" }), rows, close);
  box.showModal();
}

const isTyping = (target) => target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (!document.querySelector("dialog.palette")) openPalette();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target) && !document.querySelector("dialog[open]")) {
    if (event.key === "?") openKeys();
    else if (event.key === "/") {
      const field = document.querySelector("#main [data-filter], #main input[type=search]");
      event.preventDefault();
      if (field) { field.focus(); field.select(); } else openPalette();
    }
  }
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette]")) { event.preventDefault(); openPalette(); }
});
document.documentElement.dataset.keys = "ready";

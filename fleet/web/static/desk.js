// The keyboard of a desk: a list of rows beside what one of them is about. Keys press what the page marks with
// data-key; j and k follow the rows' own links, so that everything here can be done without this script.

const $ = (selector, within = document) => within?.querySelector(selector) ?? null;
const rows = () => [...document.querySelectorAll(".desk [data-row]")];
const current = () => $('.desk [data-row][aria-current="true"]');

// What is shown stays chosen when the list is fetched anew: rows that come meanwhile move nothing.
function mark() {
  const shown = $(".desk [data-shown]")?.dataset.shown;
  if (!shown) return;
  for (const row of rows()) {
    if (row.dataset.row === shown) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

function move(step) {
  const all = rows();
  const at = all.indexOf(current());
  const to = at < 0 ? all[0] : all[at + step];
  if (to) to.click();
  else if (step > 0) $('.desk [rel="next"]')?.click();
}

function press(mark) {
  if (mark.localName !== "summary") return mark.click();
  const part = mark.parentElement;
  part.open = true;
  $("input:not([type=hidden]), textarea, select", part)?.focus();
}

function select() {
  const box = $("input[name=pick]:not(:disabled)", current()?.closest("li"));
  if (box) box.click();
}

const isBusy = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")
  || $("dialog[open], :popover-open");

document.addEventListener("keydown", (event) => {
  // Until the page that a key asked for is shown, the buttons are those of the request before.
  if (document.documentElement.classList.contains("busy")) return;
  if (!$(".desk") || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const part = event.target.closest?.("details.act[open]");
  if (event.key === "Escape" && part) {
    part.open = false;
    $("summary", part).focus();
    return;
  }
  if (isBusy(event.target)) return;
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.repeat) return; // one press is one decision
  else if (event.key === "x") select();
  else if (/^[a-z]$/.test(event.key) && $(`.desk [data-key="${event.key}"]`)) press($(`.desk [data-key="${event.key}"]`));
  else return;
  event.preventDefault();
});

// What is selected stays so while one looks at other rows: each of them is another page.
const boxes = () => [...document.querySelectorAll(".desk input[name=pick]:not(:disabled)")];
const picked = new Set();
document.addEventListener("change", () => {
  for (const box of boxes()) if (box.checked) picked.add(box.value); else picked.delete(box.value);
});

function arrive() {
  mark();
  if (!$(".desk")) picked.clear();
  for (const box of boxes()) if (picked.has(box.value)) box.checked = true;
  const at = $(".desk [data-shown]")?.dataset.shown;
  if (at && at !== arrive.at) current()?.scrollIntoView({ block: "nearest" });
  arrive.at = at;
}

document.addEventListener("fleet:ready", arrive);
arrive();

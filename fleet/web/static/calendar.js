// Entries of the calendar that are dragged to another day or hour. The form of an entry's own page does the same with
// the keyboard and on a phone, and without this script.

const $ = (selector, within = document) => within?.querySelector(selector) ?? null;
let dragged = null;

const cellOf = (event) => dragged && event.target.closest?.(".calendar td[data-day]");
function mark(cell) {
  for (const one of document.querySelectorAll(".calendar td.over")) if (one !== cell) one.classList.remove("over");
  cell?.classList.add("over");
}

document.addEventListener("dragstart", (event) => {
  const entry = event.target.closest?.(".calendar [data-entry]");
  if (!entry) return;
  dragged = entry;
  entry.classList.add("dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", ""); // a link's address is no use elsewhere
});

document.addEventListener("dragover", (event) => {
  const cell = cellOf(event);
  mark(cell);
  if (!cell) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "move";
});

document.addEventListener("drop", (event) => {
  const cell = cellOf(event);
  const form = $("#calendar-move");
  if (!cell || !form) return;
  event.preventDefault();
  const entry = dragged;
  if (cell.contains(entry)) return;
  form.setAttribute("action", entry.dataset.entry);
  form.elements.day.value = cell.dataset.day;
  form.elements.hour.value = cell.dataset.hour ?? "";
  form.requestSubmit();
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  dragged = null;
  mark(null);
});

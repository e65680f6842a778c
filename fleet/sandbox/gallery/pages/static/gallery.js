// The gallery's own script: likes and comments without a reload, more pictures as one scrolls, and the live feed.
// Every page works without it. All markup comes escaped from the gallery itself.
"use strict";

const body = document.body;
const grid = document.getElementById("grid");
const PAGE = body.dataset.page;

/* Layout: each card spans as many small rows as it is high, so that columns close up as on a wall. */
const ROW = 4;
const sizes = new ResizeObserver((entries) => entries.forEach((entry) => fit(entry.target.parentElement)));

function fit(card) {
  const gap = parseFloat(getComputedStyle(grid).columnGap) || 20;
  const height = card.firstElementChild.getBoundingClientRect().height;
  card.style.gridRowEnd = `span ${Math.ceil((height + gap) / ROW)}`;
}

function hang(card) {
  fit(card);
  sizes.observe(card.firstElementChild);
}

if (grid) {
  grid.classList.add("masonry");
  grid.querySelectorAll(".card").forEach(hang);
}

/* Fetching parts of pages. */
async function part(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  if (!response.ok) throw new Error(`${response.status}`);
  const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
  return [...parsed.body.querySelectorAll("li")].filter((li) => li.matches(".card, .comment, .more"));
}

const cardOf = (id) => document.getElementById(`card-${id}`);

/* More pictures as one scrolls. */
async function loadMore(link) {
  if (link.getAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  try {
    const address = new URL(link.href);
    address.searchParams.set("part", "true");
    const found = await part(address);
    link.parentElement.remove();
    for (const li of found) {
      if (li.matches(".card") && cardOf(li.dataset.post)) continue;
      grid.append(li);
      if (li.matches(".card")) hang(li);
      else watchMore();
    }
  } catch {
    link.removeAttribute("aria-busy");
    link.textContent = "That did not work. Try again";
  }
}

const nearEnd = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) loadMore(entry.target);
}, { rootMargin: "600px" });

function watchMore() {
  const link = document.querySelector("#more a");
  if (link) nearEnd.observe(link);
}

if (grid) watchMore();

document.addEventListener("click", (event) => {
  const link = event.target.closest("#more a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  loadMore(link);
});

/* Counts. */
function count(scope, name, value) {
  scope.querySelectorAll(`[data-count="${name}"]`).forEach((place) => {
    if (place.textContent === String(value)) return;
    place.textContent = value;
    place.classList.remove("bump");
    void place.offsetWidth;
    place.classList.add("bump");
  });
}

function counts(id, values) {
  document.querySelectorAll(`[data-post="${CSS.escape(id)}"]`).forEach((scope) => {
    for (const name of ["likes", "comments", "human_likes", "agent_likes"]) {
      if (name in values) count(scope, name, values[name]);
    }
    const button = scope.querySelector(".like button");
    if (button && "human_likes" in values) {
      button.title = `${values.human_likes} by people, ${values.agent_likes} by agents`;
    }
  });
}

/* Likes and comments of the visitor. */
async function send(form) {
  const response = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { Accept: "application/json" },
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || `${response.status}`);
  return answer;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.matches(".like")) {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button.disabled) return;
    button.disabled = true;
    try {
      const answer = await send(form);
      button.setAttribute("aria-pressed", String(answer.liked));
      counts(form.closest("[data-post]").dataset.post, answer);
    } catch {
      form.submit();
    } finally {
      button.disabled = false;
    }
  } else if (form.matches("#say")) {
    event.preventDefault();
    const problem = form.querySelector(".problem");
    problem.hidden = true;
    try {
      const answer = await send(form);
      form.content.value = "";
      await showComment(answer.id);
    } catch (error) {
      problem.textContent = `Your comment was not sent: ${error.message}`;
      problem.hidden = false;
    }
  }
});

async function showComment(id) {
  const list = document.getElementById("comment-list");
  if (!list || document.getElementById(`c-${id}`)) return;
  const [comment] = await part(`/c/${encodeURIComponent(id)}`);
  if (!comment || document.getElementById(comment.id)) return;
  comment.classList.add("fresh");
  list.append(comment);
  document.getElementById("no-comments").hidden = true;
}

/* New pictures: they slide in at the top, or wait behind a button while one looks further down. */
const news = document.getElementById("news");
const waiting = [];

async function showPost(id) {
  if (cardOf(id)) return;
  const [card] = await part(`/p/${encodeURIComponent(id)}/card`);
  if (!card || cardOf(id)) return;
  card.classList.add("fresh");
  grid.prepend(card);
  hang(card);
  document.getElementById("empty").hidden = true;
}

function newPost(id) {
  const total = document.getElementById("total");
  total.dataset.total = Number(total.dataset.total) + 1;
  total.textContent = `${total.dataset.total} picture${total.dataset.total === "1" ? "" : "s"}`;
  if (body.dataset.sort !== "recent") return;
  if (window.scrollY < 400) {
    showPost(id).catch(() => {});
    return;
  }
  waiting.push(id);
  news.textContent = waiting.length === 1 ? "Show 1 new picture" : `Show ${waiting.length} new pictures`;
  news.hidden = false;
}

news?.addEventListener("click", async () => {
  news.hidden = true;
  window.scrollTo({ top: 0 });
  for (const id of waiting.splice(0)) await showPost(id).catch(() => {});
});

/* The live feed. It rests while the page is hidden, and goes on from where it was. */
const sign = document.getElementById("live");
let position = body.dataset.position;
let source = null;

function listen() {
  if (source || !position || document.hidden) return;
  const query = new URLSearchParams({ after: position });
  if (PAGE === "post") query.set("post", body.dataset.post);
  source = new EventSource(`/live?${query}`);
  source.onopen = () => show("Live", true);
  source.onerror = () => {
    show("Connecting", false);
    if (source && source.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(listen, 3000);
    }
  };
  on("post", (change) => PAGE === "home" && newPost(change.id));
  on("counts", (change) => counts(change.id, change));
  on("comment", (change) => showComment(change.id).catch(() => {}));
  on("removed", (change) => {
    document.querySelectorAll(`.card[data-user="${CSS.escape(change.user)}"]`).forEach((card) => card.remove());
  });
  on("hello", () => {});
}

function on(kind, act) {
  source.addEventListener(kind, (event) => {
    position = event.lastEventId || position;
    act(JSON.parse(event.data));
  });
}

function show(words, connected) {
  sign.hidden = false;
  sign.classList.toggle("off", !connected);
  sign.lastElementChild.textContent = words;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = null;
  } else {
    listen();
  }
});
window.addEventListener("pagehide", () => { source?.close(); source = null; });
window.addEventListener("pageshow", listen);
if (PAGE) listen();

/* Times go on while one looks. */
const STEPS = [[60, 1, "second"], [3600, 60, "min"], [86400, 3600, "hour"], [604800, 86400, "day"]];

function ago(moment) {
  const seconds = Math.max(0, (Date.now() - moment) / 1000);
  if (seconds < 45) return "just now";
  for (const [below, unit, word] of STEPS.slice(1)) {
    if (seconds >= below) continue;
    const number = Math.max(1, Math.round(seconds / unit));
    return `${number} ${word}${word !== "min" && number > 1 ? "s" : ""} ago`;
  }
  return null;
}

setInterval(() => {
  document.querySelectorAll("time[datetime]").forEach((time) => {
    const words = ago(Date.parse(time.dateTime));
    if (words) time.textContent = words;
  });
}, 30000);

// The image page: sends wishes, and looks after the tiles of the jobs that are being drawn.

import { Coach } from "./shared/coach.js";
import { Patience } from "./shared/patience.js";
import { data, Draft, find, hideRefusal, Refused, say, send, sendOnEnter, showChoices, showCost, showLeft, showRefusal, words } from "./shared/page.js";

const LOOK_EVERY = 1000; // milliseconds
const form = find("#composer");
const box = find("#prompt");
const gallery = find(".gallery");
const draft = new Draft(box, "images");
const coach = new Coach();
const patience = new Patience();

sendOnEnter(box);
showChoices(document);
for (const tile of gallery.querySelectorAll("[data-open]")) watch(tile);

form.addEventListener("change", tellCost);
document.addEventListener("change", tellCost);
tellCost();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!box.value.trim()) return box.focus();
  if (coach.holds(form, box.value)) return;
  hideRefusal();
  form.ariaBusy = "true";
  try {
    const wished = await send(form.action, { ...Object.fromEntries(new FormData(form)), prompt: box.value });
    draft.clear();
    showLeft(wished.left);
    find("#empty")?.remove();
    gallery.prepend(await tilesOf(wished.url));
    watch(gallery.firstElementChild);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    patience.wait(showRefusal(error), error.retryAfter, () => form.requestSubmit());
  } finally {
    form.ariaBusy = null;
    box.focus();
  }
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-act=again]");
  if (!button) return;
  box.value = button.dataset.text;
  draft.keep();
  box.focus();
});

// The price of the model's own list (gateway.types.Target.weigh): of the size and quality, of either, or of any other.
function tellCost() {
  const { model, size, quality, count } = Object.fromEntries(new FormData(form));
  const weights = data.weights[model] ?? { "": 1 };
  const name = [`${size} ${quality}`, size, quality].find((name) => name in weights) ?? "";
  showCost(weights[name] * (count ?? 1));
}

// Looks once a second until the job has ended; a lost connection only means looking later.
async function watch(tile) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    const tiles = await tilesOf(tile.dataset.open).catch(() => null);
    const first = tiles?.firstElementChild;
    if (!first) continue;
    if (first.dataset.open) {
      for (const slot of ["state", "stop"]) {
        find(`[data-slot=${slot}]`, tile).replaceWith(find(`[data-slot=${slot}]`, first));
      }
      continue;
    }
    const hadFocus = tile.contains(document.activeElement);
    tile.replaceWith(tiles);
    if (hadFocus) box.focus();
    say(first.dataset.stopped ? words.stopped : first.dataset.failed ? words.undrawn : words.drawn);
    return showLeft(first.dataset.left);
  }
}

// The markup of a job as the server shows it now: one tile while it is open, one per picture at the end.
async function tilesOf(url) {
  const response = await fetch(url, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}

gallery.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-stop]")) return;
  event.preventDefault();
  find("button", event.target).disabled = true;
  try {
    await send(event.target.action);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    showRefusal(error);
  }
});

// ---- one picture, large: arrow keys turn to its neighbors, Escape goes back to where it was opened ----------------------

const lightbox = find("#lightbox");
let shown = null; // the link of the picture that is shown

gallery.addEventListener("click", (event) => {
  const link = event.target.closest("[data-picture]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link);
});

lightbox.addEventListener("click", ({ target }) => {
  const act = target.closest("[data-act]")?.dataset.act;
  if (act === "close" || target === lightbox) lightbox.close();
  if (act === "earlier") turn(-1);
  if (act === "later") turn(1);
});

lightbox.addEventListener("keydown", (event) => {
  if (event.target.matches("textarea") || event.altKey || event.ctrlKey || event.metaKey) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) turn(step);
});

lightbox.addEventListener("close", () => shown?.focus());

async function open(link) {
  const response = await fetch(link.href, { headers: { "HX-Request": "true" }, redirect: "error" }).catch(() => null);
  if (!response?.ok) return location.assign(link.href);
  shown = link;
  const about = find("[data-slot=about]", lightbox);
  about.innerHTML = await response.text(); // our own server's markup
  htmx.process(about);
  const links = [...gallery.querySelectorAll("[data-picture]")];
  find("[data-act=earlier]").disabled = links.indexOf(link) <= 0;
  find("[data-act=later]").disabled = links.indexOf(link) >= links.length - 1;
  if (!lightbox.open) lightbox.showModal();
  if (document.activeElement?.disabled ?? true) find("[data-act=close]").focus();
}

function turn(step) {
  const links = [...gallery.querySelectorAll("[data-picture]")];
  const next = links[links.indexOf(shown) + step];
  if (next) open(next);
}

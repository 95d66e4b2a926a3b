// The image page: sends wishes, and looks after the tiles of the jobs that are being drawn.

import { Draft, find, hideRefusal, Refused, say, send, sendOnEnter, showChoices, showCost, showLeft, showRefusal, words } from "./shared/page.js";

const LOOK_EVERY = 1000; // milliseconds
const form = find("#composer");
const box = find("#prompt");
const gallery = find(".gallery");
const draft = new Draft(box, "images");

sendOnEnter(box);
showChoices(document);
for (const tile of gallery.querySelectorAll("[data-open]")) watch(tile);

form.addEventListener("change", tellCost);
document.addEventListener("change", tellCost);
tellCost();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!box.value.trim()) return box.focus();
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
    showRefusal(error);
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

function tellCost() {
  const fields = new FormData(form);
  const weight = find(`[name=model][value="${CSS.escape(fields.get("model") ?? "")}"]`)?.dataset.weight ?? 1;
  showCost(weight * (fields.get("count") ?? 1));
}

// Looks once a second until the job has ended; a lost connection only means looking later.
async function watch(tile) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    const tiles = await tilesOf(tile.dataset.open).catch(() => null);
    const first = tiles?.firstElementChild;
    if (!first) continue;
    if (first.dataset.open) {
      find("[data-slot=state]", tile).replaceWith(find("[data-slot=state]", first));
      continue;
    }
    tile.replaceWith(tiles);
    say(first.dataset.failed ? words.undrawn : words.drawn);
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

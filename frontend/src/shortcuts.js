// The keys of the chat pages, and the list of them. Letters are those of the person's keyboard; a keyboard without
// Latin letters is asked for their places.

import { find, say, words } from "./shared/page.js";

const KEYS = {
  "ctrl+shift+o": () => location.assign(find("#talks .new").href),
  "ctrl+k": search,
  "shift+escape": () => find("#prompt").focus(),
  "ctrl+shift+c": () => last("article[data-from=model] [data-act=copy]")?.click(),
  "ctrl+shift+;": () => last(".thread [data-act=copy-code]")?.click(),
  "ctrl+shift+s": toggleSide,
  "ctrl+/": () => list.open ? list.close() : list.showModal(),
};

const list = find("#shortcuts");
const side = find("#side");
const box = find("#prompt");
const isNarrow = matchMedia("(width < 56rem)");

// Before any other listener: Shift and Escape together do not stop an answer.
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.altKey) return;
  const act = KEYS[nameOf(event)];
  if (!act) return;
  event.preventDefault();
  act();
}, true);

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-act=shortcuts]")) list.showModal();
});

// Up in an empty box brings the last question back, to be sent again in other words.
box.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" || event.isComposing || event.shiftKey || box.value) return;
  const asked = last("article[data-from=person] .prose");
  if (!asked) return;
  event.preventDefault();
  box.value = asked.textContent;
  box.dispatchEvent(new Event("input", { bubbles: true }));
});

function nameOf(event) {
  const isOurs = event.key.length > 1 || event.key.charCodeAt(0) < 128;
  const key = (isOurs ? event.key : event.code.replace("Key", "")).toLowerCase();
  const held = [(event.ctrlKey || event.metaKey) && "ctrl", event.shiftKey && "shift"];
  return [...held, key === ":" || key === "semicolon" ? ";" : key].filter(Boolean).join("+");
}

function last(selector) {
  return [...document.querySelectorAll(selector)].at(-1);
}

function search() {
  if (isNarrow.matches) side.showPopover();
  else delete side.parentElement.dataset.side;
  find("#find").focus();
}

// For this page only: the next one shows it again, also to whoever pressed the keys by mistake.
function toggleSide() {
  if (isNarrow.matches) return side.togglePopover();
  const frame = side.parentElement;
  const isShown = !frame.dataset.side;
  if (isShown && side.contains(document.activeElement)) box.focus();
  if (isShown) frame.dataset.side = "hidden";
  else delete frame.dataset.side;
  say(isShown ? words.side_hidden : words.side_shown);
}

// Saved prompts: "/" at the start of the empty box, or the button, opens the list of them; choosing one puts it into the box.
// The box stays a text box with the focus in it, and points at the option that is active (docs/decisions/0056).

import { data, find, say, sendOnEnter, words } from "./shared/page.js";

const VARIABLE = /\{\{\s*([\p{L}\p{N}_][\p{L}\p{N}_ -]{0,39}?)\s*\}\}/gu; // as chat/types.py reads it
const COMMAND = /^[/／]([^\s/]*)$/;

const box = find("#prompt");
const menu = find("#prompts");
const list = find("#prompt-list");
const button = find("[data-act=prompts]");
const asking = find("#variables");
let loading = null; // the request for what is offered here
let isOurs = false; // the button put the "/" there
let isFilled = false; // the form was sent, not put away
let isPutAway = false; // by Escape, until the box holds something else

const isOpen = () => !menu.hidden;
const query = () => COMMAND.exec(box.value)?.[1].toLowerCase();
const shown = () => [...list.querySelectorAll("[role=option]:not([hidden])")];
const active = () => find("[aria-selected=true]", list);

box.addEventListener("input", (event) => {
  if (event.isComposing || !event.inputType) return; // what is not typed: a draft, a prompt of ours
  look();
});
box.addEventListener("compositionend", look);

// Before the listeners of the box, which would send.
box.form.addEventListener("keydown", (event) => {
  if (event.target !== box || event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
  const isAwaited = loading && query() !== undefined && event.key === "Enter"; // it is meant for the list, not to be sent
  if (event.shiftKey || !(isOpen() ? KEYS[event.key]?.() : isAwaited)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

// Each says whether it had something to do.
const KEYS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Enter: choose,
  Tab: choose,
  Escape: () => {
    isPutAway = true;
    if (isOurs && box.value === "/") write("", true);
    return close();
  },
};

button.addEventListener("click", () => {
  if (isOpen()) return close();
  isOurs = !box.value;
  isPutAway = false;
  if (isOurs) write("/", true);
  box.focus();
  open();
});

// The focus stays in the box.
for (const pressed of [menu, button]) pressed.addEventListener("mousedown", (event) => event.preventDefault());
// Enter in a field submits without a button.
find("form", asking).addEventListener("submit", ({ submitter }) => (isFilled = submitter?.value !== ""));
list.addEventListener("click", ({ target }) => {
  const option = target.closest("[role=option]");
  if (option) put(option.dataset.text);
});
document.addEventListener("click", ({ target }) => {
  const starter = target.closest("[data-act=start]");
  if (starter) put(starter.dataset.text);
});
box.form.addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget !== button && !menu.contains(relatedTarget)) close();
});

function look() {
  if (query() === undefined) {
    isPutAway = isOurs = false;
    return close();
  }
  if (isOpen()) return filter();
  if (!isPutAway) open();
}

async function open() {
  const course = find("[name=course]:checked")?.value ?? find("#rule").dataset.course ?? "";
  const asked = (loading = fetch(`${data.prompts}?course=${encodeURIComponent(course)}`, { redirect: "error" }));
  const response = await asked.catch(() => null);
  const html = response?.ok ? await response.text() : "";
  if (loading !== asked) return;
  loading = null;
  if (!response?.ok || document.activeElement !== box || isPutAway) return;
  list.innerHTML = html; // our own server's markup
  find("[data-slot=none]", menu).hidden = shown().length > 0;
  if (box.value && query() === undefined) return close(); // typed on meanwhile
  menu.style.setProperty("--room", `${Math.max(box.form.getBoundingClientRect().top - 8, 96)}px`);
  menu.hidden = false;
  button.ariaExpanded = "true";
  box.setAttribute("aria-controls", list.id);
  box.setAttribute("aria-autocomplete", "list");
  filter();
}

// What fits is what the person may mean: the command begins so, or the words hold it. Nothing fits: it is no command.
function filter() {
  const wanted = query() ?? "";
  for (const option of list.querySelectorAll("[role=option]")) {
    option.hidden = !option.textContent.toLowerCase().includes(wanted);
  }
  for (const group of list.children) group.hidden = !find("[role=option]:not([hidden])", group);
  const left = shown();
  if (wanted && !left.length) return close();
  mark(left.find(({ dataset }) => dataset.command.startsWith(wanted)) ?? left[0]);
  say(left.length ? words.prompts.replace("{count}", left.length) : find("[data-slot=none]", menu).textContent);
}

function mark(option) {
  active()?.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) box.setAttribute("aria-activedescendant", option.id);
  else box.removeAttribute("aria-activedescendant");
}

function step(by) {
  const options = shown();
  mark(options.at((options.indexOf(active()) + by) % options.length));
  return true;
}

function choose() {
  const option = active();
  if (option) put(option.dataset.text);
  return Boolean(option);
}

function close() {
  loading = null;
  if (menu.hidden) return false;
  menu.hidden = true;
  button.ariaExpanded = "false";
  for (const name of ["aria-controls", "aria-autocomplete", "aria-activedescendant"]) box.removeAttribute(name);
  return true;
}

// Never sends. A command gives way to the prompt; other words stay, and the prompt comes where the cursor is.
async function put(text) {
  close();
  const filled = await fill(text);
  if (filled !== null) write(filled, query() !== undefined);
  box.focus();
}

function write(text, isWhole) {
  if (isWhole) box.select();
  box.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
  box.dispatchEvent(new Event("input", { bubbles: true })); // the draft is kept
}

// The text with what it asks for; null when the person thought better of it. Everything is set as text, never as markup.
function fill(text) {
  const names = [...new Set([...text.matchAll(VARIABLE)].map(([, name]) => name))];
  if (!names.length) return text;
  const fields = names.map((name, n) => {
    const field = find("template", asking).content.firstElementChild.cloneNode(true);
    const input = find("textarea", field);
    input.id = find("label", field).htmlFor = `variable-${n}`;
    find("label", field).textContent = name;
    return field;
  });
  find("[data-slot=fields]", asking).replaceChildren(...fields);
  for (const field of fields) sendOnEnter(find("textarea", field));
  isFilled = false;
  asking.showModal();
  return new Promise((done) => {
    asking.addEventListener("close", () => {
      const given = new Map(names.map((name, n) => [name, find("textarea", fields[n]).value.trim()]));
      done(isFilled ? text.replaceAll(VARIABLE, (_whole, name) => given.get(name)) : null);
    }, { once: true });
  });
}

// What the pages that spend prompts share: the data the server gave them, sending, refusals in words, drafts, the price.

import { signedInAgain, token } from "./session.js";
import { hear, tell } from "./tabs.js";

export const data = JSON.parse(document.getElementById("page-data").textContent);
export const words = data.words;

export const find = (selector, within = document) => within.querySelector(selector);

export class Refused extends Error {
  constructor({ code = "", message }, retryAfter = 0) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter; // seconds; 0 when waiting is no use
  }
}

// POSTs JSON and returns what came back; throws Refused with the server's own sentence. Whoever is signed out meanwhile may
// sign in again, and then it is sent.
export async function send(url, body = {}) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: {
        Accept: "application/json",
        "Content-Type": "application/json",
        "X-CSRFToken": token() || find("[name=csrfmiddlewaretoken]").value,
      },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refused({ message: words.offline });
  }
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  const answer = isJson ? await response.json() : {};
  if (response.ok) return answer;
  if (answer.error?.code === "sign_in_required" && (await signedInAgain())) return send(url, body);
  throw new Refused(answer.error ?? { message: words.broken }, Number(response.headers.get("Retry-After")) || 0);
}

// Puts a refusal where the hand is; the text that was not sent stays in its box.
export function showRefusal({ code, message }) {
  const known = data.notices[code] ?? data.notices[""];
  const notice = find("#notice-template").content.firstElementChild.cloneNode(true);
  find("[data-slot=title]", notice).textContent = known.title;
  find("[data-slot=text]", notice).textContent = `${message} ${words.kept}`;
  const way = find("[data-slot=action]", notice);
  if (known.action) {
    way.textContent = known.action;
    const href = (known.beside && document.querySelector(known.beside)?.href) || known.href;
    way.href = known.returns ? `${href}?next=${encodeURIComponent(wayBack())}` : href;
    way.hidden = false;
  }
  hideRefusal();
  find("#notices").append(notice);
  return notice;
}

// To this page as it stands: the course that was chosen would otherwise be lost on the way, and its rule with it.
function wayBack() {
  const course = document.querySelector("[name=course]:checked")?.value;
  return location.pathname + (course ? `?course=${encodeURIComponent(course)}` : "");
}

export const hideRefusal = () => find("#notices").replaceChildren();

// What a screen reader is told: once at the start and once at the end, never token by token.
export function say(text) {
  find("#status").textContent = text;
}

// The meter listens to this; the price beside the button is told here.
export function showLeft(left) {
  showQuota(left);
  tell("quota", { left });
}

hear("quota", ({ left }) => showQuota(left));

function showQuota(left) {
  const shown = find("#composer [data-left]");
  if (shown && Number.isInteger(Number.parseInt(left, 10))) shown.textContent = left;
  showAfter();
  document.body.dispatchEvent(new CustomEvent("quota-changed", { bubbles: true }));
}

function showAfter() {
  const left = find("#composer [data-left]");
  if (!left) return;
  const after = Number(left.textContent) - Number(find("[data-cost]").textContent);
  find("#composer [data-after]").textContent = after;
  find("#composer .cost").toggleAttribute("data-short", after < 0);
}

export function showCost(prompts) {
  find("[data-cost]").textContent = prompts;
  showAfter();
  for (const cost of document.querySelectorAll("[data-again-cost]")) cost.textContent = prompts;
}

// A draft per person and place; it outlives reloads, refusals and signing in again.
export class Draft {
  #box;
  #key;

  constructor(box, place) {
    this.#box = box;
    this.place = place;
    if (!box.value) box.value = localStorage.getItem(this.#key) ?? "";
    box.addEventListener("input", () => this.keep());
  }

  set place(place) {
    this.#key = `draft:${data.user}:${place}`;
  }

  keep() {
    if (this.#box.value) localStorage.setItem(this.#key, this.#box.value);
    else localStorage.removeItem(this.#key);
  }

  clear() {
    this.#box.value = "";
    this.keep();
  }
}

// Enter sends and Shift+Enter makes a line; never while an input method is composing (229: Safari's last key of it).
export function sendOnEnter(box) {
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    box.form.requestSubmit();
  });
}

// Shows a choice of a menu on the chip that opens it; the course may be chosen by the address.
export function showChoices(root) {
  root.addEventListener("change", ({ target }) => {
    const menu = target.closest?.("[popover]");
    if (!menu || target.type !== "radio") return;
    const chip = find(`[popovertarget="${menu.id}"] [data-choice]`);
    if (chip) chip.textContent = target.dataset.label;
    if (menu.dataset.note) document.getElementById(menu.dataset.note).textContent = target.dataset.note;
    const link = document.getElementById(menu.dataset.link);
    if (link && target.dataset.link) link.href = target.dataset.link;
    menu.hidePopover();
  });
  const wanted = new URLSearchParams(location.search).get("course");
  const course = [...root.querySelectorAll("[name=course]:enabled")].find((choice) => wanted && choice.value === wanted);
  if (course) {
    course.checked = true;
    course.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

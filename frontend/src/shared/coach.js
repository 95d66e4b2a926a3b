// Shows the advice about a question before it is spent, once: the same press again sends it as it is.
// The words come with the page (templates/chat/_advice.html), which has none for people who switched it off.

import { advise } from "./advice.js";
import { find, hideRefusal } from "./page.js";

export class Coach {
  #known = new Set(); // what was sent all the same is not said again
  #held = null; // { form, text, isFirst, keys } of the question that waits for a second press

  constructor() {
    document.addEventListener("input", ({ target }) => {
      if (!this.#held?.form.contains(target)) return;
      const { form, isFirst } = this.#held;
      if (!this.#news(target.value, isFirst).length) this.#drop(form);
    });
    document.addEventListener("click", ({ target }) => {
      const act = target.closest("[data-advice]")?.dataset.advice;
      if (act && this.#held) this[act](this.#held.form);
    });
  }

  // Whether the question is held back; the form is sent again when the person says so.
  holds(form, text, { isFirst = false } = {}) {
    if (!find("#advice-template")) return false;
    if (this.#held?.form === form && this.#held.text === text) {
      for (const key of this.#held.keys) this.#known.add(key);
      this.#drop(form);
      return false;
    }
    const news = this.#news(text, isFirst);
    this.#held = news.length ? { form, text, isFirst, keys: news.map(keyOf) } : null;
    if (this.#held) show(news);
    return Boolean(this.#held);
  }

  send(form) {
    form.requestSubmit();
  }

  change(form) {
    this.#drop(form);
    find("textarea", form).focus();
  }

  async never(form) {
    const habits = find("#notices [data-advice=never]").closest("form");
    await fetch(habits.action, { method: "POST", body: new FormData(habits) });
    find("#advice-template").remove();
    this.#drop(form);
    form.requestSubmit();
  }

  #news(text, isFirst) {
    return advise(text, { isFirst }).filter((one) => !this.#known.has(keyOf(one)));
  }

  #drop() {
    this.#held = null;
    hideRefusal();
  }
}

const keyOf = ({ code, found }) => `${code} ${found}`;

function show(news) {
  const notice = find("#advice-template").content.firstElementChild.cloneNode(true);
  for (const line of notice.querySelectorAll("[data-code]")) {
    const found = news.filter(({ code }) => code === line.dataset.code);
    const slot = find("[data-slot=found]", line);
    if (slot) slot.textContent = found.map((one) => one.found).join(", ");
    if (!found.length) line.remove();
  }
  if (!find("[data-personal]", notice)) find("[data-slot=personal]", notice).remove();
  hideRefusal();
  find("#notices").append(notice);
}

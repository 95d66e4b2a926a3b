// What passes by itself, as "too fast" or "the provider is busy" does: a countdown beside the words that say so, then the
// same once more. The person may have it tried at once, or not at all; typing stops it, too.

import { find } from "./page.js";

const LONGEST = 600; // seconds: whoever has to wait longer comes back by himself
const MOST = 3; // times in a row that nobody asked for

export class Patience {
  #ticking = 0;
  #tries = 0;
  #slot = null;
  #again = null;

  constructor(root = document) {
    root.addEventListener("click", ({ target }) => {
      const act = target.closest("[data-patience]")?.dataset.patience;
      if (act === "now") this.#try();
      if (act === "cancel") this.end();
    });
    root.addEventListener("input", () => this.#stop());
  }

  // Counts down in the slot of `notice`, then calls `again`. Does nothing when that would be no use.
  wait(notice, seconds, again) {
    this.#stop();
    const slot = notice && find("[data-slot=waiting]", notice);
    if (!slot || !(seconds > 0) || seconds > LONGEST || this.#tries >= MOST) return;
    this.#slot = slot;
    this.#again = again;
    const ends = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((ends - performance.now()) / 1000);
      find("[data-slot=seconds]", slot).textContent = Math.max(0, left);
      if (left <= 0) this.#try();
    };
    slot.hidden = false;
    tick();
    this.#ticking = setInterval(tick, 250);
  }

  // Somebody has asked, or has had an answer: what was tried before counts no more.
  end() {
    this.#stop();
    this.#tries = 0;
  }

  #try() {
    const again = this.#again;
    this.#stop();
    this.#tries += 1;
    again?.();
  }

  #stop() {
    clearInterval(this.#ticking);
    if (this.#slot) this.#slot.hidden = true;
    this.#slot = this.#again = null;
  }
}

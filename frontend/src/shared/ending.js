// The end of what is scrolled: how far off it is, going there, and staying there while words grow.
//
// The style sheet lays a chat out from its end, so that it opens there and follows a reader who is there without a script. But
// then all that stands moves up with each word, and the browser looks at all of it again in every frame. So while an answer
// grows the chat is laid out from its beginning, and is kept at its end from here.

const NEAR = 40; // pixels from the end that are still the end

export class Ending {
  #scroller;
  #isKept = true; // whether the reader is at the end, and stays there
  #last = 0;
  #sizes = new ResizeObserver(() => this.#isKept && this.go()); // heard before what grew is painted

  constructor(scroller) {
    this.#scroller = scroller;
    scroller.addEventListener("scroll", () => this.#hear(), { passive: true });
  }

  // How far above the end the reader is, in pixels.
  get away() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return this.#isGrowing ? scrollHeight - clientHeight - scrollTop : -scrollTop;
  }

  go(behavior = "instant") {
    this.#scroller.scrollTo({ top: this.#isGrowing ? this.#scroller.scrollHeight : 0, behavior });
  }

  // What is inside begins to grow, or has ended; the reader stays where she is.
  grow(isGrowing) {
    const { away } = this;
    if (isGrowing) this.#isKept = away < NEAR;
    this.#scroller.toggleAttribute("data-grows", isGrowing);
    const { scrollHeight, clientHeight } = this.#scroller;
    this.#scroller.scrollTop = this.#last = isGrowing ? scrollHeight - clientHeight - away : this.#isKept ? 0 : -away;
    this.#sizes.disconnect();
    if (isGrowing) this.#sizes.observe(this.#scroller.firstElementChild);
  }

  get #isGrowing() {
    return this.#scroller.hasAttribute("data-grows");
  }

  // Only who goes up leaves the end: what grows below moves nobody.
  #hear() {
    if (!this.#isGrowing) return;
    const { scrollTop } = this.#scroller;
    if (this.away < NEAR) this.#isKept = true;
    else if (scrollTop < this.#last) this.#isKept = false;
    this.#last = scrollTop;
  }
}

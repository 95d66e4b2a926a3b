// Text from a model becomes nodes of the page here and nowhere else: the one audited way.
//
// 1. marked reads Markdown; raw HTML in it is shown as the text it is, pictures become links.
// 2. DOMPurify lets through a short list of tags and three attributes; addresses only https, http, mailto.
// 3. What the page adds (frames, buttons, colors, formulas) is made by us, after that.
// So nothing a model writes can run, and nothing is fetched because a model wrote its address.
//
// A text is read in stretches, from what can change no more, so a long one never keeps the page busy and a growing one costs
// what grew. What a hostile text could make slow is bounded: the length of a stretch and of a paragraph that is read for
// its marks, the depth of lists and quotes, the length of a formula, and of the whole. Beyond a bound the words are shown
// as they were written.

import DOMPurify from "dompurify";
import { Lexer, Marked } from "marked";
import { colored, nameOf } from "./code.js";
import { inSlices } from "./slices.js";

const TAGS = [
  "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "kbd", "li", "ol", "p", "pre",
  "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
];
const PURIFY = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ["href", "start", "align", "data-language", "data-math"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ADD_URI_SAFE_ATTR: ["start", "align", "data-language", "data-math"], // no addresses
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const HAN = /\p{Script=Han}/u; // is stressed by dots on a Chinese page; other scripts lean there too
const PLAIN_TAG = /^<\/?(?:br|kbd|sub|sup)\s*\/?>$/i;

const escaped = (text) =>
  text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);

// $…$ follows pandoc: no space inside the dollars and no digit after them, so that prices stay prices.
const INLINE_MATH = /^(?:\$(?![\s$])((?:\\.|[^\\$\n])*?[^\s\\$])\$(?!\d)|\\\(([\s\S]+?)\\\))/;
const BLOCK_MATH = /^(?:\$\$([\s\S]{1,4000}?)\$\$|\\\[([\s\S]{1,4000}?)\\\])(?:[ \t]*(?:\n|$))?/;
const UNCLOSED_MATH = /^(?:\$\$|\\\[)/; // at the beginning of a paragraph: the rest of the formula is still to come

const MOST = 400_000; // characters of a text that is read as Markdown at all
const MOST_LINES = 8_000;
const MOST_BLOCKS = 2_000; // paragraphs and the like: the browser lays out each anew when one more stands beside it
const LONGEST_INLINE = 5_000; // characters of one paragraph or cell: emphasis costs the square of them
const LONGEST_MATH = 4_000; // characters of one formula, as in BLOCK_MATH
const DEEPEST = 20; // lists and quotes within each other
const OPEN = 2; // blocks at the end that more words may still change: a "-" after a list becomes its next item
const COLORED_WHILE_GROWING = 2_000; // characters of code; a longer block gets its colors when it is complete
// What is read at once; the longer stretch for a block that does not end in the shorter one, and it is cut after that.
const STRETCHES = [{ characters: 4_000, lines: 100 }, { characters: 20_000, lines: 400 }];
const PIECE = 20_000; // characters that are laid out together, of what is shown as it was written
const FENCE = /^ {0,3}(`{3,}|~{3,})[^\n]*\n/;
const MAYBE_END_OF_FENCE = /^ {0,3}[`~]*[ \t]*$/;

function math(name, level, pattern, start) {
  return {
    name,
    level,
    start,
    tokenizer(source) {
      const found = pattern.exec(source);
      if (found) return { type: name, raw: found[0], formula: (found[1] ?? found[2]).trim() };
    },
    renderer: ({ formula }) => {
      const node = `<code data-math="${level}">${escaped(formula)}</code>`;
      return level === "block" ? `<p>${node}</p>` : node;
    },
  };
}

// Only what is closed ends the paragraph before it; -1 where nothing is.
function startOfBlockMath(source) {
  const starts = [firstClosed(source, "$$", "$$"), firstClosed(source, "\\[", "\\]")].filter((at) => at >= 0);
  return starts.length ? Math.min(...starts) : -1;
}

// Each opening against the next closing only: many of them cost no more than one.
function firstClosed(source, open, close) {
  let end = 0;
  for (let at = source.indexOf(open); at >= 0; at = source.indexOf(open, at + 1)) {
    if (end < at + 3) end = source.indexOf(close, at + 3);
    if (end < 0) return -1;
    if (end - at - 2 <= LONGEST_MATH) return at;
    at = end - LONGEST_MATH - 3; // the openings before are too far off as well
  }
  return -1;
}

function reader(words) {
  return new Marked({
    gfm: true,
    extensions: [
      math("blockMath", "block", BLOCK_MATH, startOfBlockMath),
      math("inlineMath", "inline", INLINE_MATH, (source) => source.search(/\$|\\\(/)),
    ],
    renderer: {
      html: ({ text }) => (PLAIN_TAG.test(text.trim()) ? text : escaped(text)),
      image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)} (${escaped(words.picture)})</a>`,
      code: ({ text, lang }) =>
        `<pre><code data-language="${escaped((lang || "").split(/\s/)[0])}">${escaped(text)}</code></pre>`,
      checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    },
  });
}

// Marked's lexer with bounds. `links` are those defined in what was read before.
class Reader extends Lexer {
  #depth = 0;

  constructor(options, links) {
    super(options);
    Object.assign(this.tokens.links, links);
  }

  blockTokens(source, tokens = [], ...more) {
    if (this.#depth >= DEEPEST) return tokens.push({ type: "text", raw: source, text: source }), tokens;
    this.#depth += 1;
    try {
      return super.blockTokens(source, tokens, ...more);
    } finally {
      this.#depth -= 1;
    }
  }

  inlineTokens(source, tokens = []) {
    if (source.length <= LONGEST_INLINE) return super.inlineTokens(source, tokens);
    return tokens.push({ type: "text", raw: source, text: source }), tokens;
  }
}

// One growing text in one element. While it grows only its last blocks are made anew.
export class Markdown {
  #element;
  #words;
  #marked;
  #text = "";
  #links = {}; // those whose definition is complete: a half-streamed address is none yet
  #settled = 0; // how many characters have become nodes that stay
  #lines = 0; // and how many lines that were
  #stretch = 0; // which of STRETCHES is read next
  #rest = ""; // what was read last
  #done = []; // { raw, nodes } of those that may name a link which is defined further down
  #blocks = []; // { raw, nodes } of the last ones, which may still change; of growing code also { code, length }
  #pouring = null; // { into, end }: what is only put behind itself: the code of a long fence, or words beyond all bounds
  #isBehind = false;
  #caughtUp = null;

  constructor(element, words) {
    this.#element = element;
    this.#words = words;
    this.#marked = reader(words);
  }

  // The promise is kept when all of it is shown; a text of ordinary length is when this returns.
  show(text) {
    if (!this.#settled && !this.#blocks.length) this.#element.replaceChildren();
    this.#text = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    if (this.#isBehind) return this.#caughtUp;
    this.#isBehind = true;
    return (this.#caughtUp = inSlices(() => {
      this.#isBehind = this.#readOn();
      if (this.#isBehind) void this.#element.offsetHeight; // laid out now, so that a slice counts that as well
      return this.#isBehind;
    }));
  }

  // The end: code gets its colors, and links that were defined after their use are known now.
  async finish(text) {
    await this.show(text);
    this.#learn(this.#read(this.#rest));
    const known = Object.keys(this.#links).length > 0;
    const again = [...this.#done, ...this.#blocks].filter(({ raw, code }) => code || (known && raw.includes("[")));
    this.#done = [];
    await inSlices(() => {
      if (again.length) this.#replace(again.pop());
      return again.length > 0;
    });
  }

  // One stretch further; whether there is more.
  #readOn() {
    if (this.#isFull()) this.#pouring ??= this.#pourInto(this.#element);
    if (this.#pouring) return this.#pour();
    const end = endOfStretch(this.#text, this.#settled, STRETCHES[this.#stretch]);
    const isAll = end === this.#text.length;
    const source = this.#text.slice(this.#settled, end);
    const tokens = this.#read(source);
    const from = this.#settle(tokens, source, OPEN);
    this.#rest = isAll ? source : "";
    if (isAll) this.#showOpen(tokens.slice(from).filter(isShown));
    else if (!from && this.#stretch === STRETCHES.length - 1) this.#cut(tokens, source);
    this.#stretch = from ? 0 : Math.min(this.#stretch + !isAll, STRETCHES.length - 1);
    return !isAll;
  }

  #isFull() {
    return this.#settled >= MOST || this.#lines >= MOST_LINES || this.#element.childElementCount >= MOST_BLOCKS;
  }

  // A block longer than the longest stretch: code goes on as code, anything else begins anew here.
  #cut(tokens, source) {
    if (this.#settle(tokens, source, 1)) return;
    const fence = FENCE.exec(source);
    this.#dropOpen();
    if (tokens[0].type === "code" && fence) {
      const [figure] = this.#append([{ ...tokens[0], text: "" }]);
      const [opening, mark] = fence;
      this.#settled += opening.length;
      this.#pouring = this.#pourInto(figure.querySelector("code"));
      this.#pouring.end = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*\n`, "m");
      return;
    }
    const words = source.slice(0, lineEndOf(source));
    const whole = this.#read(words);
    this.#append(whole.filter(isShown));
    this.#learn(whole);
    this.#pass(words);
  }

  #pourInto(into) {
    this.#dropOpen();
    return { into, end: null };
  }

  #pour() {
    const { into, end } = this.#pouring;
    const source = this.#text.slice(this.#settled, this.#settled + PIECE);
    const isAll = this.#settled + source.length === this.#text.length;
    const line = this.#text[this.#settled - 1] === "\n" ? 0 : source.indexOf("\n") + 1 || source.length;
    const ended = end?.exec(source.slice(line));
    let length = isAll ? source.length : lineEndOf(source);
    if (ended) length = line + ended.index;
    else if (isAll && end) length -= maybeEnd(source, line);
    pour(into, source.slice(0, length));
    this.#settled += length + (ended?.[0].length ?? 0);
    if (ended) this.#pouring = null;
    return ended ? this.#settled < this.#text.length : !isAll;
  }

  #pass(raw) {
    this.#settled += raw.length;
    this.#lines += raw.split("\n").length - 1;
  }

  #dropOpen() {
    for (const { nodes } of this.#blocks.splice(0)) for (const node of nodes) node.remove();
  }

  #learn(tokens) {
    for (const { type, tag, href, title } of tokens) if (type === "def") this.#links[tag] ??= { href, title };
  }

  #read(source) {
    return new Reader(this.#marked.defaults, this.#links).lex(source);
  }

  // Makes all but the last blocks for good, in one go; returns how many tokens that were.
  #settle(tokens, rest, most) {
    let last = tokens.length;
    for (let open = 0; last > 0 && open < most; ) if (isShown(tokens[(last -= 1)])) open += 1;
    const unclosed = tokens.findIndex((token) => token.type === "paragraph" && UNCLOSED_MATH.test(token.raw));
    if (unclosed >= 0 && rest.length < LONGEST_INLINE) last = Math.min(last, unclosed);
    const settled = tokens.slice(0, last);
    const raw = settled.map((token) => token.raw).join("");
    if (!raw || !rest.startsWith(raw)) return 0;
    const shown = settled.filter(isShown);
    const kept = this.#keptOf(shown);
    const blocks = this.#blocks.splice(0, kept);
    this.#dropOpen();
    const made = shown.slice(kept);
    if (made.length) blocks.push({ raw: rawOf(made), nodes: this.#append(made) });
    for (const block of blocks) if (block.code) this.#replace(block);
    for (const block of blocks) if (block.raw.includes("[")) this.#done.push(block);
    this.#learn(settled);
    this.#pass(raw);
    return last;
  }

  #showOpen(tokens) {
    const kept = this.#keptOf(tokens);
    if (kept === this.#blocks.length - 1 && this.#grow(this.#blocks[kept], tokens[kept])) return;
    for (const { nodes } of this.#blocks.splice(kept)) for (const node of nodes) node.remove();
    for (const token of tokens.slice(kept)) {
      const block = { raw: token.raw, nodes: this.#append([token]) };
      if (isLongCode(token)) {
        block.code = block.nodes[0].querySelector("code");
        block.length = token.text.length;
      }
      this.#blocks.push(block);
    }
  }

  #keptOf(tokens) {
    let kept = 0;
    while (kept < tokens.length && this.#blocks[kept]?.raw === tokens[kept].raw) kept += 1;
    return kept;
  }

  // Code that only got longer: its new words are put behind the others.
  #grow(block, token) {
    if (!block.code || token?.type !== "code" || !token.raw.startsWith(block.raw)) return false;
    if (token.text.length < block.length) return false; // the first ticks of a closing fence were no code
    block.code.append(token.text.slice(block.length));
    block.length = token.text.length;
    block.raw = token.raw;
    return true;
  }

  // Makes a block anew where it stands, with all that is known now.
  #replace(block) {
    const place = document.createComment("");
    block.nodes[0]?.before(place);
    for (const node of block.nodes) node.remove();
    const fragment = this.#nodesOf(this.#read(block.raw).filter(isShown), true);
    block.nodes = [...fragment.childNodes];
    block.code = null;
    place.replaceWith(fragment);
  }

  #append(tokens) {
    const fragment = this.#nodesOf(tokens, tokens.length > 1);
    const nodes = [...fragment.childNodes];
    this.#element.append(fragment);
    return nodes;
  }

  #nodesOf(tokens, isFinal) {
    const fragment = DOMPurify.sanitize(this.#marked.parser(tokens), PURIFY);
    for (const link of fragment.querySelectorAll("a")) dressLink(link);
    for (const stressed of fragment.querySelectorAll("em")) if (!HAN.test(stressed.textContent)) stressed.lang = "";
    const isColored = isFinal || !isLongCode(tokens[0]);
    for (const code of fragment.querySelectorAll("pre > code")) dressCode(code, this.#words, isColored);
    for (const table of fragment.querySelectorAll("table")) dressTable(table, this.#words);
    const formulas = fragment.querySelectorAll("code[data-math]");
    if (formulas.length) typesetAll([...formulas]);
    return fragment;
  }
}

function endOfStretch(text, from, { characters, lines }) {
  const longest = Math.min(text.length, from + characters);
  let end = from;
  for (let line = 0; line < lines; line += 1) {
    end = text.indexOf("\n", end) + 1;
    if (!end || end >= longest) return longest;
  }
  return end;
}

// Where to cut: behind the last line, or within a line that is too long for that; never within a character.
function lineEndOf(source) {
  const line = source.lastIndexOf("\n") + 1;
  return line || source.length - /[\ud800-\udbff]$/.test(source);
}

// How much of the last line may be the beginning of the end of a fence.
function maybeEnd(source, line) {
  const last = source.slice(Math.max(line, source.lastIndexOf("\n") + 1));
  return MAYBE_END_OF_FENCE.test(last) ? last.length : 0;
}

// Puts words behind others, in pieces that are laid out each for itself and begin with a line.
function pour(into, text) {
  let piece = into.lastElementChild;
  const length = piece?.matches(".piece") ? piece.textContent.length : Infinity;
  if (length > 2 * PIECE || (length > PIECE && piece.textContent.endsWith("\n"))) {
    piece = make("div", { className: "piece" });
    into.append(piece);
  }
  piece.append(text);
}

const isShown = ({ type }) => type !== "space" && type !== "def";
const isLongCode = (token) => token?.type === "code" && token.text.length > COLORED_WHILE_GROWING;
const rawOf = (tokens) => tokens.map((token) => token.raw).join("\n\n");

function dressLink(link) {
  if (!link.hasAttribute("href")) return link.replaceWith(...link.childNodes);
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
}

function dressCode(code, words, isColored) {
  const language = code.dataset.language ?? "";
  code.removeAttribute("data-language");
  if (isColored && code.textContent.length <= COLORED_WHILE_GROWING) color(code, language);
  else if (isColored) inSlices(() => color(code, language));
  const figure = make("figure", { className: "code" });
  const header = make("header");
  const tools = make("span", { className: "row" });
  tools.append(
    make("button", { type: "button", className: "button quiet", textContent: words.wrap }, { act: "wrap" }),
    make("button", { type: "button", className: "button quiet", textContent: words.copy }, { act: "copy-code" }),
  );
  header.append(make("span", { textContent: nameOf(language) || words.code }), tools);
  const pre = code.parentElement;
  pre.tabIndex = 0;
  pre.replaceWith(figure);
  figure.append(header, pre);
}

function color(code, language) {
  code.innerHTML = colored(code.textContent, language); // highlight.js escapes what it is given
}

async function typesetAll(formulas) {
  const { typeset } = await import("./math.js");
  await inSlices(() => {
    typeset(formulas.shift());
    return formulas.length > 0;
  });
}

function dressTable(table, words) {
  const frame = make("div", { className: "table", tabIndex: 0, role: "region", ariaLabel: words.table });
  for (const cell of table.querySelectorAll("[align=right]")) cell.className = "number";
  table.replaceWith(frame);
  frame.append(table);
}

function make(tag, properties = {}, data = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, data);
  return element;
}

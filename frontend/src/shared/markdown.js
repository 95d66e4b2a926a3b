// Text from a model becomes nodes of the page here and nowhere else: the one audited way.
//
// 1. marked reads Markdown; raw HTML in it is shown as the text it is, pictures become links.
// 2. DOMPurify lets through a short list of tags and three attributes; addresses only https, http, mailto.
// 3. What the page adds (frames, buttons, colors, formulas) is made by us, after that.
// So nothing a model writes can run, and nothing is fetched because a model wrote its address.

import DOMPurify from "dompurify";
import { Marked } from "marked";
import { colored, nameOf } from "./code.js";

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
const PLAIN_TAG = /^<\/?(?:br|kbd|sub|sup)\s*\/?>$/i;

const escaped = (text) =>
  text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);

// $…$ follows pandoc: no space inside the dollars and no digit after them, so that prices stay prices.
const INLINE_MATH = /^(?:\$(?![\s$])((?:\\.|[^\\$\n])*?[^\s\\$])\$(?!\d)|\\\(([\s\S]+?)\\\))/;
const BLOCK_MATH = /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])(?:[ \t]*(?:\n|$))?/;

function math(name, level, pattern, start) {
  return {
    name,
    level,
    start: (source) => source.search(start),
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

function reader(words) {
  return new Marked({
    gfm: true,
    extensions: [
      math("blockMath", "block", BLOCK_MATH, /\$\$|\\\[/),
      math("inlineMath", "inline", INLINE_MATH, /\$|\\\(/),
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

// One growing text in one element. While it grows only the blocks that changed are made anew: all but the last stay.
export class Markdown {
  #element;
  #words;
  #marked;
  #blocks = []; // { raw, nodes }

  constructor(element, words) {
    this.#element = element;
    this.#words = words;
    this.#marked = reader(words);
  }

  show(text) {
    const tokens = this.#marked.lexer(text).filter((token) => token.type !== "space");
    let kept = 0;
    while (kept < tokens.length && this.#blocks[kept]?.raw === tokens[kept].raw) kept += 1;
    if (!this.#blocks.length) this.#element.replaceChildren();
    for (const { nodes } of this.#blocks.splice(kept)) for (const node of nodes) node.remove();
    for (const token of tokens.slice(kept)) {
      const fragment = this.#nodesOf(token);
      this.#blocks.push({ raw: token.raw, nodes: [...fragment.childNodes] });
      this.#element.append(fragment);
    }
  }

  // The end: links between blocks are known now, so everything is made once more.
  finish(text) {
    for (const { nodes } of this.#blocks.splice(0)) for (const node of nodes) node.remove();
    this.show(text);
  }

  #nodesOf(token) {
    const fragment = DOMPurify.sanitize(this.#marked.parser([token]), PURIFY);
    for (const link of fragment.querySelectorAll("a")) dressLink(link);
    for (const code of fragment.querySelectorAll("pre > code")) dressCode(code, this.#words);
    for (const table of fragment.querySelectorAll("table")) dressTable(table, this.#words);
    const formulas = fragment.querySelectorAll("code[data-math]");
    if (formulas.length) import("./math.js").then(({ typeset }) => formulas.forEach(typeset));
    return fragment;
  }
}

function dressLink(link) {
  if (!link.hasAttribute("href")) return link.replaceWith(...link.childNodes);
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
}

function dressCode(code, words) {
  const language = code.dataset.language ?? "";
  code.removeAttribute("data-language");
  code.innerHTML = colored(code.textContent, language); // highlight.js escapes what it is given
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

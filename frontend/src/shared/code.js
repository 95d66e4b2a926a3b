// Colors for code: a dozen languages of a campus, and our own four classes (k, n, t, c of app.css) for what they mark.

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";

const LANGUAGES = { bash, c, cpp, css, java, javascript, json, python, r, sql, typescript, xml };
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

const CLASSES = {
  keyword: "k", built_in: "k", "selector-tag": "k", name: "k", literal: "n", number: "n", symbol: "n",
  string: "t", regexp: "t", attr: "t", attribute: "t", comment: "c", doctag: "c", meta: "c", quote: "c",
};
const MARK = /<span class="hljs-([\w-]+)[^"]*">/g;
const LONGEST = 20_000; // characters; beyond this coloring costs more than it helps

// The name people know a language by; "" for one that is not, or not yet, a language (a half-streamed "pytho").
export const nameOf = (language) => hljs.getLanguage(language)?.name ?? language;

// `text` as HTML: escaped, and colored where the language is known.
export function colored(text, language) {
  const known = hljs.getLanguage(language) && text.length <= LONGEST;
  const { value } = known ? hljs.highlight(text, { language, ignoreIllegals: true }) : hljs.highlight(text, PLAIN);
  return value.replace(MARK, (_all, kind) => `<span class="${CLASSES[kind] ?? ""}">`);
}

const PLAIN = { language: "plain", ignoreIllegals: true };
hljs.registerLanguage("plain", () => ({ name: "", contains: [] }));

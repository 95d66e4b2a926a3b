// Formulas as MathML, which browsers draw without fonts or styles of ours. Loaded when the first formula appears.

import katex from "katex";

const OPTIONS = { output: "mathml", throwOnError: false, trust: false, strict: "ignore", maxSize: 20, maxExpand: 200 };

const MOST_KEPT = 300; // formulas: those of a growing paragraph are made at every word
const made = new Map();

// Replaces a <code data-math="inline|block"> by the formula it holds; one that cannot be read stays as it was written.
export function typeset(code) {
  const key = `${code.dataset.math}:${code.textContent}`;
  if (!made.has(key)) {
    if (made.size >= MOST_KEPT) made.clear();
    made.set(key, formulaOf(code.textContent, code.dataset.math === "block"));
  }
  const formula = made.get(key);
  if (formula) code.replaceWith(formula.cloneNode(true));
}

function formulaOf(source, displayMode) {
  const holder = document.createElement("span");
  try {
    katex.render(source, holder, { ...OPTIONS, displayMode, throwOnError: true });
  } catch (error) {
    if (!(error instanceof katex.ParseError)) throw error;
    return null;
  }
  const formula = holder.querySelector("math");
  if (displayMode) formula.tabIndex = 0; // where it is too wide it scrolls, by keyboard too
  return formula;
}

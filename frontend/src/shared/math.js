// Formulas as MathML, which browsers draw without fonts or styles of ours. Loaded when the first formula appears.

import katex from "katex";

const OPTIONS = { output: "mathml", throwOnError: false, trust: false, strict: "ignore", maxSize: 20, maxExpand: 200 };

// Replaces a <code data-math="inline|block"> by the formula it holds; one that cannot be read stays as it was written.
export function typeset(code) {
  const source = code.textContent;
  const displayMode = code.dataset.math === "block";
  const holder = document.createElement("span");
  try {
    katex.render(source, holder, { ...OPTIONS, displayMode, throwOnError: true });
  } catch (error) {
    if (!(error instanceof katex.ParseError)) throw error;
    return;
  }
  const formula = holder.querySelector("math");
  if (formula) code.replaceWith(formula);
}

// One cited answer: the model's words become nodes by the one audited way, and code can be copied.

import "./shared/leaving.js";
import { Markdown } from "./shared/markdown.js";

const { words } = JSON.parse(document.getElementById("page-data").textContent);

for (const prose of document.querySelectorAll("[data-markdown]")) {
  const text = prose.textContent;
  prose.classList.remove("plain");
  new Markdown(prose, words).finish(text);
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("figure.code button[data-act]");
  if (button?.dataset.act === "wrap") button.closest("figure").querySelector("pre").toggleAttribute("data-wrap");
  if (button?.dataset.act !== "copy-code") return;
  await navigator.clipboard.writeText(button.closest("figure").querySelector("code").textContent);
  button.textContent = words.copied;
  setTimeout(() => (button.textContent = words.copy), 1500);
});

// The page of citations: a button beside each that copies it.

import "./shared/leaving.js";

for (const button of document.querySelectorAll("[data-copies]")) {
  const label = button.querySelector("[data-label]");
  const before = label.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    label.textContent = button.dataset.done;
    document.getElementById("status").textContent = button.dataset.done;
    setTimeout(() => (label.textContent = before), 1500);
  });
}

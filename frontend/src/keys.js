// The pages of keys: buttons that copy a field or a piece of code, the new key among them, which is shown this once.

const status = document.getElementById("copied");

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    source.select?.();
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    status.textContent = "";
    status.textContent = button.dataset.done;
  });
}

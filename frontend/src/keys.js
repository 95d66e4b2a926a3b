// The page that shows a new key, this once: a button that copies it.

const button = document.querySelector("[data-copy]");
button.hidden = false;
button.addEventListener("click", async () => {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  await navigator.clipboard.writeText(field.value);
  document.getElementById("copied").textContent = button.dataset.done;
});

// Before a link that a model wrote is followed out of here, a dialog names the host it really leads to.

const dialog = document.getElementById("leaving");

for (const kind of ["click", "auxclick"]) document.addEventListener(kind, warn);

function warn(event) {
  const link = event.target.closest?.(".prose a[href], .sources a[href]");
  if (!dialog || !link || event.button > 1 || link.host === location.host || !/^https?:$/.test(link.protocol)) return;
  event.preventDefault();
  for (const slot of dialog.querySelectorAll("[data-slot=host]")) slot.textContent = link.host; // as the network spells it
  dialog.querySelector("[data-slot=address]").textContent = link.href;
  dialog.querySelector("[data-leaving=go]").href = link.href;
  dialog.showModal();
}

dialog?.addEventListener("click", ({ target }) => {
  if (target.closest("[data-leaving]") || target === dialog) dialog.close();
});

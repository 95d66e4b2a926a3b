// The account page: the browser's own question whether it may show notices.

const button = document.getElementById("notices");

function show() {
  button.hidden = !("Notification" in window) || Notification.permission === "denied";
  button.disabled = Notification.permission === "granted";
  if (button.disabled) button.textContent = button.dataset.allowed;
}

if ("Notification" in window) {
  show();
  button.addEventListener("click", async () => {
    await Notification.requestPermission();
    show();
  });
}

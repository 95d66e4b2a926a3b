// The frame of every page: htmx sends the CSRF token, the drawer gives the focus back, a toast goes when it was read.

const cookie = (name) => document.cookie.match(new RegExp(`(?:^|; )${name}=([^;]*)`))?.[1] ?? "";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = cookie("csrftoken");
});

const side = document.getElementById("side");
const opener = document.querySelector('[popovertarget="side"]');
side?.addEventListener("toggle", (event) => {
  if (event.newState === "closed") opener?.focus();
});

const SECONDS_TO_READ = 6;
for (const toast of document.querySelectorAll("p.toast")) setTimeout(() => toast.remove(), SECONDS_TO_READ * 1000);

// Keeps one page for when there is no network (templates/worker.js); after everything else.
addEventListener("load", () => navigator.serviceWorker?.register("/worker.js").catch(() => {}));

// The frame of every page: htmx sends the CSRF token, the drawer gives the focus back, a toast goes when it was read.

import { token } from "./shared/session.js";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = token();
});

// A part of a page is never the page that asks to sign in.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (new URL(event.detail.xhr.responseURL).pathname.startsWith("/accounts/")) event.detail.shouldSwap = false;
});

const side = document.getElementById("side");
const opener = document.querySelector('[popovertarget="side"]');
side?.addEventListener("toggle", (event) => {
  if (event.newState === "closed") opener?.focus();
});

// Of a menu longer than the window, where one is can be seen.
side?.querySelector(".scroll [aria-current]")?.scrollIntoView({ block: "nearest" });

const SECONDS_TO_READ = 6;
for (const toast of document.querySelectorAll("p.toast")) setTimeout(() => toast.remove(), SECONDS_TO_READ * 1000);

// Keeps one page for when there is no network (templates/worker.js); after everything else.
addEventListener("load", () => navigator.serviceWorker?.register("/worker.js").catch(() => {}));

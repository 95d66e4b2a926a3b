// The frame of every page: htmx sends the CSRF token, and the drawer gives the focus back where it came from.

const cookie = (name) => document.cookie.match(new RegExp(`(?:^|; )${name}=([^;]*)`))?.[1] ?? "";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = cookie("csrftoken");
});

const side = document.getElementById("side");
const opener = document.querySelector('[popovertarget="side"]');
side?.addEventListener("toggle", (event) => {
  if (event.newState === "closed") opener?.focus();
});

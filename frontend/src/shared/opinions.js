// What the person thinks of an answer: sent as it is pressed, shown as the server has it, in every tab.

import { find, Refused, say, send, showRefusal } from "./page.js";
import { hear, tell } from "./tabs.js";

export function hearOpinions(page) {
  page.addEventListener("submit", async (event) => {
    const form = event.target;
    const place = form.closest("[data-opinion]");
    if (!place) return;
    event.preventDefault();
    const { csrfmiddlewaretoken, ...fields } = Object.fromEntries(new FormData(form, event.submitter));
    try {
      const { html, said } = await send(form.action, fields);
      show(place, html, event.submitter?.dataset.verdict ?? "bad");
      say(said);
      tell("judged", { answer: place.dataset.opinion });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      showRefusal(error);
    }
  });

  hear("judged", async ({ answer }) => {
    const place = find(`[data-opinion="${answer}"]`);
    const held = place?.contains(document.activeElement) ? document.activeElement : null;
    if (!place || held?.matches("input")) return; // a sentence that is being written stays
    const response = await fetch(find("form", place).action, { redirect: "error" }).catch(() => null);
    if (response?.ok) show(place, await response.text(), held && (held.dataset.verdict ?? "bad"));
  });
}

// The focus stays on the button it was on, or goes back to the one the reasons belong to.
function show(place, html, pressed) {
  const template = document.createElement("template");
  template.innerHTML = html; // our own server's markup
  const fresh = find("[data-opinion]", template.content);
  place.replaceWith(fresh);
  if (pressed) find(`[data-verdict=${pressed}]`, fresh).focus();
}

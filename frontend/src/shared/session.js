// When the session has ended: a dialog leads to signing in beside the page, and the page goes on where it was.

import { hear, user } from "./tabs.js";

const dialog = document.getElementById("session");
let waiting = null; // resolves to whether the person is signed in again

// Asks the person to sign in again; false when they would rather not.
export function signedInAgain() {
  if (!dialog) return Promise.resolve(false);
  waiting ??= new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      waiting = null;
      resolve(dialog.returnValue === "again");
    }, { once: true });
    dialog.returnValue = "";
    dialog.showModal();
  });
  return waiting;
}

// Django makes a new token when somebody signs in: the cookie has it.
export const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";

function goOn() {
  for (const field of document.getElementsByName("csrfmiddlewaretoken")) field.value = token();
  dialog.close("again");
}

dialog?.addEventListener("click", ({ target }) => {
  const act = target.closest("[data-session]")?.dataset.session;
  if (act === "again") goOn();
  if (act === "later") dialog.close();
});
hear("here", (page) => {
  if (dialog?.open && page.user === user) goOn();
});

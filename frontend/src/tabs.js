// Every page says who is signed in. A tab that shows somebody else's page asks the server for its own: after signing out
// in one tab no chat stays open in another.

import { hear, tell, user } from "./shared/tabs.js";

if (user !== undefined) {
  tell("here");
  hear("here", (page) => {
    if (page.user === undefined || page.user === user) return;
    if (page.user === "" && document.querySelector("dialog#session[open]")) return; // the way to sign in again leads there
    location.assign(location.pathname + location.search);
  });
}

// What the open tabs of one browser tell each other. Nothing of it leaves the browser, and nothing of a text is in it.

const channel = "BroadcastChannel" in window ? new BroadcastChannel("campus-ai") : null;

export const user = document.body.dataset.user; // "" when nobody is signed in; undefined on pages of nobody

export const tell = (what, facts = {}) => channel?.postMessage({ ...facts, what, user });

// Calls `act` with what other tabs tell; of other people's tabs only for `what` = "here".
export function hear(what, act) {
  channel?.addEventListener("message", ({ data }) => {
    if (data.what === what && (what === "here" || data.user === user)) act(data);
  });
}

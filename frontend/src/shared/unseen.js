// What ends while nobody looks at the page: a mark in its title until somebody does, and a notice of the browser where the
// person allowed them (the account page asks).

const MARK = "● ";

export function tellUnseen(words) {
  if (!document.hidden) return;
  const title = document.title;
  if (!title.startsWith(MARK)) document.title = MARK + title;
  if (globalThis.Notification?.permission !== "granted") return;
  try {
    new Notification(title, { body: words, tag: "answer" });
  } catch {
    // some telephones know notices of service workers only
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.title.startsWith(MARK)) document.title = document.title.slice(MARK.length);
});

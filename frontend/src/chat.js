// The chat page: sends questions, follows answers, keeps drafts. Markup comes from the server; this only places it.

import "./shared/leaving.js";
import { Coach } from "./shared/coach.js";
import { Ending } from "./shared/ending.js";
import { data, Draft, find, hideRefusal, Refused, say, send, sendOnEnter, showChoices, showCost, showLeft, showRefusal, words } from "./shared/page.js";
import { Markdown } from "./shared/markdown.js";
import { hearOpinions } from "./shared/opinions.js";
import { Patience } from "./shared/patience.js";
import { signedInAgain } from "./shared/session.js";
import { follow, Gone } from "./shared/stream.js";
import { hear, tell } from "./shared/tabs.js";
import { tellUnseen } from "./shared/unseen.js";

const page = find("main.chat");
const form = find("#composer");
const box = find("#prompt");
const transcript = find(".transcript");
const ending = new Ending(transcript);
const draft = new Draft(box, data.conversation ?? "new");
const coach = new Coach();
const patience = new Patience();
const isWhole = "whole" in page.dataset; // answers are shown when they are complete
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
let following = null; // { article, stop } of the answer that is being written

const texts = new WeakMap(); // the Markdown of each shown answer, for copying

showAll([...page.querySelectorAll("article")]);
showAbove();
sendOnEnter(box);
showChoices(page);
hearOpinions(page);
if (matchMedia("(pointer: fine)").matches) box.focus();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (following || !box.value.trim()) return box.focus();
  if (coach.holds(form, box.value, { isFirst: !data.conversation && !form.elements.attachments?.value })) return;
  const fields = Object.fromEntries(new FormData(form));
  await ask(form, data.ask, { ...fields, conversation: data.conversation, text: box.value }, () => draft.clear());
  box.focus();
});

// Another answer, by the model that is chosen now; or another wording of an earlier question.
page.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-again], [data-edit] form")) return;
  event.preventDefault();
  if (following || (form.elements.text && coach.holds(form, form.elements.text.value))) return;
  const { csrfmiddlewaretoken, ...fields } = Object.fromEntries(new FormData(form));
  ask(form, form.action, { ...fields, model: find("[name=model]:checked")?.value ?? fields.model ?? "" }, () => {});
});

page.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) ACTS[button.dataset.act]?.(button);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
  if (following && !find(":popover-open, dialog[open]")) stop();
});

page.addEventListener("change", ({ target }) => {
  if (target.name === "model") showCost(target.dataset.weight);
});

transcript.addEventListener("scroll", () => {
  find("[data-act=latest]").hidden = ending.away < 200;
}, { passive: true });

const ACTS = {
  stop,
  print: () => print(),
  latest: () => ending.go(isCalm.matches ? "instant" : "smooth"),
  wrap: (button) => button.closest("figure").querySelector("pre").toggleAttribute("data-wrap"),
  "copy-code": (button) => copied(button, copyText(button.closest("figure").querySelector("code").textContent)),
  copy: (button) => {
    const article = button.closest("article");
    copied(button, copyBoth(texts.get(article) ?? "", find("[data-markdown]", article).innerHTML));
  },
};

async function ask(asking, url, body, sent) {
  form.ariaBusy = "true";
  hideRefusal();
  let asked;
  try {
    asked = await send(url, body);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return patience.wait(showRefusal(error), error.retryAfter, () => asking.requestSubmit());
  } finally {
    form.ariaBusy = null;
  }
  sent();
  place(asked);
}

// What the server made of the question: new messages, and for the first one of a chat its heading, rule and list.
function place(asked) {
  if (!data.conversation) {
    data.conversation = asked.conversation;
    draft.place = asked.conversation;
    box.placeholder = words.next;
    history.replaceState(null, "", asked.url);
    transcript.replaceChildren(parse('<div class="thread"></div>'));
    swap("#heading", asked.heading);
    swap("#rule", asked.rule);
    showTitle(titleOf());
    tellTalk();
  }
  swap("#talks", asked.talks);
  showLeft(asked.left);
  if (asked.instead_of) hideFrom(asked.instead_of);
  const fresh = parse(asked.html);
  const articles = [...fresh.children];
  find(".thread").append(fresh);
  ending.go();
  showAll(articles);
}

// The branch that is left: its message and all that follow it.
function hideFrom(message) {
  const first = document.getElementById(`m-${message}`);
  while (first?.nextElementSibling) first.nextElementSibling.remove();
  first?.remove();
}

// From the end, which is what one sees first.
function showAll(articles) {
  for (const article of articles.reverse()) if (article.dataset.from === "model") show(article);
}

// A long chat opens at its end. The rest comes at once after; where it cannot, the link to it stays.
async function showAbove() {
  const link = find("[data-above]", page);
  const response = link && (await fetch(link.dataset.above, { redirect: "error" }).catch(() => null));
  if (!response?.ok) return;
  const rest = parse(await response.text());
  const articles = [...rest.children];
  const isAimedAt = location.hash && !find(":target", page);
  link.replaceWith(rest);
  showAll(articles);
  if (isAimedAt) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function show(article) {
  const prose = find("[data-markdown]", article);
  const text = prose.dataset.text ?? prose.textContent;
  texts.set(article, text);
  if (article.dataset.follow) watch(article, prose, text);
  else if (text) new Markdown(settled(prose), words).finish(text);
}

// From the server's plain text to our own rendering.
function settled(prose) {
  prose.classList.remove("plain");
  return prose;
}

async function watch(article, prose, text) {
  const stopping = new AbortController();
  following = { article, url: article.dataset.stop };
  showAnswering(true);
  ending.grow(true);
  say(words.answering);
  const markdown = new Markdown(settled(prose), words);
  if (isWhole) prose.textContent = words.answering;
  else if (text) markdown.show(text);
  let frame = 0;
  const told = {
    text: (piece, at) => {
      text += piece;
      article.dataset.at = at;
      if (!isWhole) frame ||= requestAnimationFrame(() => ((frame = 0), markdown.show(text)));
    },
    thought: (piece, at) => {
      const thought = find("[data-thought]", article);
      thought.hidden = isWhole;
      find("p", thought).append(piece); // a text, never markup
      article.dataset.at = at;
    },
    waiting: (isAway) => say(isAway ? words.waiting : words.answering),
  };
  try {
    const last = await follow(article.dataset.follow, article.dataset.at, told, stopping.signal);
    cancelAnimationFrame(frame);
    if (text) markdown.finish(text);
    end(article, prose, text, last.data);
  } catch (error) {
    if (!(error instanceof Gone)) throw error;
    cancelAnimationFrame(frame);
    if (error.message === "401" && (await signedInAgain())) {
      return watch(article, prose, text);
    }
    location.reload(); // signed out or deleted elsewhere: the server's page says which
  } finally {
    following = null;
    ending.grow(false);
    showAnswering(false);
  }
}

// The answer as the server shows it at its end, around the words that stand there already.
function end(article, prose, text, last) {
  const final = parse(last.html).firstElementChild;
  const slot = find("[data-markdown]", final);
  if (text) slot.replaceWith(prose);
  const [thinking, thought] = [article, final].map((one) => find("[data-thought]", one));
  const isReading = thinking?.contains(document.activeElement);
  if (thought) thought.open = thinking?.open ?? false;
  article.replaceWith(final);
  if (isReading) find("summary", thought)?.focus();
  texts.set(final, text);
  showLeft(last.left);
  if (last.retry_after) patience.wait(final, last.retry_after, () => find("[data-again]", final)?.requestSubmit());
  else patience.end();
  const news = last.progress === "failed" ? words.failed : last.progress === "stopped" ? words.stopped : words.ready;
  say(news);
  tellUnseen(news);
}

// Stop takes the place of Send.
function showAnswering(isAnswering) {
  find("[data-act=stop]").hidden = !isAnswering;
  find("#send").hidden = isAnswering;
}

async function stop() {
  if (!following) return;
  find("[data-act=stop]").disabled = true;
  try {
    await send(following.url);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    showRefusal(error);
  } finally {
    find("[data-act=stop]").disabled = false;
    box.focus();
  }
}

// Markdown for editors, HTML for word processors: one press serves both.
async function copyBoth(markdown, html) {
  if (!window.ClipboardItem) return copyText(markdown);
  const item = new ClipboardItem({
    "text/plain": new Blob([markdown], { type: "text/plain" }),
    "text/html": new Blob([html], { type: "text/html" }),
  });
  await navigator.clipboard.write([item]);
}

const copyText = (text) => navigator.clipboard.writeText(text);

async function copied(button, copying) {
  await copying;
  const label = find("[data-label]", button) ?? button;
  const before = label.textContent;
  label.textContent = words.copied;
  setTimeout(() => (label.textContent = before), 1500);
}

// Markup of our own server, never of a model: a model's words reach the page only through Markdown.
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function swap(selector, html) {
  find(selector)?.replaceWith(parse(html));
}

// ---- other tabs of the same person: titles, what is new in the list, what is gone -----------------------------------------

const titleOf = () => find("#heading h1").textContent;
const linkOf = (conversation) => find(`#talks a[href$="/chat/${conversation}/"]`);

function tellTalk() {
  if (data.conversation) tell("talk", { conversation: data.conversation, title: titleOf() });
  else if (data.deleted) tell("gone", { conversation: data.deleted });
}

hear("talk", ({ conversation, title }) => {
  if (conversation === data.conversation) showTitle(title);
  if (linkOf(conversation)?.textContent !== title) renewTalks();
});
hear("gone", ({ conversation }) => {
  if (linkOf(conversation)) renewTalks();
});
tellTalk();

function showTitle(title) {
  find("#heading h1").textContent = find(".top > strong").textContent = title;
  document.title = document.title.replace(/^[^·]+/, `${title} `);
}

async function renewTalks() {
  const response = await fetch(`${data.talks}?current=${data.conversation ?? ""}`, { redirect: "error" }).catch(() => null);
  if (!response?.ok) return;
  swap("#talks", await response.text());
  window.htmx?.process(find("#talks"));
}

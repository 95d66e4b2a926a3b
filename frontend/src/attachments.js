// Files of the composer: chosen, dropped or pasted; sent up one by one, shown, taken back. The chat's own script sends
// their ids along, because they stand in the form (#attachments).

import { data, find, say, words } from "./shared/page.js";

const form = find("#composer");
const box = find("#prompt");
const sent = find("#attachments");
const list = find("#files");
const limits = data.files;
const KEY = () => `files:${data.user}:${data.conversation ?? "new"}`;

if (sent) {
  begin();
}

function begin() {
  const chooser = find("#choose");
  chooser.removeAttribute("name"); // files travel by themselves, not with the form
  chooser.addEventListener("change", () => {
    attach(chooser.files);
    chooser.value = "";
    find("#attach").hidePopover();
    box.focus();
  });
  list.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button) take(button);
  });
  addEventListener("paste", onPaste, true);
  dropping(find("main.chat"));
  // Before the chat's own listener: what is still on its way would be left behind.
  document.addEventListener("submit", holdBack, true);
  document.addEventListener("change", ({ target }) => target.name === "model" && tellUnseen());
  find("#unseen").addEventListener("click", ({ target }) => {
    const name = target.closest("[data-see]")?.dataset.see;
    const choice = name && [...document.querySelectorAll("[name=model]")].find((model) => model.value === name);
    if (choice) choice.click();
    box.focus();
  });
  new MutationObserver(watchThread).observe(find(".transcript"), { childList: true, subtree: true });
  comeBack();
}

// ---- coming ------------------------------------------------------------------------------------------------------

function attach(files) {
  hush();
  let room = limits.most - list.querySelectorAll("[data-file], [data-coming]").length;
  for (const file of files) {
    if (room-- <= 0) {
      refuse(file.name, limits.words.too_many);
    } else if (file.size > limits.bytes) {
      refuse(file.name, limits.words.too_large);
      room++;
    } else {
      bring(file);
    }
  }
}

// fetch cannot tell how far it has come; XMLHttpRequest can.
function bring(file) {
  const item = parse('<li class="file" data-coming><span class="facts-of"><span class="name"></span><progress></progress></span><button class="button quiet icon-only" type="button"></button></li>');
  const request = new XMLHttpRequest();
  const progress = find("progress", item);
  const button = find("button", item);
  find(".name", item).textContent = progress.ariaLabel = file.name;
  button.append(cross());
  button.ariaLabel = limits.words.cancel.replace("{name}", file.name);
  button.onclick = () => request.abort();
  list.append(item);
  changed();
  const body = new FormData();
  body.append("file", file, file.name);
  request.open("POST", limits.url);
  request.responseType = "json";
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("X-CSRFToken", find("[name=csrfmiddlewaretoken]").value);
  request.upload.onprogress = ({ loaded, total }) => {
    progress.max = total;
    progress.value = loaded;
  };
  request.upload.onload = () => progress.removeAttribute("value"); // arrived; being read
  request.onload = () => {
    if (request.status === 201) {
      item.replaceWith(parse(request.response.html)); // our own server's markup
      say(limits.words.attached.replace("{name}", file.name));
    } else {
      item.remove();
      refuse(file.name, request.response?.error?.message ?? words.broken);
    }
    changed();
  };
  request.onerror = () => {
    item.remove();
    refuse(file.name, words.offline);
    changed();
  };
  request.onabort = () => {
    item.remove();
    changed();
    box.focus();
  };
  request.send(body);
}

// Each refusal in its own words, beside the name; what is in the box stays.
function refuse(name, why) {
  const notice = parse('<section class="notice" data-tone="warn"><svg class="icon"></svg><div><p><b></b> <span></span></p></div></section>');
  find(".icon", notice).replaceWith(find("#unseen .icon").cloneNode(true));
  find("b", notice).textContent = name;
  find("span", notice).textContent = why;
  find("#files-said").append(notice);
}

const hush = () => find("#files-said").replaceChildren();

// ---- pasting and dropping ------------------------------------------------------------------------------------------

function onPaste(event) {
  const { clipboardData } = event;
  if (!clipboardData || (event.target !== box && event.target.closest?.("input, textarea"))) return;
  const text = clipboardData.getData("text/plain");
  if (!text && clipboardData.files.length) {
    event.preventDefault();
    return attach(clipboardData.files);
  }
  if (event.target !== box || !text) return;
  const room = box.maxLength - box.value.length + (box.selectionEnd - box.selectionStart);
  if (text.length <= room) return;
  // More than the box takes: a browser would cut it without a word. A file keeps what can be read of it.
  event.preventDefault();
  const most = limits.characters;
  const said = text.length > most ? limits.words.longer : limits.words.long;
  const shown = (count) => count.toLocaleString(document.documentElement.lang);
  attach([new File([text.slice(0, most)], `${limits.words.pasted}.txt`, { type: "text/plain" })]);
  refuse("", said.replace("{count}", shown(text.length)).replace("{most}", shown(text.length > most ? most : box.maxLength)));
}

function dropping(page) {
  const target = find("#drop");
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (isShown) => {
    target.hidden = !isShown;
    form.toggleAttribute("data-dropping", isShown);
  };
  addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault(); // beside the page too: a browser would leave it and open the file
    show(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget || show(false));
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    show(false);
    if (page.contains(event.target)) attach(event.dataTransfer.files);
    box.focus();
  });
}

// ---- going ---------------------------------------------------------------------------------------------------------

async function take(button) {
  const item = button.closest("[data-file]");
  if (!item) return;
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  changed();
  say(limits.words.removed.replace("{name}", find("[data-name]", item).textContent));
  (next ? find("button", next) : box).focus();
  const token = find("[name=csrfmiddlewaretoken]").value;
  await fetch(button.dataset.remove, { method: "POST", headers: { "X-CSRFToken": token } }).catch(() => null);
}

function holdBack(event) {
  if (event.target !== form || !list.querySelector("[data-coming]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  hush();
  refuse("", limits.words.wait);
}

// A question of mine with its files has come into the thread: they do not wait any more.
function watchThread() {
  const asked = new Set([...document.querySelectorAll(".thread [data-file]")].map((item) => item.dataset.file));
  const gone = [...list.querySelectorAll("[data-file]")].filter((item) => asked.has(item.dataset.file));
  if (!gone.length) return;
  localStorage.removeItem(`files:${data.user}:new`);
  for (const item of gone) item.remove();
  hush();
  changed();
}

// ---- what follows from the list --------------------------------------------------------------------------------------

function changed() {
  const ids = [...list.querySelectorAll("[data-file]")].map((item) => item.dataset.file);
  sent.value = ids.join(" ");
  list.hidden = !list.children.length;
  if (ids.length) localStorage.setItem(KEY(), sent.value);
  else localStorage.removeItem(KEY());
  tellUnseen();
}

// Said before anything is sent: a picture, and a model that looks at none.
function tellUnseen() {
  const seeing = [...document.querySelectorAll("[data-see]")].map((button) => button.dataset.see);
  const chosen = find("[name=model]:checked")?.value;
  find("#unseen").hidden = !list.querySelector("[data-is-picture]") || seeing.includes(chosen);
}

// A draft's files outlive a reload, like its words.
async function comeBack() {
  const ids = localStorage.getItem(KEY());
  if (!ids) return;
  const response = await fetch(`${limits.waiting}?ids=${encodeURIComponent(ids)}`, { redirect: "error" }).catch(() => null);
  if (!response?.ok) return;
  list.prepend(...fragment(await response.text()).children);
  changed();
}

// ---- one picture, large --------------------------------------------------------------------------------------------

const large = find("#enlarged");

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-enlarge]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const name = find("[data-name]", link.closest("li")).textContent;
  find("[data-slot=name]", large).textContent = name;
  Object.assign(find("[data-slot=picture]", large), { src: link.href, alt: name });
  large.showModal();
});
find("[data-close]", large).addEventListener("click", () => large.close());

// ---- markup ------------------------------------------------------------------------------------------------------------

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

const parse = (html) => fragment(html).firstElementChild;

const cross = () => find("[data-close] .icon", large).cloneNode(true);

{% comment %} The service worker. It keeps one page and its styles, for when there is no network, and nothing of anybody's. {% endcomment %}{% autoescape off %}
const KEPT = "offline-{{ version }}";
const PAGE = "{{ offline }}";
const FILES = [PAGE, {% for style in styles %}"{{ style }}"{% if not forloop.last %}, {% endif %}{% endfor %}];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)))),
  );
});

// Only the opening of a page, and only when the network fails; a page that came is never kept.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
  } else if (request.destination === "style") {
    event.respondWith(fetch(request).catch(() => caches.match(request)));
  }
});
{% endautoescape %}

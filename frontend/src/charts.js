// Pictures of numbers. The server has drawn each one; when it comes into view and colors are free, uPlot draws it again
// so that a pointer or the arrow keys can read single columns. Forced colors and paper keep the server's drawing.

const forced = matchMedia("(forced-colors: active)");

if (!forced.matches) {
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      import("./shared/columns.js").then(({ draw }) => draw(target));
    }
  });
  for (const figure of document.querySelectorAll("figure.chart[data-chart]")) seen.observe(figure);
}

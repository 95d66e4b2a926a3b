"""Whatever color a university makes its own, words and controls keep their contrast, as Chromium paints them."""

import pytest

from tests.pages.conftest import Visit

pytestmark = pytest.mark.browser

BRANDS = ["", "#ffff00", "#00a651", "#e6007e", "#000000", "#ffffff", "#0033a0", "#c8102e", "#ff8200", "#6f2c91"]
PAPERS = ["sunken", "ground", "surface", "wash"]
WORDS = ["ink", "ink-soft", "accent", "ok", "warn", "bad"]
PAIRS = (
    [(word, paper, 4.5) for word in WORDS for paper in PAPERS]
    + [("on-accent", "accent", 4.5)]
    + [("edge", paper, 3.0) for paper in PAPERS if paper != "wash"]
    + [(f"series-{number}", "surface", 3.0) for number in range(1, 7)]
)

# The relative luminance of WCAG 2.2, of what a pixel of each token becomes.
LUMINANCES = """([brand, names]) => {
  const root = document.documentElement;
  brand ? root.style.setProperty("--brand", brand) : root.style.removeProperty("--brand");
  const probe = document.body.appendChild(document.createElement("i"));
  const pixel = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const luminance = (name) => {
    probe.style.color = `var(--${name})`;
    pixel.fillStyle = getComputedStyle(probe).color;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return Object.fromEntries(names.map((name) => [name, luminance(name)]));
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_brand_keeps_the_contrast_of_words_and_controls(visit: Visit, theme: str) -> None:
    page = visit(theme=theme)
    page.goto("/accounts/login/")
    names = sorted({name for front, back, _least in PAIRS for name in (front, back)})
    faint = []
    for brand in BRANDS:
        light = page.evaluate(LUMINANCES, [brand, names])
        assert light["ink"] != light["surface"]
        for front, back, least in PAIRS:
            darker, lighter = sorted((light[front], light[back]))
            ratio = (lighter + 0.05) / (darker + 0.05)
            if ratio < least:
                faint.append(f"{front} on {back} with {brand or 'the default'}: {ratio:.2f}")
    assert faint == []

"""`make bench`: `python -m bench [start] [http] [pairs] [page] [opening] [pages] [frames] [soak]`.

Each in its own folder; by itself start and http. The figures belong to this machine now: run it when nothing else runs.
Nothing is asserted about time.
"""

import argparse

from bench import frames, http, opening, page, pages, pairs, soak, start

PARTS = {
    "start": start.main,
    "http": http.main,
    "pairs": pairs.main,
    "page": page.main,
    "opening": opening.main,
    "pages": pages.main,
    "frames": frames.main,
    "soak": soak.main,
}


def main() -> None:
    """Measure what was asked for, one table each."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=PARTS, help="what to measure (default: start http)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of http; medians are printed")
    parser.add_argument("--pairs", type=int, default=60, help="pairs of seconds of pairs")
    parser.add_argument("--tls", action="store_true", help="http: the provider behind TLS; without LiteLLM")
    parser.add_argument("--minutes", type=float, default=30, help="length of the soak")
    parser.add_argument("--streams", type=int, default=200, help="streams of the soak")
    options = parser.parse_args()
    for part in options.parts or ["start", "http"]:
        PARTS[part](options)


if __name__ == "__main__":
    main()

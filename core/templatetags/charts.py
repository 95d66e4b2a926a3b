"""Stacked columns as plain SVG: no script, no inline style, always above a table with the same numbers.

The same numbers go along as JSON: frontend/src/charts.js draws them again where columns can be read one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from django import template

register = template.Library()

WIDTH, HEIGHT = 890, 220  # in the units of the picture; it scales with its frame
LEFT, RIGHT, TOP, BOTTOM = 44, 872, 26, 196  # room at the right for half of the last label
GAP = 1.5  # between stacked parts, so that neighbors differ by more than color
MOST_LABELS = 12
MOST_COLORS = 6


@dataclass(frozen=True, slots=True)
class Part:
    """One series in one column: a rectangle in the color of the series."""

    series: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One column's label (empty where there is no room) and, for the highest, its total."""

    middle: float
    label: str
    top: float
    total: int | None


@register.inclusion_tag("components/chart.html")
def chart(
    *, name: str, title: str, note: str, labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]
) -> dict[str, object]:
    """Stacked columns.

    Args:
        name: unique on the page, for its ids.
        title: the finding, as a sentence.
        note: what is counted; it says that the table below has the same numbers.
        labels: one per column, from left to right.
        series: at most MOST_COLORS names, each with one number per column.
    """
    totals = [sum(values) for values in zip(*(values for _name, values in series), strict=True)] or [0] * len(labels)
    top, ticks = scale(max(totals, default=0))
    per_unit = (BOTTOM - TOP) / top
    step = (RIGHT - LEFT) / max(1, len(labels))
    every = -(-len(labels) // MOST_LABELS)
    highest = totals.index(max(totals)) if any(totals) else None
    parts, columns = [], []
    for index, label in enumerate(labels):
        x = LEFT + index * step + step * 0.18
        bounds = [0, *(sum(values[index] for _name, values in series[: n + 1]) for n in range(len(series)))]
        for number, (low, high) in enumerate(pairwise(bounds), start=1):
            if high > low:
                height = max(0.5, (high - low) * per_unit - GAP)
                parts.append(
                    Part(number, _round(x), _round(BOTTOM - high * per_unit), _round(step * 0.64), _round(height))
                )
        shown = label if (len(labels) - 1 - index) % every == 0 else ""
        total = totals[index] if index == highest else None
        columns.append(Column(_round(x + step * 0.32), shown, _round(BOTTOM - totals[index] * per_unit - 5), total))
    return {
        "name": name,
        "data_id": f"{name}-data",
        "data": {"labels": labels, "series": [{"name": label, "values": values} for label, values in series]},
        "title": title,
        "note": note,
        "legend": [(number, label) for number, (label, _values) in enumerate(series, start=1)],
        "grid": [(tick, _round(BOTTOM - tick * per_unit), _round(BOTTOM - tick * per_unit + 4)) for tick in ticks],
        "parts": parts,
        "columns": columns,
        "picture": {
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": RIGHT,
            "tick": LEFT - 8,
            "foot": HEIGHT - 6,
        },
    }


def scale(most: int) -> tuple[int, list[int]]:
    """The height of the axis and its marks, whole and round, for columns up to `most`: at most five steps from 0."""
    step = next(
        round_step
        for power in range(20)
        for round_step in (10**power, 2 * 10**power, 5 * 10**power)
        if round_step * 5 >= most
    )
    top = max(step, -(-most // step) * step)
    return top, list(range(0, top + 1, step))


def _round(value: float) -> float:
    return round(value, 1)

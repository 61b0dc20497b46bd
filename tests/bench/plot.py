"""Bar charts as SVG, from a template: one group of bars a chart, the value at the end of each bar."""

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Final, NamedTuple

BAR, GAP, LABEL, WIDTH, TITLE = 18, 8, 210, 700, 30
VALUE_WIDTH: Final = 110
COLOURS: Final = ("#2b6cb0", "#a0aec0")
"""Of the first bar of a chart, and of the others."""
_PAGE: Final = Template(
    '<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" font-family="sans-serif" font-size="13">\n'
    '<rect width="100%" height="100%" fill="white"/>\n$charts</svg>\n'
)
_BAR: Final = Template(
    '<text x="$label" y="$text" text-anchor="end">$name</text>'
    '<rect x="$left" y="$top" width="$length" height="$bar" fill="$colour"/>'
    '<text x="$end" y="$text">$value</text>\n'
)


class Chart(NamedTuple):
    """A title with the unit, and named values."""

    title: str
    bars: Sequence[tuple[str, float]]


def svg(charts: Sequence[Chart]) -> str:
    """Returns the charts below each other. Charts without bars are left out."""
    drawn, top = [], GAP
    for chart in charts:
        if chart.bars:
            drawn.append(_chart(chart, top))
            top += TITLE + len(chart.bars) * (BAR + GAP) + 2 * GAP
    return _PAGE.substitute(width=WIDTH, height=top, charts="".join(drawn))


def _chart(chart: Chart, top: int) -> str:
    largest = max(value for _, value in chart.bars) or 1.0
    lines = [f'<text x="{GAP}" y="{top + BAR}" font-weight="bold">{escape(chart.title)}</text>\n']
    for number, (name, value) in enumerate(chart.bars):
        bar_top = top + TITLE + number * (BAR + GAP)
        length = round(value / largest * (WIDTH - LABEL - VALUE_WIDTH))
        lines.append(
            _BAR.substitute(
                label=LABEL - GAP, text=bar_top + BAR - 4, name=escape(name), left=LABEL, top=bar_top, length=length,
                bar=BAR, colour=COLOURS[min(number, 1)], end=LABEL + length + GAP, value=f"{value:,.0f}",
            )
        )  # fmt: skip
    return "".join(lines)

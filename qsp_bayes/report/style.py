"""One restrained look for every figure: palette, panels, and pictures small enough to embed."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qsp_bayes.report.blocks import Image, Key

# Okabe and Ito's colours, which differ for every kind of colour vision, and greys.
BLUE, ORANGE, GREEN, SKY, AMBER = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00"
INK, GREY, PALE = "#1f2933", "#7b8794", "#dfe4ea"

CSS_PIXELS_PER_INCH = 96
WIDE, LARGE, SMALL = (6.4, 3.1), (3.5, 2.6), (2.2, 1.7)
DENSE = 600
LARGEST_SVG = 220_000
FONTS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"

LOOK: dict[Any, Any] = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "figure.dpi": 110,
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.6,
    "patch.linewidth": 0,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "qsp_bayes",
    # A subject or study may be called "$x"; only words are drawn.
    "text.parse_math": False,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 7.5,
    "ytick.major.width": 0.7,
}


class NotebookFigure(MatplotlibFigure):
    """A figure outside pyplot: it keeps no global state, and notebooks show it as the value of a cell."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=160)
        return buffer.getvalue()


@dataclass(frozen=True)
class Panel:
    """One set of axes: what it shows, in words, how to draw it, and its size in inches."""

    title: str
    alt: str
    draw: Callable[[Axes], None]
    size: tuple[float, float] = LARGE


def arrange(panels: Sequence[Panel], columns: int, key: Sequence[Key] = ()) -> NotebookFigure:
    """Draw panels side by side as one figure, with one legend above."""
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    width, height = panels[0].size
    with mpl.rc_context(LOOK):
        figure = NotebookFigure(
            figsize=(columns * width, rows * height + 0.3 * bool(key)), layout="constrained"
        )
        for position, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(rows, columns, position)
            panel.draw(axes)
            axes.set_title(panel.title)
        if key:
            figure.legend(
                handles=[legend_handle(entry) for entry in key], loc="outside upper center", ncols=len(key)
            )
    return figure


def legend_handle(entry: Key) -> Line2D | Patch:
    """Give the artist that stands for an entry of the legend."""
    if entry.mark == "band":
        return Patch(facecolor=entry.colour, alpha=0.25, label=entry.label)
    if entry.mark == "point":
        return Line2D([], [], linestyle="", marker="o", color=entry.colour, label=entry.label)
    return Line2D(
        [], [], linestyle="--" if entry.mark == "dashes" else "-", color=entry.colour, label=entry.label
    )


def scatter(axes: Axes, x: Any, y: Any, colour: str = INK, alpha: float = 0.6) -> None:
    """Draw points; many of them become pixels within the vector figure, to keep it light."""
    axes.plot(x, y, "o", color=colour, alpha=alpha, markeredgewidth=0, rasterized=len(x) > DENSE)


def picture(panel: Panel) -> Image:
    """Draw one panel as an embedded picture."""
    with mpl.rc_context(LOOK):
        figure = MatplotlibFigure(figsize=panel.size, layout="constrained")
        axes = figure.add_subplot()
        panel.draw(axes)
        axes.set_title(panel.title)
        uri = embedded(figure)
    return Image(uri, panel.alt, round(panel.size[0] * CSS_PIXELS_PER_INCH))


def embedded(figure: MatplotlibFigure) -> str:
    """Give a figure as a data URI: SVG, or PNG where that is lighter."""
    with mpl.rc_context(LOOK):
        text = io.StringIO()
        figure.savefig(
            text, format="svg", dpi=200, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
        svg = lighter(text.getvalue())
        if len(svg) <= LARGEST_SVG:
            return svg_uri(svg)
        binary = io.BytesIO()
        figure.savefig(binary, format="png", dpi=200)
        return "data:image/png;base64," + base64.b64encode(binary.getvalue()).decode()


def svg_uri(svg: str) -> str:
    """Give an SVG as a data URI. As the source of an image it can run nothing and load nothing."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def lighter(svg: str) -> str:
    """Drop what a browser does not need: prologue, comments, blank space, decimals beyond 0.01 pt.

    The layout was made with the widest of the usual fonts, so that the reader's own fits.

    Examples
    --------
    >>> lighter('<?xml version="1.0"?><!-- a --><svg><path d="M 1.23456 2.0"/></svg>')
    '<svg><path d="M 1.23 2.0"/></svg>'
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(\d\.\d\d)\d+", r"\1", svg)
    svg = re.sub(r">\s+<", "><", svg)
    return re.sub(r"'DejaVu Sans'", FONTS, svg)

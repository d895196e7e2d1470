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
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from qsp_bayes.report.blocks import Image, Key

# Okabe and Ito's colours, which differ for every kind of colour vision, and greys.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, GREY = "#1f2933", "#7b8794"

CSS_PIXELS_PER_INCH = 96
WIDE, LARGE, SMALL = (6.4, 3.1), (3.5, 2.6), (2.2, 1.7)
DENSE = 600
LARGEST_SVG = 60_000
PIXELS_PER_INCH = 150
FONTS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
SVG_METADATA = ("Creator", "Date", "Format", "Type")
DISPENSABLE = (
    (r"<!--.*?-->|<metadata>.*?</metadata>", ""),
    (r"(\d\.\d\d)\d+", r"\1"),
    (r">\s+<", "><"),
    (r'<g id="[^"]*"', "<g"),
    (r' transform="rotate\(-0 [^"]*"', ""),
    (r" font-family: 'DejaVu Sans'[^;\"]*;", ""),
    (r"</style>", f"text{{font-family:{FONTS}}}</style>"),
)
MARKERS = re.compile(r'<g(?P<clip>(?: clip-path="[^"]*")?)>(?P<uses>(?:<use [^>]*/>)+)</g>')

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
        figure = NotebookFigure(figsize=(columns * width, rows * height), layout="constrained")
        for position, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(rows, columns, position)
            panel.draw(axes)
            axes.set_title(panel.title)
        if key:
            add_legend(figure, key)
    return figure


def add_legend(figure: MatplotlibFigure, key: Sequence[Key]) -> None:
    """Put one legend above the panels, in as many columns as the figure is wide enough for."""
    handles = [legend_handle(entry) for entry in key]
    for columns in range(len(key), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper center", ncols=columns)
        extent = legend.get_window_extent()
        if extent.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    # The panels keep their height.
    figure.set_figheight(figure.get_figheight() + extent.height / figure.dpi)


def legend_handle(entry: Key) -> Line2D | Patch:
    """Give the artist that stands for an entry of the legend."""
    if entry.mark == "band":
        return Patch(facecolor=entry.colour, alpha=0.25, label=entry.label)
    if entry.mark == "point":
        return Line2D([], [], linestyle="", marker="o", color=entry.colour, label=entry.label)
    return Line2D(
        [], [], linestyle="--" if entry.mark == "dashes" else "-", color=entry.colour, label=entry.label
    )


def scatter(axes: Axes, x: Any, y: Any, colour: str = INK) -> None:
    """Draw points; where they are many they are paler, and pixels within the vector figure to keep it light."""
    many = len(x) > DENSE
    size, alpha = (2.2, 0.25) if many else (3.6, 0.6)
    axes.plot(x, y, "o", color=colour, alpha=alpha, markersize=size, markeredgewidth=0, rasterized=many)


def logarithmic(axes: Axes) -> None:
    """Make both axes logarithmic, with plain numbers."""
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


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
    """Give a figure as a data URI: SVG, or PNG in few colours where that is lighter."""
    with mpl.rc_context(LOOK):
        text = io.StringIO()
        figure.savefig(text, format="svg", dpi=PIXELS_PER_INCH, metadata=dict.fromkeys(SVG_METADATA))
        svg = lighter(text.getvalue())
        if len(svg) <= LARGEST_SVG:
            return svg_uri(svg)
        binary = io.BytesIO()
        figure.savefig(binary, format="png", dpi=PIXELS_PER_INCH)
    with PIL.Image.open(binary) as image:
        few = io.BytesIO()
        image.convert("RGB").quantize(64).save(few, format="png", optimize=True)
    return min(svg_uri(svg), data_uri("image/png", few.getvalue()), key=len)


def svg_uri(svg: str) -> str:
    """Give an SVG as a data URI. As the source of an image it can run nothing and load nothing."""
    return data_uri("image/svg+xml", svg.encode())


def data_uri(kind: str, content: bytes) -> str:
    """Give a file as text that stands for it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def lighter(svg: str) -> str:
    """Drop what a browser does not need, and say once what holds for all.

    Gone are the prologue, comments, blank space, names of groups, decimals beyond 0.01 pt, and the style of
    every marker where that of its group is enough. The layout was made with the widest of the usual fonts, so
    that the reader's own fits.

    Examples
    --------
    >>> lighter('<?xml version="1.0"?><!-- a --><svg><path d="M 1.23456 2.0"/></svg>')
    '<svg><path d="M 1.23 2.0"/></svg>'
    """
    svg = svg[svg.index("<svg") :]
    for pattern, replacement in DISPENSABLE:
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    return MARKERS.sub(styled_once, svg)


def styled_once(markers: re.Match[str]) -> str:
    """Move the style that all markers of a group share to the group."""
    styles = set(re.findall(r' style="[^"]*"', markers["uses"]))
    if len(styles) != 1:
        return markers[0]
    (style,) = styles
    return f"<g{markers['clip']}{style}>{markers['uses'].replace(style, '')}</g>"

"""Every colour of the panels, each with one meaning; the only module of the window that names colours.

Bodyparts and individuals have colours of their own (`domain.views.colours`), which stand for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours panels paint with.

    Parameters
    ----------
    background, raised, line : QColor
        Behind everything; of fields and bars; between sections.
    text, dim : QColor
        Of what is read first, and of what is read second.
    accent : QColor
        What the program suggests and does: the queue, scores, progress, curves, the main button.
    selected : QColor
        Behind the row, the tool or the page that is chosen.
    good : QColor
        What the user has labelled, and nothing else.
    holdout : QColor
        Test frames, and nothing else.
    caution : QColor
        Text of what is refused, and marks of what the model is unsure of.
    error : QColor
        Behind a message about what went wrong; its text is white.
    """

    background: QColor
    raised: QColor
    line: QColor
    text: QColor
    dim: QColor
    accent: QColor
    selected: QColor
    good: QColor
    holdout: QColor
    caution: QColor
    error: QColor


ON_VIDEO, BEHIND_VIDEO = QColor("white"), QColor("black")
"""What is drawn over pictures, whatever the theme, and what surrounds them."""
MODEL_ON_VIDEO = QColor("#22e6ff")
"""Where the model sees a point whose label is checked."""


def theme_colours(theme: str) -> Colours:
    """Return the colours for napari's theme ``theme``, dark or light."""
    found: Any = get_theme(theme)
    text, background = _colour(found.text), _colour(found.background)
    dark = background.lightness() < 128
    accent = QColor("#7d95f5" if dark else "#3b56c4")
    return Colours(
        background=background,
        raised=_colour(found.foreground),
        line=_colour(found.primary),
        text=text,
        dim=mix(text, background, 0.36),
        accent=accent,
        selected=mix(_colour(found.current), background, 0.45),
        good=QColor("#5fce7f" if dark else "#1e8a43"),
        holdout=QColor("#f0b64c" if dark else "#a86400"),
        caution=QColor("#ff8a8a" if dark else "#b3202c"),
        error=QColor("#c0303c"),
    )


def see_through(colour: QColor, opacity: float) -> QColor:
    """Return ``colour`` with an opacity in [0, 1]."""
    made = QColor(colour)
    made.setAlphaF(opacity)
    return made


def contrast(a: QColor, b: QColor) -> float:
    """Return the contrast of two colours as WCAG 2.1 defines it: 1 to 21; text is readable from 4.5 on."""
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mix(a: QColor, b: QColor, share: float) -> QColor:
    """Return ``a`` with ``share`` of ``b`` in it."""
    pairs = ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    return QColor(*(round(x * (1 - share) + y * share) for x, y in pairs))


def style_sheet(colours: Colours) -> str:
    """Return the dock's style sheet; widgets take their part by the property ``part``."""
    return _of_texts(colours) + _of_buttons(colours) + _of_lists(colours)


def _of_texts(colours: Colours) -> str:
    """Return the style of labels and of the frames around messages."""
    return f"""
        QLabel[part="project"] {{ font-size: 13pt; font-weight: 600; }}
        QLabel[part="title"] {{ font-weight: 600; }}
        QLabel[part="dim"] {{ color: {colours.dim.name()}; }}
        QLabel[part="warning"] {{ color: {colours.caution.name()}; }}
        QFrame[part="line"] {{ background-color: {colours.line.name()}; border: none; }}
        QFrame[part="error"] {{ background-color: {colours.error.name()}; border-radius: 3px; }}
        QFrame[part="info"] {{ background-color: {colours.raised.name()}; border-radius: 3px; }}
        QFrame[part="error"] QLabel, QFrame[part="error"] QToolButton {{
            background-color: transparent; color: white;
        }}
        QFrame[part="info"] QLabel, QFrame[part="info"] QToolButton {{ background-color: transparent; }}
    """


def _of_buttons(colours: Colours) -> str:
    """Return the style of buttons."""
    return f"""
        QPushButton[part="main"] {{
            background-color: {mix(colours.accent, colours.background, 0.35).name()};
            color: {"white" if colours.background.lightness() < 128 else colours.text.name()};
            font-weight: 600; padding: 4px 10px;
        }}
        QPushButton[part="main"]:hover {{ background-color: {mix(colours.accent, colours.background, 0.2).name()}; }}
        QPushButton[part="main"]:disabled {{
            background-color: {colours.raised.name()}; color: {colours.dim.name()}; font-weight: 400;
        }}
        QToolButton[part="fold"] {{ font-weight: 600; border: none; background: transparent; padding: 1px 4px 1px 0; }}
        QToolButton[part="menu"] {{ border: none; background: transparent; padding: 0 4px; font-weight: 600; }}
        QToolButton[part="menu"]::menu-indicator {{ image: none; }}
        QToolButton[part="choice"] {{
            background-color: {colours.line.name()}; color: {colours.text.name()};
            padding: 3px 8px; border-radius: 3px;
        }}
        QToolButton[part="choice"]:hover {{ background-color: {mix(colours.line, colours.text, 0.15).name()}; }}
        QToolButton[part="choice"]:checked {{
            background-color: {colours.selected.name()}; color: {colours.text.name()}; font-weight: 600;
        }}
        QToolButton[part="choice"]:disabled {{
            background-color: {colours.raised.name()}; color: {colours.dim.name()};
        }}
        {_of_transport(colours)}
        QToolButton[part="tab"] {{ color: {colours.text.name()}; padding: 2px 6px; border-radius: 3px; }}
        QToolButton[part="tab"]:checked {{ background-color: {colours.selected.name()}; font-weight: 600; }}
    """


def _of_transport(colours: Colours) -> str:
    """Return the style of the buttons that go through a video, with the pictures on napari's own."""
    icons = _icons(colours)
    return f"""
        QToolButton[part="transport"] {{ background: transparent; border: none; border-radius: 3px; padding: 4px; }}
        QToolButton[part="transport"]:hover {{ background-color: {colours.line.name()}; }}
        QToolButton[icon_name="back"] {{ image: url("{icons}:/step_left.svg"); }}
        QToolButton[icon_name="play"] {{ image: url("{icons}:/right_arrow.svg"); }}
        QToolButton[icon_name="on"] {{ image: url("{icons}:/step_right.svg"); }}
        QToolButton[part="transport"]:checked {{ image: url("{icons}:/square.svg"); }}
        QToolButton[part="transport"]:disabled {{ image: none; }}
    """


def _icons(colours: Colours) -> str:
    """Return where napari keeps its pictures for a theme, in Qt's search paths."""
    return "theme_dark" if colours.background.lightness() < 128 else "theme_light"


def _of_lists(colours: Colours) -> str:
    """Return the style of progress bars, fields, lists and tables."""
    icons = _icons(colours)
    return f"""
        QProgressBar {{ background-color: {colours.raised.name()}; border: none; border-radius: 3px; }}
        QProgressBar::chunk {{ background-color: {colours.accent.name()}; border-radius: 3px; margin: 0; }}
        QListView {{ background-color: {colours.background.name()}; border: none; }}
        QPlainTextEdit, QListWidget {{
            background-color: {colours.raised.name()}; border-radius: 3px; padding: 3px;
        }}
        QListWidget::item {{ padding: 2px 0; }}
        QListView::item:selected, QTableView::item:selected, QTreeView::item:selected {{
            background-color: {colours.selected.name()}; color: {colours.text.name()};
        }}
        QComboBox QAbstractItemView {{
            selection-background-color: {colours.selected.name()}; selection-color: {colours.text.name()};
        }}
        QTableView::indicator {{
            width: 13px; height: 13px; border: 1px solid {colours.dim.name()}; border-radius: 2px;
            background-color: {colours.raised.name()};
        }}
        QTableView::indicator:checked {{
            background-color: {colours.accent.name()}; image: url("{icons}:/check.svg");
        }}
        QLineEdit {{ background-color: {colours.raised.name()}; }}
    """


def _luminance(colour: QColor) -> float:
    shares = (colour.redF(), colour.greenF(), colour.blueF())
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(colour: Any) -> QColor:
    red, green, blue = colour.as_rgb_tuple()[:3]
    return QColor(int(red), int(green), int(blue))

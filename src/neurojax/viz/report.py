"""The report of a run: one HTML page that holds all it shows."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p.lead { font-size: 1.1rem; } p.small, figcaption, footer { color: #555; font-size: .9rem; }
table { border-collapse: collapse; margin: .8rem 0; } th, td { padding: .25rem 0 .25rem 1.4rem; text-align: right; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { border-bottom: 1px solid #999; font-weight: 600; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: .85rem; }
.note { border-left: 4px solid #E69F00; padding-left: .8rem; }
"""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        title: its heading.
        parts: HTML, from the functions below.
    """

    title: str
    parts: Sequence[str]


def page(title: str, lead: Sequence[str], sections: Sequence[Section], footer: str) -> str:
    """The whole page. Nothing in it is loaded from elsewhere.

    Args:
        title: of the page.
        lead: HTML above the sections.
        sections: in order.
        footer: plain text.
    """
    body = "\n".join(f"<h2>{escape(s.title)}</h2>\n" + "\n".join(s.parts) for s in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(lead) + f"\n{body}\n<footer><hr><p>{escape(footer)}</p></footer>\n"
        "</body>\n</html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text; `kind` is "lead", "small" or "note"."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def picture(png: bytes, caption: str) -> str:
    """A figure, held in the page."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(caption, quote=True)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; numbers are rounded to three places."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = "\n".join("<tr>" + "".join(f"<td>{escape(shown(v))}</td>" for v in row) + "</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{lines}\n</table>"


def code(text: str) -> str:
    """Text as it stands."""
    return f"<pre>{escape(text)}</pre>"


def shown(value: Any) -> str:
    """A value to be read; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return "∞" if value == math.inf else "−∞" if value == -math.inf else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def percent(value: float) -> str:
    """A share as a percentage: 98.8%."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f}%"


def fit_table(fits: Mapping[str, Any]) -> str:
    """The parameters of psychometric fits side by side, with their intervals.

    Args:
        fits: `PsychometricFit` by whose it is.
    """
    meaning = {
        "bias": "bias (% coherence at which Φ is one half; negative: towards the right)",
        "threshold": "threshold (% coherence from there to Φ = .841)",
        "lapse_left": "lapses at strong evidence for the left (share)",
        "lapse_right": "lapses at strong evidence for the right (share)",
    }
    rows: list[list[Any]] = []
    for name, text in meaning.items():
        cells = []
        for fit in fits.values():
            e = getattr(fit, name)
            cells.append("–" if math.isnan(e.value) else f"{e.value:.3g} ({_end(e.low)} to {_end(e.high)})")
        rows.append([text, *cells])
    rows.append(["trials with a choice", *(fit.answered for fit in fits.values())])
    rows.append(["trials without", *(fit.missing for fit in fits.values())])
    return table(["parameter, with 95% interval", *fits], rows)


def _end(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "unbounded"

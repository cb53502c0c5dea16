"""The gallery: one page with every task, its trials drawn, searched by name and filtered by tag.

The page holds all that it shows: no file, font or script is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from neurojax.viz.report import shown, table

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0; }
main, header > div { max-width: 66rem; margin: 0 auto; padding: 0 1rem; }
header { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #ccc; padding: .8rem 0 .5rem; }
h1 { font-size: 1.4rem; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 0; }
h2 a { color: inherit; text-decoration: none; } h2 a:hover { text-decoration: underline; }
input { font: inherit; padding: .3rem .6rem; width: 20rem; max-width: 100%; border: 1px solid #888; }
#tags { margin-top: .4rem; max-height: 6.5rem; overflow-y: auto; }
button { font: inherit; font-size: .85rem; border: 1px solid #bbb; border-radius: 1rem; background: #f6f6f6;
  padding: 0 .6rem; margin: 0 .25rem .25rem 0; cursor: pointer; color: #222; }
code { background: #f3f3f3; padding: 0 .2rem; font-size: .9em; }
button[aria-pressed=true] { background: #0072B2; border-color: #0072B2; color: #fff; }
article { border-bottom: 1px solid #ddd; padding: 1.4rem 0; scroll-margin-top: 11rem; }
article[hidden] { display: none; }
img { max-width: 100%; height: auto; } .summary { margin: .2rem 0; } .small { color: #555; font-size: .9rem; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .9rem; }
th, td { padding: .2rem 1.2rem .2rem 0; text-align: left; vertical-align: top; } th { border-bottom: 1px solid #999; }
details { margin: .4rem 0; } summary { cursor: pointer; } pre { white-space: pre-wrap; font: inherit; margin: .4rem 0; }
@media (max-width: 40rem) { header { position: static; } }
"""

# The state of the page is its address: #q=words&tag=name, so that a view can be linked to.
_SCRIPT = """
const box = document.getElementById('search'), count = document.getElementById('count');
const buttons = [...document.querySelectorAll('#tags button')], cards = [...document.querySelectorAll('article')];
function state() {
  const at = new URLSearchParams(location.hash.slice(1));
  return { q: at.get('q') || '', tag: at.get('tag') || '' };
}
function show() {
  const { q, tag } = state(), words = q.toLowerCase().split(/\\s+/).filter(Boolean);
  if (document.activeElement !== box) box.value = q;
  let seen = 0;
  for (const card of cards) {
    const tagged = !tag || JSON.parse(card.dataset.tags).includes(tag);
    const found = words.every(word => card.dataset.text.includes(word));
    card.hidden = !(tagged && found);
    seen += !card.hidden;
  }
  for (const button of buttons) button.setAttribute('aria-pressed', button.dataset.tag === tag);
  count.textContent = `${seen} of ${cards.length} tasks`;
}
function go(change) {
  const next = { ...state(), ...change }, at = new URLSearchParams();
  for (const [name, value] of Object.entries(next)) if (value) at.set(name, value);
  history.replaceState(null, '', '#' + at);
  show();
}
box.addEventListener('input', () => go({ q: box.value }));
for (const button of buttons)
  button.addEventListener('click', () => go({ tag: state().tag === button.dataset.tag ? '' : button.dataset.tag }));
addEventListener('hashchange', show);
show();
"""


@dataclasses.dataclass(frozen=True)
class Card:
    """One task of the gallery.

    Attributes:
        known: what is known of it, from `neurojax.analysis.describe.describe`.
        png: its trials, drawn.
    """

    known: Mapping[str, Any]
    png: bytes


def gallery(cards: Sequence[Card], footer: str = "") -> str:
    """The page.

    Args:
        cards: the tasks, in order.
        footer: plain text at its end.

    Example:
        >>> from neurojax.analysis.describe import describe
        >>> from neurojax.viz.gallery import Card, gallery
        >>> import neurojax as nj
        >>> known = describe("ReadySetGo-v0", nj.make("ReadySetGo-v0"))
        >>> "ReadySetGo-v0" in gallery([Card(known, b"")])
        True
    """
    tags = sorted({tag for card in cards for tag in card.known["tags"]})
    buttons = "".join(f'<button data-tag="{escape(tag, quote=True)}">{escape(tag)}</button>' for tag in tags)
    body = "\n".join(_card(card) for card in cards)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>neurojax: the tasks</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<header><div>\n"
        f"<h1>neurojax: the tasks</h1>\n"
        '<label for="search">Search </label><input id="search" type="search" placeholder="name, paper, words">\n'
        f'<span id="count" class="small" role="status">{len(cards)} tasks</span>\n<div id="tags">{buttons}</div>\n'
        f"</div></header>\n<main>\n{body}\n<footer><p class='small'>{escape(footer)}</p></footer>\n</main>\n"
        f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _card(card: Card) -> str:
    known = card.known
    paper = known["paper"]
    words = " ".join([known["id"], known["doc"], *known["tags"], paper["citation"] if paper else ""]).lower()
    lines = known["doc"].splitlines()
    parts = [
        f'<article id="{escape(known["id"], quote=True)}" data-tags="{escape(json.dumps(known["tags"]), quote=True)}" '
        f'data-text="{escape(" ".join(words.split()), quote=True)}">',
        f'<h2><a href="#q={escape(known["id"], quote=True)}">{escape(known["id"])}</a></h2>',
        f'<p class="summary">{escape(lines[0] if lines else "")}</p>',
        f'<p class="small">{escape(", ".join(known["tags"]))}</p>',
        _paper(paper),
        _picture(card),
        f"<pre>{_code(_unwrapped(lines[1:]))}</pre>",
        _details("Timing, rewards and parameters", _numbers(known)),
        _details("Deviations from NeuroGym", _deviations(known["deviations"])),
        _references(known["references"]),
        "</article>",
    ]
    return "\n".join(part for part in parts if part)


def _paper(paper: Mapping[str, str] | None) -> str:
    if paper is None:
        return ""
    link = f"https://doi.org/{paper['doi']}"
    return f'<p class="small">{escape(paper["citation"])} <a href="{escape(link, quote=True)}">{escape(link)}</a></p>'


def _picture(card: Card) -> str:
    if not card.png:
        return ""
    data = base64.b64encode(card.png).decode()
    words = escape(f"trials of {card.known['id']}", quote=True)
    return f'<img loading="lazy" src="data:image/png;base64,{data}" alt="{words}">'


def _unwrapped(lines: Sequence[str]) -> str:
    """Paragraphs as lines of their own: the docstring's line breaks are not the page's."""
    paragraphs = "\n".join(lines).strip().split("\n\n")
    return "\n\n".join(" ".join(p.split()) if not p.startswith(" ") else p for p in paragraphs)


def _code(text: str) -> str:
    """HTML of text in which names stand between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>" if content else ""


def _numbers(known: Mapping[str, Any]) -> str:
    from neurojax.analysis.describe import law_text

    channels = ", ".join(f"{name} ({size})" for name, size in known["channels"].items())
    actions = ", ".join(
        f"{name} ({size})" if known["actions_kind"] == "discrete" else f"{name} from {size[0]:g} to {size[1]:g}"
        for name, size in known["actions"].items()
    )
    rows = [["channels", channels], [f"actions ({known['actions_kind']})", actions]]
    rows += [[f"period {name}", law_text(spec)] for name, spec in known["timing_ms"].items()]
    rows += [["rewards", ", ".join(f"{name} {value:g}" for name, value in known["rewards"].items())]]
    values = lambda v: ", ".join(map(str, v)) if isinstance(v, list) else str(v)
    parameters = [
        [p["name"], _short(values(p["value"])), p["units"], p["source"], p["doc"]] for p in known["parameters"]
    ]
    presets = [[f"preset {name}", _short(values(list(map(str, v.items()))))] for name, v in known["presets"].items()]
    return table(["what", ""], rows + presets) + table(["parameter", "value", "units", "from", "what"], parameters)


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."


def _deviations(deviations: Sequence[Mapping[str, Any]]) -> str:
    rows = [[d["what"], d["neurogym"], d["here"], d["reason"]] for d in deviations]
    return table(["what", "NeuroGym", "here", "because"], rows) if rows else ""


def _references(numbers: Mapping[str, float]) -> str:
    parts = [f"{name} {shown(float(value))}" for name, value in numbers.items()]
    return f'<p class="small">Reference performance: {escape(", ".join(parts))}</p>' if parts else ""

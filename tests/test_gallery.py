"""The gallery: one page that holds every task, checked as text and, where there is one, in a real browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from neurojax.cli import environment
from neurojax.cli.main import main

IDS = ("ReadySetGo-v0", "DelayMatchSample-v0", "ReachingDelayResponse-v0")
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of three tasks, made by the command."""
    out = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "1")
        patch.setenv(environment.CACHE_VARIABLE, "")
        assert main(["gallery", *IDS, "--out", str(out), "--trials", "1"]) == 0
    return out / "index.html"


class Links(HTMLParser):
    """What a page loads, and whether its tags match."""

    def __init__(self):
        super().__init__()
        self.loaded, self.open, self.articles = [], [], []

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.loaded += [known[name] for name in ("src", "srcset") if name in known]
        self.loaded += [known["href"]] if tag == "link" else []
        self.articles += [known["id"]] if tag == "article" else []
        if tag not in ("meta", "img", "input", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_holds_all_that_it_shows(page):
    parser = Links()
    text = page.read_text(encoding="utf-8")
    parser.feed(text)
    assert parser.open == []
    assert parser.articles == list(IDS)
    assert len(parser.loaded) == len(IDS)
    assert all(source.startswith("data:image/png;base64,") for source in parser.loaded)
    assert "@import" not in text
    for words in (
        "10.1016/j.neuron.2018.05.020",
        "prod_margin",
        "NeuroGym&#x27;s own target comes a step late",
        "ideal",
    ):
        assert words in text


def test_a_page_that_exists_is_kept(page, capsys):
    before = page.read_bytes()
    assert main(["gallery", IDS[0], "--out", str(page.parent)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert page.read_bytes() == before
    assert main(["gallery", "ReadySetGoo-v0", "--out", str(page.parent / "new")]) == 2
    assert "did you mean 'ReadySetGo-v0'?" in capsys.readouterr().err
    assert not (page.parent / "new").exists()


def in_browser(page, state=""):
    """The page as a browser has it, after its script has run."""
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    run = subprocess.run([BROWSER, *words, page.as_uri() + state], capture_output=True, text=True, timeout=120)
    return run.stdout


def seen(dom):
    """The tasks that are not hidden."""
    cards = re.findall(r'<article id="([^"]+)"([^>]*)>', dom)
    return [id for id, rest in cards if "hidden" not in rest]


@needs_browser
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("", list(IDS)),
        ("#q=readyset", ["ReadySetGo-v0"]),
        ("#q=miller+desimone", ["DelayMatchSample-v0"]),
        ("#tag=timing", ["ReadySetGo-v0"]),
        ("#tag=supervised&q=delay", ["DelayMatchSample-v0", "ReachingDelayResponse-v0"]),
        ("#q=nothing+like+this", []),
    ],
)
def test_a_browser_searches_and_filters(page, state, expected):
    dom = in_browser(page, state)
    assert seen(dom) == expected
    assert f"{len(expected)} of {len(IDS)} tasks" in dom
    pressed = re.findall(r'<button data-tag="([^"]+)" aria-pressed="true"', dom)
    assert pressed == re.findall(r"tag=(\w+)", state)


@needs_browser
def test_a_browser_draws_the_trials(page, tmp_path):
    """Every picture has a size once it is loaded: a data address that is damaged has none."""
    script = (
        "<script>addEventListener('load', () => { document.title = [...document.images]"
        ".map(i => (i.loading = 'eager', i.naturalWidth)).join(' ') })</script></body>"
    )
    copy = tmp_path / "copy.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", script).replace('loading="lazy"', ""))
    title = re.search(r"<title>([\d ]+)</title>", in_browser(copy))
    assert title is not None
    widths = [int(width) for width in title.group(1).split()]
    assert len(widths) == len(IDS)
    assert min(widths) > 200

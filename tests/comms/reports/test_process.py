"""The renderer: what it may reach, how long it may take, and that the same report gives the same bytes."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from comms.reports import child, process
from comms.reports.process import Rendered, Stopped, asset_folders
from tests.comms.reports.reading import text_of

PAGE = (
    '<html lang="en"><title>T</title><meta name="dcterms.created" content="2026-02-21T16:20:06Z"><body>{}</body></html>'
)
PLENTY = 1024**3


def render(body: str, *, seconds: int = 30, memory_bytes: int = PLENTY) -> Rendered:
    return process.render(PAGE.format(body), identifier="ab" * 16, seconds=seconds, memory_bytes=memory_bytes)


def children() -> list[str]:
    """Renderers that this process has started and that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (folder / "status").read_text(), (folder / "cmdline").read_text()
        except OSError:
            continue
        if f"PPid:\t{os.getpid()}\n" in status and "child.py" in command:
            found.append(command)
    return found


def test_html_becomes_pages_with_text() -> None:
    told: list[str] = []

    rendered = process.render(
        PAGE.format("<h1>Portarium</h1><p>Größe – Ελληνικά – Русский ✓ → dbe79f1</p>"),
        identifier="ab" * 16,
        seconds=30,
        memory_bytes=PLENTY,
        tell=told.append,
    )

    assert rendered.content.startswith(b"%PDF-1.7")
    assert rendered.pages == 1
    assert "Portarium Größe – Ελληνικά – Русский ✓ → dbe79f1" in text_of(rendered.content)
    assert any("Creating layout" in line for line in told)


def test_what_no_font_draws_is_spelled_out() -> None:
    text = text_of(render("<p>漢字 🙂 ⚠️ שלום \u202etxet</p>").content)

    assert "[U+6F22][U+5B57] [U+1F642] [U+26A0] [U+05E9][U+05DC][U+05D5][U+05DD] [U+202E]txet" in text


def test_the_same_report_gives_the_same_bytes() -> None:
    first, second = (render("<h1>Portarium</h1><p>Русский ✓</p>") for _ in range(2))

    assert first.sha256 == second.sha256


# What it may reach --------------------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address of this machine, and a ledger of who called it."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    line, peer = server.accept()
                except OSError:
                    return
                calls.append(str(peer))
                line.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", calls
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


FETCHING = [
    '<img src="{url}">',
    '<img srcset="{url} 2x" src="{url}">',
    '<link rel="stylesheet" href="{url}">',
    '<link rel="attachment" href="{url}">',
    '<a rel="attachment" href="{url}">x</a>',
    '<object data="{url}"></object>',
    '<embed src="{url}">',
    "<style>@import url({url});</style>",
    "<style>@font-face{font-family:x;src:url({url})} p{font-family:x}</style><p>x</p>",
    '<p style="background:url({url})">x</p>',
    '<ul style="list-style-image:url({url})"><li>x</ul>',
    '<p style="content:url({url})">x</p>',
    '<svg><image href="{url}" width="9" height="9"/></svg>',
    '<svg><use href="{url}#x"/></svg>',
]


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize("markup", FETCHING)
@pytest.mark.parametrize("scheme", ["file://{secret}", "http://{address}/x.png", "asset:../../manage.py"])
def test_markup_that_fetches_reaches_nothing(
    listener: tuple[str, list[str]], markup: str, scheme: str, tmp_path: Path
) -> None:
    from weasyprint.urls import FatalURLFetchingError

    address, calls = listener
    secret = tmp_path / "secret.txt"
    secret.write_text("canary-5d1c")
    url = scheme.format(address=address, secret=secret)
    (tmp_path / "x.html").write_text(PAGE.replace("{}", markup.replace("{url}", url)))
    job = {"html": tmp_path / "x.html", "pdf": tmp_path / "x.pdf", "assets": asset_folders(), "identifier": "ab" * 16}

    try:
        child.render(job)
        text = text_of((tmp_path / "x.pdf").read_bytes())
    except FatalURLFetchingError as refused:
        text = str(refused)

    assert calls == []
    assert "canary-5d1c" not in text


def test_a_report_that_would_fetch_is_stopped_with_a_sentence(listener: tuple[str, list[str]]) -> None:
    address, calls = listener

    with pytest.raises(Stopped, match=f"The report may not fetch http://{address}/x.png"):
        render(f'<img src="http://{address}/x.png">')

    assert calls == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/hostname",
        "http://127.0.0.1/",
        "https://example.org/",
        "ftp://example.org/",
        "data:text/plain,hello",
        "asset:",
        "asset:../report/report.css",
        "asset:/etc/hostname",
        "asset:report.css?x",
        "asset:nothing.css",
        "ASSET:report.css",
        "report.css",
        "//example.org/report.css",
    ],
)
def test_the_fetcher_refuses_everything_but_the_assets_it_was_given(url: str) -> None:
    from weasyprint.urls import FatalURLFetchingError

    paths = [path for folder in asset_folders() for path in Path(folder).iterdir()]
    fetch = child.fetcher({path.name: path for path in paths})

    with pytest.raises(FatalURLFetchingError, match="may not fetch"):
        fetch.fetch(url)
    assert fetch.fetch("asset:report.css").read().startswith(b"/* The incident report on paper")


def test_the_renderer_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")

    assert "SECRET_KEY" not in process.environment("/tmp")
    assert process.environment("/tmp")["HOME"] == "/tmp"


def test_a_renderer_leaves_no_file_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    render("x")

    assert list(tmp_path.iterdir()) == []


# How long it may take -----------------------------------------------------------------------------------------------


def nested_flex(levels: int) -> str:
    """A few hundred bytes that take a renderer minutes."""
    return '<div style="display:flex">' * levels + "x" + "</div>" * levels


@pytest.mark.thorough
def test_a_renderer_is_killed_at_its_deadline() -> None:
    begun = time.monotonic()

    with pytest.raises(Stopped, match="too long"):
        render(nested_flex(16), seconds=3)

    assert time.monotonic() - begun < 6
    assert children() == []


@pytest.mark.thorough
def test_a_renderer_that_wants_too_much_memory_is_stopped() -> None:
    rows = "<table>" + "<tr><td>a<td>b<td>c</tr>" * 20_000 + "</table>"

    with pytest.raises(Stopped, match=r"memory|ended without a report"):
        render(rows, memory_bytes=220 * 2**20)

    assert children() == []


def test_a_renderer_ends_when_whoever_waits_for_it_fails() -> None:
    def fail(_: str) -> None:
        raise KeyError("the database is gone")

    with pytest.raises(KeyError):
        process.render(PAGE.format("x"), identifier="ab" * 16, seconds=30, memory_bytes=PLENTY, tell=fail)

    assert children() == []

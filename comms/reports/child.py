"""The renderer, a process of its own: HTML in, PDF out. Run by its path; it imports nothing of the project.

It has a time and a memory limit, opens no connection, and reads only the two folders of assets it is given.
Lines of JSON on standard output say how far it is, and at the end what came of it.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

_IGNORABLE = re.compile("[\u200b-\u200d\u2060\ufe00-\ufe0f]")
# The PDF/UA identifier, and the extension schema that PDF/A asks for wherever XMP says something of its own.
UA_IDENTIFIER = b"""\
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part>\
</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" \
xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">\
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">\
<pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>\
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>\
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">\
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>\
<pdfaProperty:category>internal</pdfaProperty:category>\
<pdfaProperty:description>Part of ISO 14289 that is followed</pdfaProperty:description>\
</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
"""
_MARKUP_SPACE = frozenset("\n\t ")
_FAMILIES = {"inter": "Inter", "jetbrains-mono": "JetBrains Mono"}
_NAME = re.compile(r"(inter|jetbrains-mono)-([a-z-]+)-(\d+)\.woff2")


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)  # noqa: T201 - the parent reads it


def bound(cpu_seconds: int, memory_bytes: int) -> None:
    """Limits that the kernel keeps, also when the parent is gone."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() == 1:
            raise SystemExit("The parent is gone.")


# Fonts --------------------------------------------------------------------------------------------------------------


def cmap(font: Path) -> frozenset[str]:
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(font) as opened:
        return frozenset(map(chr, opened.getBestCmap()))


def spelled(html: str, known: frozenset[str]) -> str:
    """The text with what no font draws written as `[U+6F22]`: a missing glyph would say nothing, and fail PDF/A."""
    html = _IGNORABLE.sub("", html)
    missing = set(html) - known - _MARKUP_SPACE
    table = {ord(char): f"[U+{ord(char):04X}]" if ord(char) > 31 else "" for char in missing}
    return html.translate(table)


def faces(html: str, fonts: dict[str, frozenset[str]]) -> Iterator[str]:
    """`@font-face` rules: the Latin fonts, and of the others those that this text needs.

    Each subset has a family name of its own. WeasyPrint tells fonts apart by name and weight alone, and would draw the
    glyphs of one with the numbers of another; Pango still finds them all by the family name inside the files.
    """
    extra = set(html) - fonts["inter-latin-400.woff2"]
    for name, chars in fonts.items():
        stem, subset, weight = _NAME.findall(name)[0]
        if subset == "latin" or extra & chars:
            family = _FAMILIES[stem] + ("" if subset == "latin" else f" {subset}")
            yield f'@font-face{{font-family:"{family}";font-weight:{weight};src:url("asset:{name}")}}'


# Rendering ----------------------------------------------------------------------------------------------------------


def fetcher(assets: dict[str, Path]) -> Any:
    """Serves the given files as `asset:NAME` and refuses everything else, fatally."""
    from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

    class OnlyAssets(URLFetcher):
        def fetch(self, url: str, headers: Any = None) -> Any:
            path = assets.get(url.removeprefix("asset:")) if url.startswith("asset:") else None
            if path is None:
                raise FatalURLFetchingError(f"The report may not fetch {url[:80]}.")
            return URLFetcherResponse(url, body=path.read_bytes(), headers={})

    return OnlyAssets(allowed_protocols=("asset",), allow_redirects=False, fail_on_errors=True)


class Progress(logging.Handler):
    """Hands WeasyPrint's own account of its steps to the parent."""

    def emit(self, record: logging.LogRecord) -> None:
        say(progress=record.getMessage()[:80])


def accessible(_document: Any, pdf: Any) -> None:
    """Say that the file is PDF/UA-1 as well as PDF/A-3a: WeasyPrint names only one of them."""
    number = int(pdf.catalog["Metadata"].split()[0])
    metadata = pdf.objects[number]
    metadata.stream = [part.replace(b"</rdf:RDF>", UA_IDENTIFIER + b"</rdf:RDF>") for part in metadata.stream]


def attachments(job: dict[str, Any]) -> list[Any]:
    """The evidence log as an associated file: the report carries what it can be checked against."""
    from weasyprint import Attachment

    if not job.get("attached"):
        return []
    path, at = Path(job["attached"]), datetime.fromisoformat(job["at"])
    words = "The evidence log this report was written from, one entry a line"
    return [
        Attachment(
            string=path.read_bytes(), name=path.name, description=words, created=at, modified=at, relationship="Data"
        )
    ]


def render(job: dict[str, Any]) -> dict[str, Any]:
    import weasyprint

    progress = logging.getLogger("weasyprint.progress")
    progress.setLevel(logging.DEBUG)
    progress.addHandler(Progress())
    paths = [path for folder in job["assets"] for path in Path(folder).iterdir() if path.is_file()]
    assets = {path.name: path for path in paths}
    fonts = {name: cmap(path) for name, path in sorted(assets.items()) if path.suffix == ".woff2"}
    html = spelled(Path(job["html"]).read_text("utf-8"), frozenset().union(*fonts.values()))
    fetch = fetcher(assets)
    css = "".join(faces(html, fonts)) + assets["report.css"].read_text("utf-8")
    font_config = weasyprint.text.fonts.FontConfiguration()
    sheet = weasyprint.CSS(string=css, base_url="asset:", url_fetcher=fetch, font_config=font_config)
    document = weasyprint.HTML(string=html, base_url="asset:", url_fetcher=fetch).render(
        stylesheets=[sheet], font_config=font_config, pdf_variant="pdf/a-3a", pdf_tags=True
    )
    target = Path(job["pdf"])
    document.write_pdf(
        target,
        attachments=attachments(job),
        finisher=accessible,
        pdf_variant="pdf/a-3a",
        pdf_tags=True,
        pdf_identifier=bytes.fromhex(job["identifier"]),
    )
    content = target.read_bytes()
    return {"pages": len(document.pages), "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def main(job_file: str) -> None:
    job = json.loads(Path(job_file).read_text("utf-8"))
    bound(job["seconds"], job["memory_bytes"])
    try:
        say(done=render(job))
    except MemoryError:
        say(problem=f"The report needs more than {job['memory_bytes'] // 2**20} MiB of memory.")
    except BaseException as error:  # noqa: BLE001 - WeasyPrint's FatalURLFetchingError is one, and must be told
        say(problem=f"The report could not be rendered: {str(error) or type(error).__name__}"[:500])


if __name__ == "__main__":
    main(sys.argv[1])

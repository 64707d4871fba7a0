"""Files that would harm whoever opens them: refused where that shows, and never run or shown by us."""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from incidents.evidence import contents
from incidents.models import Attachment
from incidents.terms import Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.api.calling import static_folder

__all__ = ["static_folder"]

pytestmark = [pytest.mark.django_db, pytest.mark.one_engine, pytest.mark.thorough, pytest.mark.timeout(300)]

MOST_SECONDS, MOST_BYTES = 2, 100 * 1024**2
SCRIPT = b"<script>alert(document.domain)</script>"
PDF = b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<<>>"
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def archive(*rows: tuple[str, bytes], **options: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, **options) as opened:
        for name, content in rows:
            opened.writestr(zipfile.ZipInfo(name) if name.startswith("!") else name, content)
    return made.getvalue()


def with_link() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        row = zipfile.ZipInfo("link")
        row.create_system, row.external_attr = 3, 0o120777 << 16
        opened.writestr(row, "/etc/passwd")
    return made.getvalue()


def overlapping() -> bytes:
    """One deflated file that the list names a thousand times."""
    single = archive(("a", bytes(1024**2)))
    at = single.index(b"PK\x01\x02")
    row = single[at : single.index(b"PK\x05\x06")]
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 900, 900, len(row) * 900, at, 0)
    return single[:at] + row * 900 + end


def crowded() -> bytes:
    """Hundreds of thousands of names, small in the file."""
    row = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    number = 20 * 1024**2 // len(row)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(row) * number, 0, 0)
    return row * number + end


def claimed(unpacked: int) -> bytes:
    """An archive that says it unpacks to something else than it does."""
    made = bytearray(archive(("a", b"x")))
    at = made.index(b"PK\x01\x02")
    made[at + 24 : at + 28] = struct.pack("<I", unpacked)
    return bytes(made)


def jpeg(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


def tar_with_link() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as opened:
        row = tarfile.TarInfo("../../etc/cron.d/x")
        row.type, row.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(row)
    return made.getvalue()


# Refused: what they would become can be read from their list or head.
BOMBS: dict[str, Callable[[], bytes]] = {
    "flat.zip": lambda: archive(("zeros", bytes(150 * 1024**2))),
    "large.zip": lambda: archive(*((f"{n}", bytes(30 * 1024**2)) for n in range(8))),
    "nested.zip": lambda: archive(("inner.zip", bytes(60 * 1024**2)), ("again.zip", bytes(60 * 1024**2))),
    "overlapping.zip": overlapping,
    "crowded.zip": crowded,
    "many.zip": lambda: archive(*((f"{n}", b"") for n in range(1_200))),
    "claimed.zip": lambda: claimed(0xFFFF_FFFE),
    "link.zip": with_link,
    "dots.zip": lambda: archive(("../../etc/cron.d/x", b"x")),
    "windows.zip": lambda: archive(("..\\..\\x.bat", b"x")),
    "absolute.zip": lambda: archive(("/etc/passwd", b"x")),
    "a" * 251 + ".txt": lambda: b"a name of 255 bytes",
    "drive.zip": lambda: archive(("C:/x.bat", b"x")),
    "flood.png": lambda: png(60_000, 60_000),
    "wide.png": lambda: png(2**31 - 1, 1),
    "tall.png": lambda: png(8_000, 8_000),
    "flood.jpg": lambda: jpeg(65_000, 65_000),
    "flood.gif": lambda: GIF[:6] + struct.pack("<HH", 65_000, 65_000) + GIF[10:],
    "flood.bmp": lambda: (
        b"BM" + struct.pack("<IHHIIiiHHIIIIII", 100, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    ),
    "as-text.txt": lambda: archive(("zeros", bytes(150 * 1024**2))),
    "document.docx": lambda: archive(("[Content_Types].xml", bytes(100 * 1024**2))),
    "behind.pdf": lambda: PDF + archive(("zeros", bytes(150 * 1024**2))),
}
# Kept as bytes, and handed out as nothing but bytes.
KEPT: dict[str, bytes] = {
    "page.html": b"<!doctype html>" + SCRIPT,
    "page.xhtml": b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>" + SCRIPT + b"</html>",
    "page.htm.txt": SCRIPT,
    "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>" + SCRIPT + b"</svg>",
    "picture.svgz": gzip.compress(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    "entities.xml": b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><x>&b;</x>",
    "outside.xml": b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
    "style.xsl": b"<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'/>",
    "script.js": b"alert(1)",
    "module.mjs": b"export default alert(1)",
    "style.css": b"body{background:url(javascript:alert(1))}",
    "picture.gif": GIF[:-1] + SCRIPT + b";",
    "gifar.gif": GIF + archive(("META-INF/MANIFEST.MF", b"Main-Class: X")),
    "picture.png": png(1, 1, b"\x00\x00") + SCRIPT,
    "text.png": SCRIPT,
    "picture.jpg": jpeg(1, 1) + b"<?php system($_GET[0]); ?>",
    "picture.php.jpg": b"<?php system($_GET[0]); ?>",
    "picture.jpg.php": b"<?php system($_GET[0]); ?>",
    "page.phtml": b"<?php phpinfo(); ?>",
    "report.pdf": PDF,
    "report.pdf.exe": b"MZ" + bytes(100),
    "report.pdf .exe": b"MZ" + bytes(100),
    "program.exe": b"MZ" + bytes(100),
    "program.elf": b"\x7fELF" + bytes(100),
    "script.sh": b"#!/bin/sh\nrm -rf /",
    "script.py": b"import os; os.system('id')",
    "link.lnk": b"L\x00\x00\x00" + bytes(72),
    "link.url": b"[InternetShortcut]\nURL=javascript:alert(1)",
    "link.desktop": b"[Desktop Entry]\nExec=id",
    "macro.vbs": b"MsgBox 1",
    "page.hta": b"<hta:application>" + SCRIPT,
    "page.mht": b"MIME-Version: 1.0\nContent-Type: text/html\n\n" + SCRIPT,
    "mail.eml": b"Content-Type: text/html\n\n" + SCRIPT,
    "table.csv": b"=cmd|' /C calc'!A0",
    "data.json": b'{"__proto__": {"x": 1}}',
    "pickle.pkl": b"cos\nsystem\n(S'id'\ntR.",
    ".htaccess": b"AddType application/x-httpd-php .jpg",
    "web.config": b"<configuration/>",
    "manifest.webmanifest": b"{}",
    "flash.swf": b"FWS\x05" + bytes(40),
    "applet.class": b"\xca\xfe\xba\xbe" + bytes(40),
    "links.tar.gz": tar_with_link(),
    "bomb.gz": gzip.compress(bytes(20 * 1024**2)),
    "utf7.txt": b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "utf16.txt": SCRIPT.decode().encode("utf-16"),
    "marked.txt": b"\xef\xbb\xbf" + SCRIPT,
    "eicar.com": b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR",
    "\u202egpj.exe": b"MZ",
    "é" * 120 + ".html": SCRIPT,
    "../../../static/x.js": b"alert(1)",
    "..\\..\\x.asp": b"<% %>",
    "x\r\nContent-Type: text/html\r\n\r\n.txt": SCRIPT,
    'x"; filename="y.html': SCRIPT,
    "x;.html": SCRIPT,
    "CON": b"x",
    "x.html.": SCRIPT,
    "x.HTML": SCRIPT,
}


@pytest.fixture
def crew(settings: Any, tmp_path: Any) -> Crew:
    settings.MEDIA_ROOT = tmp_path
    return make_crew()


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(BOMBS) + len(KEPT) >= 50


def test_what_floods_or_leads_out_is_refused_quickly_and_in_little_memory(crew: Crew, tmp_path: Any) -> None:
    incident, client = rolling(crew)
    slowest, most = (0.0, ""), 0
    for name, make in BOMBS.items():
        content = make()
        most = max(most, memory_of(content))
        began = time.thread_time()
        page = bring(client, incident, name, content)
        spent = time.thread_time() - began
        slowest = max(slowest, (spent, name))
        assert "It is not kept" in page or "at most 200 characters" in page, name
        assert spent <= MOST_SECONDS, (name, spent)

    sys.stderr.write(f"\n{len(BOMBS)} bombs refused, slowest {slowest[0]:.2f} s ({slowest[1]}), {most >> 20} MiB\n")
    assert most <= MOST_BYTES
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not Attachment.objects.exists()


def test_whatever_is_kept_is_handed_out_as_bytes_and_never_shown(crew: Crew, tmp_path: Any) -> None:
    incident, client = rolling(crew)
    for name, content in KEPT.items():
        page = bring(client, incident, name, content)
        kept = Attachment.objects.order_by("pk").last()
        assert kept, (name, page)
        answer = client.get(f"/incidents/{incident.reference}/files/{kept.sha256}/")
        assert b"".join(answer.streaming_content) == content, name
        assert answer["Content-Type"] == "application/octet-stream", name
        assert answer["Content-Disposition"].startswith("attachment"), name
        assert answer["X-Content-Type-Options"] == "nosniff", name
        assert "sandbox" in answer["Content-Security-Policy"], name
        assert "default-src 'none'" in answer["Content-Security-Policy"], name

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {row.sha256 for row in Attachment.objects.all()}
    assert [path for path in files if path.stat().st_mode & 0o111] == []


def memory_of(content: bytes) -> int:
    """What looking into a file takes at its peak, beside the file."""
    file = io.BytesIO(content)
    tracemalloc.start()
    contents.danger(file, len(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def rolling(crew: Crew) -> tuple[Any, Client]:
    client = Client()
    client.force_login(crew[Role.DATA_EVIDENCE_LEAD])
    return make_incident(crew, at=Phase.ROLLING_BACK), client


def bring(client: Client, incident: Any, name: str, content: bytes) -> str:
    """Send a file to the checklist as a browser does, and what the page says then."""
    file = SimpleUploadedFile("x", content)
    file._name = name.replace("\r", "%0D").replace("\n", "%0A")  # as browsers write it
    answer = client.post(f"/incidents/{incident.reference}/cleanup/data/", {"repair-notes-file": file})
    assert answer.status_code in (200, 302), (name, answer.status_code)
    return answer.content.decode()

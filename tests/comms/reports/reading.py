"""Reading PDFs back."""

from __future__ import annotations

import io
import re

from pypdf import PdfReader


def text_of(content: bytes) -> str:
    """The text of all pages in one line, as a reader would search it."""
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]
    # pypdf puts NULs around the words of a font with a character map of its own; poppler reads the same file without.
    return re.sub(r"\s+", " ", " ".join(pages).replace("\x00", ""))

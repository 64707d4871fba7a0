"""Notice templates: `{{ name }}` and `{{#list}}- {{ . }}{{/list}}` over plain strings, and nothing else.

Django's and `str.format`'s syntax reach attributes and files; an editable template must not (ASVS 1.3.7).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

_TAG = re.compile(r"\{\{\s*([#/]?)\s*([a-z_.]+)\s*\}\}")
_SECTION = re.compile(r"\{\{#([a-z_]+)\}\}\n?(.*?)\{\{/\1\}\}\n?", re.DOTALL)
MAX_RENDERED = 64 * 1024


class UnknownPlaceholder(ValueError):
    """A template names something that a notice does not know."""


def check_template(template: str, *, names: Collection[str], lists: Collection[str]) -> None:
    """Raise UnknownPlaceholder unless every placeholder is known and every section is closed."""
    rest = _SECTION.sub(lambda match: _checked_section(match, lists), template)
    for mark, name in _TAG.findall(rest):
        if mark or name not in names:
            raise UnknownPlaceholder(f"The notice template names “{mark}{name}”, which no notice knows.")
    if "{{" in _TAG.sub("", rest) or "}}" in _TAG.sub("", rest) or "{%" in template:
        raise UnknownPlaceholder("The notice template has braces that are not a placeholder.")


def _checked_section(match: re.Match[str], lists: Collection[str]) -> str:
    if match[1] not in lists:
        raise UnknownPlaceholder(f"The notice template lists “{match[1]}”, which no notice knows.")
    return match[2].replace("{{ . }}", "").replace("{{.}}", "")


def render(template: str, *, values: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> str:
    """Fill a template. An empty list says `- none`; values are put in as they are, never read as a template again."""

    def section(match: re.Match[str]) -> str:
        items = lists[match[1]] or ["none"]
        return "".join(_line(match[2], item) for item in items)

    parts: list[str] = []
    position = 0
    for match in _SECTION.finditer(template):
        parts += [_fill(template[position : match.start()], values), section(match)]
        position = match.end()
    parts.append(_fill(template[position:], values))
    return "".join(parts)[:MAX_RENDERED]


def _line(pattern: str, item: str) -> str:
    return _DOT.sub(lambda _: item, pattern)


_DOT = re.compile(r"\{\{\s*\.\s*\}\}")


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _TAG.sub(lambda match: values[match[2]], text)

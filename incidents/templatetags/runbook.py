"""The runbook's notice templates as people read them."""

from __future__ import annotations

import re

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_SECTION = re.compile(r"\{\{#([a-z_]+)\}\}\n?(.*?)\{\{/\1\}\}\n?", re.DOTALL)
_SLOT = re.compile(r"\{\{\s*([a-z_.]+)\s*\}\}")


@register.filter
def slots(text: str) -> SafeString:
    """A notice template, escaped, with what the portal fills in marked as `<slots>`."""
    return mark_safe(_SLOT.sub(_slot, _SECTION.sub(_section, conditional_escape(text))))  # noqa: S308 escaped


def _section(match: re.Match[str]) -> str:
    return match[2].replace("{{ . }}", f"{{{{ {match[1]} }}}}")


def _slot(match: re.Match[str]) -> str:
    return f'<mark class="slot">&lt;{match[1].replace("_", " ")}&gt;</mark>'

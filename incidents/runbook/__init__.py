"""The runbook's content as data, its loader and its versions."""

from incidents.runbook.content import BadRunbook, Runbook, parse

__all__ = ["BadRunbook", "Runbook", "parse"]

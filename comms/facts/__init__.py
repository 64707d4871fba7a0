"""One incident as plain values; mails and reports draw only on this, so they always agree."""

from comms.facts.gather import facts_of
from comms.facts.values import Facts

__all__ = ["Facts", "facts_of"]

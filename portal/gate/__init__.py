"""The freeze gate: the outermost layer, answering whether something may go ahead from committed rows alone."""

from portal.gate.middleware import FreezeGate, answer

__all__ = ["FreezeGate", "answer"]

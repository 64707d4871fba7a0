"""Evidence logs of other systems: read, verified, and marked. Pure: no Django, no clock, no database.

`check(file)` gives a verdict that tells tamper, missing predecessor, fork, second genesis, time regression, duplicate
id and subset apart; `manifest` and `annotation` make what marks affected runs in such a log.
"""

from incidents.evidence.foreign.checking import Verdict, check
from incidents.evidence.foreign.dialects import DIALECTS, Dialect
from incidents.evidence.foreign.findings import Code, Finding, Mode, named, shown
from incidents.evidence.foreign.reading import Limits, Shape, Unreadable

__all__ = [
    "DIALECTS",
    "Code",
    "Dialect",
    "Finding",
    "Limits",
    "Mode",
    "Shape",
    "Unreadable",
    "Verdict",
    "check",
    "named",
    "shown",
]

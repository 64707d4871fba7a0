"""From a bare Python to a working environment, with the standard library alone.

Everything lands in `.venv` of the checkout: packages, caches and, without root, Debian's libraries.
"""

from portal.bootstrap.audit import audit, list_parts
from portal.bootstrap.entry import enter
from portal.bootstrap.locks import refresh_locks

__all__ = ["audit", "enter", "list_parts", "refresh_locks"]

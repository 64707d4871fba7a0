"""The offline bundle: everything of one incident's evidence in a zip that anybody can check without the portal."""

from incidents.evidence.bundle.build import Built, Wanted, build
from incidents.evidence.bundle.stage import Part

__all__ = ["Built", "Part", "Wanted", "build"]

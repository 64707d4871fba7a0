"""Fixtures of the API's tests."""

from tests.incidents.api.calling import by_role, calling, crew, static_folder

__all__ = ["by_role", "calling", "crew", "static_folder"]

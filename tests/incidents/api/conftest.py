"""Fixtures of the API's tests."""

from tests.incidents.api.calling import act, by_role, calling, crew, state, static_folder

__all__ = ["act", "by_role", "calling", "crew", "state", "static_folder"]

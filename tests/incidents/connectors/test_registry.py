"""The kinds of connector, and the one that no worker runs."""

import ast
from pathlib import Path

import pytest

import incidents.connectors
from incidents.connectors import manual, registry
from incidents.connectors.base import Followed, Limits, NotRunnable, Rehearsed, SelfTested
from incidents.terms import ConnectorKind
from tests.incidents.connectors.given import a_job, always

FOLLOWED = {"webhook", "github", "gitlab", "argocd", "jenkins", "awx", "rundeck"}


def test_each_kind_has_the_same_two_functions():
    assert {*registry, ConnectorKind.PROBE} == set(ConnectorKind)
    assert all(callable(kind.check) and callable(kind.run) for kind in registry.values())


def test_those_that_run_on_outside_can_be_followed_and_tested():
    assert {name for name, kind in registry.items() if isinstance(kind, Followed)} == FOLLOWED
    assert {name for name, kind in registry.items() if isinstance(kind, SelfTested)} == FOLLOWED - {"webhook"}
    assert {name for name, kind in registry.items() if isinstance(kind, Rehearsed)} == {"command", "argocd", "awx"}


def test_work_by_hand_is_never_run():
    with pytest.raises(NotRunnable, match="api-rollback is done by hand"):
        manual.run(a_job(), Limits(), always)


def test_work_by_hand_has_no_settings():
    assert manual.check({}, Limits()) == []
    assert manual.check({"url": "https://x/"}, Limits()) == ["Work by hand has no settings."]


def test_connectors_know_neither_django_nor_the_rest_of_the_house():
    imported = set()
    for path in Path(incidents.connectors.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)

    houses = {name for name in imported if name.split(".")[0] in {"django", "celery", "incidents", "comms", "portal"}}
    assert {name for name in houses if not name.startswith("incidents.connectors")} == set()

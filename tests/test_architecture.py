"""The house stands as docs/architecture.md draws it: which room may import which, and what no file may do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("incidents", "comms", "portal")

# Each line imports only from those above it; a name ending in "." is a package.
LAYERS = [
    {"incidents.terms"},
    {"incidents.policy", "incidents.lifecycle", "incidents.clock", "incidents.prepared"},
    {"incidents.runbook.template", "incidents.runbook.content", "incidents.runbook", "incidents.evidence.chain"},
    {"incidents.models."},
    {"incidents.evidence.", "incidents.runbook.versions", "incidents.configuration", "incidents.authority"},
    {"incidents.steps."},
    {"incidents.connectors."},
    {"incidents.dispatch", "incidents.freeze_check", "incidents.self_test"},
    {"incidents.tasks", "incidents.board.", "incidents.exports", "incidents.receivers", "incidents.checks"},
    {"incidents.forms.", "incidents.templatetags."},
    {"incidents.views.", "incidents.api.", "incidents.admin.", "incidents.management."},
]
# Written once by Django; they name what the models named at the time.
PASSED_OVER = ("migrations",)


def modules(app: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / app).rglob("*.py")):
        if not any(part in PASSED_OVER for part in path.parts):
            relative = path.relative_to(ROOT).with_suffix("")
            yield ".".join(relative.parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(module: str) -> int | None:
    best: tuple[int, int] | None = None
    for height, names in enumerate(LAYERS):
        for name in names:
            stem = name.rstrip(".")
            if module == stem or (name.endswith(".") and module.startswith(name)):
                best = max(best or (0, -1), (len(stem), height))
    return best[1] if best else None


@pytest.mark.parametrize(
    ("app", "forbidden"), [("incidents", ("comms", "portal")), ("comms", ("portal",))], ids=["incidents", "comms"]
)
def test_an_app_imports_only_those_it_may(app: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in modules(app)
        for name in imports(path)
        if name.split(".")[0] in forbidden
    ]

    assert wrong == []


def test_each_layer_of_incidents_imports_only_from_those_above_it() -> None:
    wrong = []
    for module, path in modules("incidents"):
        own = layer_of(module)
        for name in set(imports(path)):
            other = layer_of(name)
            if own is not None and other is not None and other > own:
                wrong.append(f"{module} imports {name}")

    assert wrong == []


def test_only_steps_write_to_the_nouns() -> None:
    """Views, forms, the API, the admin and tasks reach rows through a step, never by themselves."""
    rooms = ("views", "forms", "api", "board", "exports", "freeze_check")
    writes = {"create", "bulk_create", "update", "bulk_update", "delete", "save", "get_or_create", "update_or_create"}
    wrong = [
        f"{module}:{node.lineno} calls .{node.func.attr}()"
        for module, path in modules("incidents")
        if module.split(".")[1:2] and module.split(".")[1] in rooms
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in writes
    ]

    assert wrong == []


def test_messages_are_doorbells() -> None:
    """No delay, retry or result of Celery's own: the row is the truth and a sweep repeats what was lost."""
    forbidden = {"retry", "delay", "chord", "chain_tasks"}
    keywords = {"eta", "countdown"}
    wrong = [
        f"{module}:{node.lineno}"
        for app in APPS
        for module, path in modules(app)
        if module.endswith("tasks")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr in forbidden)
            or any(keyword.arg in keywords for keyword in node.keywords)
        )
    ]

    assert wrong == []


def test_rights_are_asked_in_one_place() -> None:
    forbidden = {"has_perm", "has_perms", "get_objects_for_user", "assign_perm", "remove_perm"}
    wrong = [
        f"{module}:{node.lineno} names {name}"
        for app in ("incidents", "comms")
        for module, path in modules(app)
        if module != "incidents.authority"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in [node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")]
        if isinstance(node, ast.Attribute | ast.Name) and name in forbidden
    ]

    assert wrong == []


def test_nothing_of_the_project_depends_on_what_lies_beside_it() -> None:
    wrong = [
        str(path)
        for app in (*APPS, "templates")
        for path in (ROOT / app).rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".html", ".toml"}
        and "../shared" in path.read_text(encoding="utf-8")
    ]

    assert wrong == []

"""The house stands as docs/architecture.md draws it: which room may import which, and what no file may do."""

from __future__ import annotations

import ast
import re
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


# What is dangerous anywhere else, and the rooms that may name it; a name ending in "." is a package.
NAMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("has_perm", "has_perms", "get_perms", "get_user_perms", "ObjectPermissionChecker"), ()),
    **dict.fromkeys(("get_objects_for_user", "get_users_with_perms", "assign_perm", "remove_perm"), ()),
    **dict.fromkeys(("bulk_assign_perm", "GuardedModelAdmin", "PermissionRequiredMixin", "permission_required"), ()),
    "is_superuser": ("incidents.authority",),
    "mark_safe": (
        "incidents.templatetags.look",
        "incidents.templatetags.lines",
        "incidents.templatetags.runbook",
        "comms.reports.document",
    ),
    **dict.fromkeys(("popen", "spawnv", "spawnl", "eval", "exec", "literal_eval"), ()),
    "execv": ("incidents.connectors.wrapper", "portal.bootstrap."),
    **dict.fromkeys(("execve", "execvp", "execvpe"), ("portal.bootstrap.",)),
}
OUTSIDE_THE_PRODUCT = ("portal.demo.", "portal.testing.", "portal.bootstrap.")
IMPORTS: dict[str, tuple[str, ...]] = {
    "guardian": ("incidents.models.roles",),
    "httpcore2": ("incidents.connectors.outbound", "incidents.connectors.wire", "incidents.connectors.failure"),
    "requests": ("portal.accounts.single_sign_on",),
    "smtplib": ("comms.smtp",),
    "socket": (
        "incidents.connectors.wire",
        "incidents.connectors.addresses",
        "incidents.evidence.scanner",
        "incidents.dispatch",
        *OUTSIDE_THE_PRODUCT,
    ),
    "subprocess": ("incidents.connectors.process", "comms.reports.process", *OUTSIDE_THE_PRODUCT),
    **dict.fromkeys(("urllib.request", "http.client", "urllib3"), OUTSIDE_THE_PRODUCT),
    **dict.fromkeys(("httpx", "httpx2", "aiohttp", "ftplib", "telnetlib", "asyncio.subprocess", "pty"), ()),
    **dict.fromkeys(("pickle", "marshal", "shelve", "dill"), ()),
}


def may(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module.startswith(room) if room.endswith(".") else module == room for room in rooms)


def named(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno


def test_rights_markup_and_processes_stay_in_their_rooms() -> None:
    """Rights are asked through `authority`, text is made safe in few places, nothing runs a program by the way."""
    wrong = [
        f"{module}:{line} names {name}"
        for app in APPS
        for module, path in modules(app)
        for name, line in named(path)
        if name in NAMES and not may(module, NAMES[name])
    ]

    assert wrong == []


def test_sockets_and_programs_are_opened_in_their_rooms() -> None:
    wrong = [
        f"{module} imports {name}"
        for app in APPS
        for module, path in modules(app)
        for name in imports(path)
        for forbidden, rooms in IMPORTS.items()
        if (name == forbidden or name.startswith(f"{forbidden}.")) and not may(module, rooms)
    ]

    assert wrong == []


def test_each_room_of_the_lint_is_still_needed() -> None:
    known = dict(module for app in APPS for module in modules(app))
    idle = [
        f"{room} no longer names {name}"
        for name, rooms in NAMES.items()
        for room in rooms
        if not room.endswith(".") and name not in dict(named(known[room]))
    ]
    idle += [
        f"{room} no longer imports {name}"
        for name, rooms in IMPORTS.items()
        for room in rooms
        if not room.endswith(".") and not any(found.startswith(name) for found in imports(known[room]))
    ]

    assert idle == []


def test_templates_escape_everything_but_plain_text() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "templates").rglob("*.html")
        if re.search(r"autoescape off|\|\s*safe(seq)?\b", path.read_text(encoding="utf-8"))
    ]

    # Where the page is cut in two, to stream what is found in between: the mark is a constant.
    assert wrong == ["templates/incidents/evidence_verify.html"]


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

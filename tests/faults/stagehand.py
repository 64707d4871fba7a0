"""A process beside an installation that sets the stage and reads rows: `python -m tests.faults.stagehand`.

The installation has a database of its own, which the test process must not speak to. One JSON object per line comes in
on standard input, `{"do": name, …}`; what the function of that name returns goes out the same way.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import traceback
from contextlib import closing
from typing import Any

PEOPLE: dict[str, Any] = {}


def incidents(
    number: int,
    actions: int,
    connectors: list[dict[str, Any]],
    level: str = "L1",
    at: str = "rolling_back",
    reader: str = "",
) -> list[dict[str, Any]]:
    """Incidents that walked the real steps, each of its own product, with actions of one stage.

    Args:
        connectors: their fields; the actions of an incident take turns with them, or are done by hand.
        at: the phase they have reached; empty where only their products are wanted.
        reader: the address that gets each product's updates; `{}` is the product's place.
    """
    from comms.models import Recipient
    from incidents.models import Product, Wiring
    from incidents.terms import Level, Phase
    from tests.factories import ProductFactory, make_incident

    keys = publish(actions)
    wired = [_connector(**fields) for fields in connectors]
    made = []
    for place in range(number):
        crew = crew_of(product := ProductFactory(slug=f"product-{Product.objects.count() + 1}"))
        Wiring.objects.bulk_create(
            Wiring(product=product, key=key, connector=wired[turn % len(wired)])
            for turn, key in enumerate(keys if wired else [])
        )
        if reader:
            Recipient.objects.create(product=product, name="Reader", email=reader.format(place))
        reference = make_incident(crew, at=Phase(at), level=Level(level)).reference if at else ""
        made.append({"reference": reference, "product": product.slug, "actions": keys})
    return made


def crew_of(product: Any) -> Any:
    """The same people stand ready for every product: their passwords are slow to hash."""
    from incidents.models import RosterEntry
    from incidents.terms import Role
    from tests.factories import Crew

    crew = Crew(product, **_people())
    rows = [RosterEntry(product=product, role=role, user=user, rank=1) for role, user in crew.people.items()]
    rows.append(RosterEntry(product=product, role=Role.COMMANDER, user=crew.deputy, rank=2))
    RosterEntry.objects.bulk_create(rows)
    return crew


def tokens() -> dict[str, str]:
    """A token that may do everything for each role's holder."""
    from portal.accounts.models import ApiToken, Scope

    everything = [scope.value for scope in Scope]
    holders = _people()["people"] | {"deputy": _people()["deputy"]}
    return {str(role): ApiToken.issue(user, name="faults", scopes=everything)[1] for role, user in holders.items()}


def session(role: str) -> str:
    """The cookie of whoever holds a role, signed in."""
    from django.test import Client

    from incidents.terms import Role

    client = Client()
    client.force_login(_people()["people"][Role(role)])
    return client.cookies["session"].value


def person(role: str = "", *, password: str, audits: bool = False, **fields: Any) -> str:
    """Give whoever holds a role this password, or somebody new. Returns the address to sign in with."""
    from datetime import timedelta

    from incidents import clock
    from incidents.models import AuditGrant
    from incidents.terms import Role
    from tests.factories import UserFactory

    who = _people()["people"][Role(role)] if role else UserFactory(**fields)
    who.set_password(password)
    who.save()
    if audits:
        AuditGrant.objects.create(user=who, reason="Audit", expires_at=clock.now() + timedelta(days=1))
    email: str = who.email
    return email


def wire(product: str, key: str, **fields: Any) -> None:
    """Let a connector do one action or ask for one gate."""
    from incidents.models import Product, Wiring

    Wiring.objects.create(product=Product.objects.get(slug=product), key=key, connector=_connector(**fields))


def publish(actions: int) -> list[str]:
    """Publish the runbook with this many harmless actions in the first stage of track 3a. Returns their keys."""
    from incidents.runbook import versions
    from incidents.runbook.content import SHIPPED

    head, _, rest = SHIPPED.read_text().partition('[[tracks]]\nkey = "3a"')
    tail = '[[tracks]]\nkey = "3b"' + rest.partition('[[tracks]]\nkey = "3b"')[2]
    keys = [f"3a-fault-{number:03}" for number in range(actions)]
    ours = "".join(
        f'[[tracks.actions]]\nkey = "{key}"\ntext = "Act {key}."\nname = "Act {key}"\nowner = "api_lead"\n'
        "stage = 1\ndestructive = false\nchanges_state = true\n\n"
        for key in keys
    )
    track = '[[tracks]]\nkey = "3a"\nname = "Application and API rollback"\n\n'
    versions.publish(head + track + ours + tail, note=f"{actions} actions", by=None)
    return keys


def rows(model: str, fields: list[str], where: dict[str, Any] | None = None) -> list[list[Any]]:
    """Some columns of some rows, only read."""
    from django.apps import apps

    found = apps.get_model(model).objects.filter(**(where or {})).order_by("pk")
    return [list(row) for row in found.values_list(*fields)]


def cut() -> None:
    """End every other connection to PostgreSQL."""
    from django.db import connection

    with connection.cursor() as cursor:
        others = "pid <> pg_backend_pid() AND datname IS NOT NULL"
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


def held_up() -> list[str]:
    """The incidents that somebody keeps locked: still, after half a second."""
    from incidents.models import Incident

    free = _free()
    time.sleep(0.5)
    free |= _free()
    return [reference for reference in Incident.objects.values_list("reference", flat=True) if reference not in free]


def _free() -> set[str]:
    from django.db import connection, transaction

    from incidents.models import Incident

    known = Incident.objects.values_list("reference", flat=True)
    if connection.vendor == "sqlite":
        return set() if _is_locked(connection.settings_dict["NAME"]) else set(known)
    with transaction.atomic():
        return set(known.select_for_update(skip_locked=True, no_key=True))


def _is_locked(file: str) -> bool:
    with closing(sqlite3.connect(file, timeout=0.3, isolation_level=None)) as line:
        try:
            line.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


def ring(task: str, *arguments: str) -> None:
    """Send a message that no row asked for."""
    from portal.celery import app

    app.loader.import_default_modules()
    app.tasks[task].apply_async(list(arguments))


def _people() -> dict[str, Any]:
    from incidents.terms import Role
    from tests.factories import UserFactory

    if not PEOPLE:
        PEOPLE.update(people={role: UserFactory() for role in Role}, deputy=UserFactory(), outsider=UserFactory())
    return PEOPLE


def _connector(**fields: Any) -> Any:
    from incidents.models import Connector
    from incidents.terms import ConnectorKind

    given = {"kind": ConnectorKind.WEBHOOK, "secret": "env:FAULTS_SECRET"} | fields
    return Connector.objects.create(name=f"Connector {Connector.objects.count() + 1}", **given)


def _answer(line: str) -> dict[str, Any]:
    from django.db import close_old_connections

    close_old_connections()
    asked = json.loads(line)
    try:
        return {"value": globals()[asked.pop("do")](*asked.pop("arguments", []), **asked)}
    except Exception:  # noqa: BLE001 - told to the test, which fails by it
        return {"error": traceback.format_exc()}


def main() -> None:
    import django

    django.setup()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(line), default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

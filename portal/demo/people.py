"""Who is in the demo: one person for each role, and those around them."""

from __future__ import annotations

from dataclasses import dataclass

from incidents.terms import Role

# Easy to type and printed by the demo; `seed_demo` refuses to run anywhere else.
PASSWORD = "lastgood-demo"  # noqa: S105
DOMAIN = "portarium.demo"


@dataclass(frozen=True)
class Person:
    """One demo person; `role` is a role of the runbook or what else they are."""

    role: str
    name: str

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{DOMAIN}"


PEOPLE = (
    Person(Role.COMMANDER, "Mara Lindqvist"),
    Person(Role.API_LEAD, "Tom Okafor"),
    Person(Role.INFRASTRUCTURE_LEAD, "Ines Duarte"),
    Person(Role.DATA_EVIDENCE_LEAD, "Priya Raman"),
    Person(Role.SECURITY_LEAD, "Jonas Weber"),
    Person(Role.COMMUNICATIONS_OWNER, "Aiko Tanaka"),
    Person("deputy", "David Mensah"),
    Person("auditor", "Ruth Novak"),
    Person("outsider", "Olga Petrova"),
    Person("admin", "Adam Cole"),
)
DEPUTY_OF = Role.COMMANDER

RECIPIENTS = (
    ("Support desk", "support@stakeholders.demo"),
    ("Customer success", "success@stakeholders.demo"),
    ("Engineering leads", "engineering@stakeholders.demo"),
    ("Product management", "product@stakeholders.demo"),
    ("Compliance office", "compliance@stakeholders.demo"),
    ("Executive team", "executives@stakeholders.demo"),
)

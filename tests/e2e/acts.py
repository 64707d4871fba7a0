"""What people do at the pages, one function for each act."""

from __future__ import annotations

from typing import Any

from tests.e2e.someone import Someone

BY_THE_WORKER = 60_000  # milliseconds that a person waits for what the worker does
LOG = {"mimeType": "text/plain", "buffer": b"exit 0\n"}


def declare(commander: Someone, *, trigger: str, summary: str, level: str) -> str:
    """Declare rollback mode. Returns the reference of the new incident."""
    page = commander.page
    page.goto("/declare/")
    page.get_by_role("radio", name=trigger).check()
    page.get_by_label("What is failing, in a sentence").fill(summary)
    page.get_by_role("radio", name=level).check()
    commander.press("Declare rollback mode")
    commander.reference = page.url.rstrip("/").rpartition("/")[2]
    return commander.reference


def accept_role(person: Someone, role: str) -> None:
    person.open("roles/")
    person.press("Accept this role", on=person.page.get_by_role("region", name=role))


def choose_target(person: Someone, kind: str, identifier: str, reason: str) -> None:
    page = person.open("target/")
    page.get_by_role("radio", name=kind).check()
    page.get_by_label("Identifier").fill(identifier)
    page.get_by_label("Why this is the last known good").fill(reason)
    person.press("Choose this target")


def confirm_aspect(lead: Someone, aspect: str, note: str) -> None:
    lead.open("target/")
    card = lead.card(aspect)
    card.get_by_label("What you checked, and what it showed").fill(note)
    lead.press("Confirm", on=card)


def approve(second: Someone, action: str) -> None:
    second.open(f"rollback/{action}/")
    second.press("Approve what will run")


def run_by_hand(owner: Someone, action: str, result: str) -> None:
    """Begin an action, do it somewhere else, and record what came of it with a file that shows it."""
    page = owner.open(f"rollback/{action}/")
    owner.press("Begin by hand")
    page.get_by_role("radio", name="Done").check()
    page.get_by_label("What was done, and what it showed").fill(result)
    page.get_by_label("Or a file").set_input_files({"name": f"{action}.log", **LOG})
    owner.press("Record it")


def run_by_connector(owner: Someone, action: str) -> None:
    """Start an action and watch its page until the worker is done with it."""
    page = owner.open(f"rollback/{action}/")
    owner.press("Run it now")
    page.locator("#live", has_text="Done").wait_for(timeout=BY_THE_WORKER)


def clean_up(owner: Someone, area: Any) -> None:
    """Tick every item of an area and bring a file for each piece of evidence it asks for, in one form."""
    page = owner.open(f"cleanup/{area.key}/")
    for item in area.items:
        page.get_by_role("checkbox", name=item.name).check()
    page.get_by_label("Note on what you tick").fill("Looked at each")
    for wanted in area.evidence:
        page.get_by_label(f"{wanted.name}: file").set_input_files({"name": f"{wanted.key}.log", **LOG})
    owner.press("Record")


def record_gate(lead: Someone, gate: str, outcome: str, note: str) -> None:
    page = lead.open(f"verify/{gate}/")
    page.get_by_role("radio", name=outcome).check()
    page.get_by_label("What was run, and what it showed").fill(note)
    page.get_by_label("Or a file").set_input_files({"name": f"{gate}.log", **LOG})
    lead.press("Record the outcome")


def run_gate(lead: Someone, gate: str) -> None:
    page = lead.open(f"verify/{gate}/")
    lead.press("Run the check")
    page.locator("#live", has_text="Pass").wait_for(timeout=BY_THE_WORKER)


def carry_baseline(commander: Someone, second: Someone, gate: str) -> None:
    """A failure older than the cycle: explained, and its risk signed off by two people."""
    page = commander.open(f"verify/{gate}/")
    commander.unfold("Capture a baseline blocker")
    page.get_by_label("Failing step").fill("ci:gates")
    page.get_by_label("Proof that it is older than this cycle").fill("Fails the same way at 41aa0de, last month")
    page.get_by_label("Later steps not executed").fill("typecheck, lint, audit-high")
    commander.press("Capture it")
    commander.unfold("Sign off the risk")
    page.get_by_label("Which risk, and why it can be carried").fill("The later steps ran green by hand")
    commander.press("Ask for a second person")
    second.open(f"verify/{gate}/")
    second.press("Confirm")


def name_owner(commander: Someone, owner: Someone, role: str) -> None:
    """The commander asks somebody to own an area in the next cycle, and they accept."""
    page = commander.open("unfreeze/")
    row = page.get_by_role("listitem").filter(has_text=f"{role}'s area")
    commander.unfold(f"Name the owner: {role}")
    row.get_by_label("Owner of the next cycle's work").select_option(label=owner.user.name)
    commander.press("Ask this person", on=row)
    owner.open("unfreeze/")
    owner.press("Accept")


def send_update(owner: Someone, kind: str) -> None:
    """Send an update as it is drafted, and watch its page until every copy is out."""
    page = owner.open("notices/")
    card = page.get_by_role("region", name=f"Update {kind}")
    owner.press("Send to 2 recipients", on=card)
    page.locator("#fact", has_text="2 of 2").wait_for(timeout=BY_THE_WORKER)


def deliver(commander: Someone, root_cause: str) -> None:
    """Write the three deliverables."""
    page = commander.open("deliver/")
    page.get_by_label("What happened", exact=True).fill("A projection was rebuilt beside the evidence writer")
    page.get_by_label("Root cause").fill(root_cause)
    commander.press("Put it on record")
    commander.unfold("Add a follow-up")
    page.get_by_label("Title").fill("Refuse column drops while a reader is deployed")
    page.get_by_label("Owner", exact=True).fill("API Lead")
    page.get_by_label("Due").fill("2099-01-15")
    page.get_by_label("Acceptance criteria").fill("ci:pr fails on such a drop")
    commander.press("Add it")
    commander.unfold("Record a safeguard")
    page.get_by_label("Control gap found").fill("Nothing compared migrations with readers")
    page.get_by_label("What was changed").fill("The reader check runs before a rebuild")
    commander.press("Record it")


def take_report(person: Someone) -> bytes:
    """Watch the page until the worker has made the PDF, which closing asks for, and download it."""
    page = person.open("report/")
    link = page.get_by_role("link", name="Download PDF")
    link.wait_for(timeout=BY_THE_WORKER)
    with page.expect_download() as download:
        link.click()
    return download.value.path().read_bytes()

"""The runbook, readable as the document it is."""

from __future__ import annotations

import pytest

from incidents.runbook import versions
from incidents.runbook.content import SHIPPED
from tests.factories import UserFactory
from tests.incidents.views.pages import text_of
from tests.incidents.views.visiting import signed_in

pytestmark = pytest.mark.django_db


def test_every_sentence_of_the_runbook_is_on_the_page() -> None:
    book = versions.current().content
    seen = text_of(signed_in(UserFactory()).get("/runbook/"))

    sentences = [
        *book.objectives,
        *(role.responsibility for role in book.roles.values()),
        book.trigger_rule,
        *(trigger.text for trigger in book.triggers),
        book.measure_rule,
        *(measure.text for measure in book.measures.values()),
        *(text for level in book.levels.values() for text in (level.scope, level.typical_use)),
        *(point for step in book.steps for point in step.points),
        *(action.text for action in book.actions),
        *(text for area in book.cleanup for text in (area.action_set, area.evidence_to_capture, area.owner.label)),
        *(gate.text for gate in book.gates),
        *(clause.text for clause in (*book.preconditions, *book.deliverables)),
        *(f"{track.track}) {track.name}" for track in book.tracks),
    ]
    assert [s for s in sentences if " ".join(s.replace("`", " ").split()) not in seen.replace("  ", " ")] == []


def test_the_templates_show_their_words_and_mark_what_is_filled_in() -> None:
    response = signed_in(UserFactory()).get("/runbook/")

    seen = text_of(response)
    assert "Template A: Rollback declared" in seen
    assert "Freeze scope: feature merges and environment promotions paused." in seen
    assert '<mark class="slot">&lt;next update&gt;</mark>' in response.content.decode()
    assert "{{" not in seen


def test_version_hash_and_older_versions_are_named() -> None:
    user = UserFactory()
    first = versions.current()
    changed = SHIPPED.read_text(encoding="utf-8").replace("Contain blast radius quickly.", "Contain it at once.")
    versions.publish(changed, note="Shorter words", by=user)
    client = signed_in(user)

    now, before = client.get("/runbook/"), client.get("/runbook/1/")

    assert "Version 2" in text_of(now)
    assert "Contain it at once." in text_of(now)
    assert "Shorter words" in text_of(before)
    assert "Contain blast radius quickly." in text_of(before)
    assert "Older version" in text_of(before)
    assert first.sha256 in before.content.decode()


@pytest.mark.parametrize("number", ["0", "99", str(2**80)])
def test_a_version_that_never_was_is_not_found(number: str) -> None:
    assert signed_in(UserFactory()).get(f"/runbook/{number}/").status_code == 404

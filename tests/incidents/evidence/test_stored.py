"""The fast walk over stored rows says what the plain one says, of good and damaged chains, on one core or several."""

from __future__ import annotations

from datetime import timedelta
from itertools import starmap
from typing import Any

import pytest
from django.db import connection

from incidents.evidence import log, stored, triggers
from incidents.models import EvidenceChain
from incidents.steps import declare
from incidents.terms import Phase
from tests.factories import make_crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain() -> EvidenceChain:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    declare.add_note(incident, by=crew.commander, text="Überprüft – 😀")
    return EvidenceChain.objects.get(incident=incident)


DAMAGE: dict[str, Any] = {
    "nothing": lambda entries: None,
    "words": lambda entries: entries.filter(seq=7).update(canonical=entries.get(seq=8).canonical),
    "time": lambda entries: entries.filter(seq=7).update(at=entries.get(seq=7).at + timedelta(microseconds=1)),
    "hash": lambda entries: entries.filter(seq=7).update(hash="0" * 64),
    "link": lambda entries: entries.filter(seq=7).update(prev="f" * 64),
    "gap": lambda entries: entries.filter(seq=7).delete(),
    "two gaps": lambda entries: entries.filter(seq__in=(4, 9)).delete(),
    "beginning": lambda entries: entries.filter(seq=1).delete(),
    "end": lambda entries: entries.filter(seq__gt=9).delete(),
    "everything": lambda entries: entries.all().delete(),
}


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("damage", DAMAGE)
def test_both_ways_agree(chain: EvidenceChain, damage: str, parts: int) -> None:
    """Part by part in this process; the bench walks a long log with the command, which forks."""
    triggers.drop(connection)
    DAMAGE[damage](chain.entries)

    found = starmap(stored.segment, stored.segments(chain.pk, chain.seq, parts))
    fast, plain = stored.joined(list(found)), log.check(chain).verdict

    assert (fast.broken_at, fast.reason, fast.count) == (plain.broken_at, plain.reason, plain.count)
    assert fast.is_intact is (damage == "nothing")


def test_a_time_without_a_fraction_is_hashed_with_its_zeros(chain: EvidenceChain) -> None:
    from incidents.terms import Kind

    whole = (chain.at or chain.entries.latest("seq").at).replace(microsecond=0) + timedelta(seconds=1)
    log.append(chain, Kind.NOTE_ADDED, at=whole, actor=log.SYSTEM_ACTOR, body={"sentence": "On the second"})

    assert log.check_on_all_cores(chain).verdict.is_intact
    assert log.check(chain).verdict.is_intact

"""The pages: across incidents, the runbook, the status page, and below `/incidents/<reference>/` one incident."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from incidents.views import (
    board,
    correct,
    declare,
    evidence,
    knowledge,
    level,
    notes,
    privacy,
    proposals,
    roles,
    runbook,
    stand_down,
    status,
    suggestions,
    war_room,
    work,
)
from incidents.views import list as incidents

app_name = "incidents"

of_one_incident: list[URLPattern | URLResolver] = [
    path("", war_room.war_room, name="war_room"),
    path("roles/", roles.roles, name="roles"),
    path("knowledge/", knowledge.knowledge, name="knowledge"),
    path("level/", level.level, name="level"),
    path("stand-down/", stand_down.stand_down, name="stand_down"),
    path("notes/", notes.notes, name="notes"),
    path("proposals/<int:pk>/confirm/", proposals.confirm, name="proposal_confirm"),
    path("proposals/<int:pk>/decline/", proposals.decline, name="proposal_decline"),
    path("evidence/", evidence.evidence, name="evidence"),
    path("evidence/personal/", privacy.personal_values, name="personal_values"),
    path("evidence/verify/", evidence.verify_evidence, name="verify_evidence"),
    path("evidence/<int:seq>/correct/", correct.correct_entry, name="correct_entry"),
    path("checkpoint.txt", evidence.checkpoint_txt, name="checkpoint_txt"),
    path("evidence.jsonl", evidence.evidence_jsonl, name="evidence_jsonl"),
    path("", include("incidents.step_urls")),
]
urlpatterns = [
    path("", board.board, name="board"),
    path("declare/", declare.declare, name="declare"),
    path("suggestions/", suggestions.suggestions, name="suggestions"),
    path("suggestions/<int:pk>/dismiss/", suggestions.dismiss, name="dismiss_suggestion"),
    path("incidents/", incidents.incident_list, name="list"),
    path("my-work/", work.work, name="work"),
    path("runbook/", runbook.runbook, name="runbook"),
    path("runbook/<int:number>/", runbook.runbook_version, name="runbook_version"),
    path("status/<slug:slug>/", status.status, name="status"),
    path("status/<slug:slug>/feed.atom", status.status_feed, name="status_feed"),
    path("incidents/<slug:reference>/", include(of_one_incident)),
]

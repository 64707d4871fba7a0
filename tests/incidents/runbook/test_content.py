"""The shipped runbook says what the document says, and an edited one cannot leave an incident stuck."""

from __future__ import annotations

import pytest

from incidents.runbook import BadRunbook, parse
from incidents.runbook.content import LISTS, PLACEHOLDERS, SHIPPED
from incidents.runbook.template import UnknownPlaceholder, check_template, render
from incidents.terms import Level, Measure, Role

SOURCE = SHIPPED.read_text(encoding="utf-8")
BOOK = parse(SOURCE)


def test_the_six_roles_have_the_runbooks_responsibilities() -> None:
    assert {role: text.responsibility for role, text in BOOK.roles.items()} == {
        Role.COMMANDER: "Declares rollback mode and coordinates decisions",
        Role.API_LEAD: "Control-plane/API rollback actions",
        Role.INFRASTRUCTURE_LEAD: "Runtime/platform rollback actions",
        Role.DATA_EVIDENCE_LEAD: "Database/evidence integrity and cleanup actions",
        Role.SECURITY_LEAD: "Credential revocation and rotation actions",
        Role.COMMUNICATIONS_OWNER: "Stakeholder updates and status cadence",
    }


def test_the_four_triggers_and_four_freezes_stand_word_for_word() -> None:
    assert [trigger.text for trigger in BOOK.triggers] == [
        "`npm run ci:pr` fails in critical areas and cannot be resolved within planned window.",
        "Production/staging reliability or integrity regressions are detected.",
        "Security or tenancy isolation risk is identified.",
        "Evidence chain integrity is uncertain.",
    ]
    assert [BOOK.measures[measure].text for measure in Measure] == [
        "Freeze new feature merges.",
        "Freeze new bead claims for implementation work (allow only rollback and incident beads).",
        "Freeze environment promotions (dev -> staging -> prod).",
        "Restrict deployment permissions to rollback owners.",
    ]


def test_the_three_levels_have_scope_and_typical_use() -> None:
    assert [(BOOK.levels[level].scope, BOOK.levels[level].typical_use) for level in Level] == [
        ("Code/config rollback only", "Regressions limited to app logic or config"),
        ("Code/config + schema/data rollback", "Migration/projection or data correctness regressions"),
        ("Full incident rollback (code/data/evidence/credentials)", "Security, integrity, or cross-tenant risk"),
    ]


def test_each_bullet_of_3a_to_3e_is_an_action_with_its_owner() -> None:
    assert [(action.key, action.owner.value) for action in BOOK.actions] == [
        ("3a-redeploy", "api_lead"),
        ("3a-parity", "api_lead"),
        ("3b-drift", "infrastructure_lead"),
        ("3b-health", "infrastructure_lead"),
        ("3c-schema", "data_evidence_lead"),
        ("3c-rebuild", "data_evidence_lead"),
        ("3c-tenants", "data_evidence_lead"),
        ("3d-preserve", "data_evidence_lead"),
        ("3d-annotate", "data_evidence_lead"),
        ("3d-chain", "data_evidence_lead"),
        ("3e-revoke", "security_lead"),
        ("3e-rotate", "security_lead"),
        ("3e-scopes", "security_lead"),
    ]


def test_the_checklist_names_action_set_owner_and_evidence_of_each_area() -> None:
    assert [(area.name, area.owner.value, area.action_set, area.evidence_to_capture) for area in BOOK.cleanup] == [
        (
            "Data rollback/cleanup",
            "data_evidence_lead",
            "Revert unsafe schema/data changes; rebuild projections; re-verify tenant isolation",
            "Migration/projection repair notes; tenant-isolation test",
        ),
        (
            "Evidence rollback safe",
            "data_evidence_lead",
            "Preserve append-only log; annotate impacted records; verify hash-chain continuity",
            "Evidence chain verification output and incident links",
        ),
        (
            "Credential hygiene",
            "security_lead",
            "Revoke and rotate impacted credentials; re-verify scoped permissions",
            "Credential rotation log and scope verification summary",
        ),
    ]


def test_the_templates_are_the_runbooks_with_named_slots() -> None:
    notice = BOOK.notices["A"]
    values = dict.fromkeys(PLACEHOLDERS, "?") | {
        "product": "Portarium",
        "now": "<date/time UTC>",
        "trigger_summary": "<brief trigger summary>",
        "scope_level": "<L1|L2|L3>",
        "commander": "<Incident Commander>",
        "next_update": "<time UTC>",
    }

    assert render(notice.subject, values=values, lists={}) == "Portarium delivery rollback declared - <date/time UTC>"
    assert render(notice.body, values=values, lists={}) == (
        "Status: Rollback mode active.\n"
        "Trigger: <brief trigger summary>.\n"
        "Scope level: <L1|L2|L3>.\n"
        "Freeze scope: feature merges and environment promotions paused.\n"
        "Current owner: <Incident Commander>.\n"
        "Next update: <time UTC>.\n"
    )


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (("title = ", "titel = "), "The entry 'title' is missing."),
        (("[levels.L3]", "[levels.L4]"), "unexpected form"),
        (('key = "3a-parity"', 'key = "3a-redeploy"'), "A key stands twice: 3a-redeploy."),
        (('owner = "security_lead"', 'owner = "janitor"'), "unexpected form"),
        (("{{ product }} rollback complete", "{{ user.password }} rollback complete"), "which no notice knows"),
        (("{{ product }} rollback complete", "{% include 'x' %} rollback complete"), "braces that are not"),
        (("[notices.C]", "[notices.D]"), "A notice is missing: C."),
        (('key = "stable"', 'key = "solid"'), "A precondition is missing: stable."),
        (("purpose = ", "purpose := "), "not valid TOML"),
        (("stage = 2", "stage = 2\nsurprise = 1"), "unexpected form"),
        (('key = "3d-chain"', 'key = "3d-links"'), "Track 3d has no action “3d-chain”: every level asks for it."),
        (('key = "3a-parity"', 'key = "added-1"'), "are for what people add: added-1."),
    ],
)
def test_a_runbook_with_a_hole_is_refused_with_the_place(damage: tuple[str, str], sentence: str) -> None:
    with pytest.raises(BadRunbook, match=sentence):
        parse(SOURCE.replace(*damage))


@pytest.mark.parametrize(
    "payload",
    ["{{ 7*7 }}", "{{product.__class__}}", "{% debug %}", "{{#users}}x{{/users}}", "{{ product", "{{#risks}}x"],
)
def test_a_template_reaches_nothing_but_its_placeholders(payload: str) -> None:
    with pytest.raises(UnknownPlaceholder):
        check_template(payload, names=PLACEHOLDERS, lists=LISTS)


def test_what_is_put_in_is_never_read_as_a_template() -> None:
    shown = render(
        "{{ product }}: {{#risks}}- {{ . }}\n{{/risks}}",
        values={"product": "{{ commander }}"},
        lists={"risks": ["{{ product }}", r"\1"]},
    )

    assert shown == "{{ commander }}: - {{ product }}\n- \\1\n"


def test_an_empty_list_says_none() -> None:
    assert render("{{#risks}}\n- {{ . }}\n{{/risks}}\n", values={}, lists={"risks": []}) == "- none\n"

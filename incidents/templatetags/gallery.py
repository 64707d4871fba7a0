"""Made-up rows for `templates/components/gallery.html`, the living page of every part of the look."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace as Row
from typing import Any

from django import forms, template
from django.utils import timezone

from incidents.templatetags.look import drawings
from incidents.terms import Level

register = template.Library()

LEVEL_HELP = {
    "L1": "Regressions limited to app logic or config.",
    "L2": "Migration, projection or data correctness regressions.",
    "L3": "Security, integrity or cross-tenant risk. Every action then needs a second person.",
}


class SampleForm(forms.Form):
    summary = forms.CharField(max_length=120, help_text="One line that a stakeholder understands.")
    details = forms.CharField(widget=forms.Textarea, required=False, label="What is known so far")
    product = forms.ChoiceField(choices=[("portarium", "Portarium"), ("atlas", "Atlas")])
    level = forms.ChoiceField(choices=Level.choices, widget=forms.RadioSelect, label="Scope level")
    mode = forms.ChoiceField(choices=[("real", "Real"), ("drill", "Drill")], widget=forms.RadioSelect)
    measures = forms.MultipleChoiceField(
        choices=[("merges", "Feature merges"), ("claims", "Bead claims")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label="Lift",
    )
    commit = forms.CharField(widget=forms.TextInput(attrs={"class": "mono"}), required=False)
    expires_at = forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}), required=False, label="Expires at"
    )
    exhibit = forms.FileField(required=False, help_text="Kept by its SHA-256, at most 25 MB.")
    sure = forms.BooleanField(label="I have read the freeze scope", help_text="Four measures, from this moment on.")


@register.simple_tag
def samples() -> dict[str, Any]:
    now = timezone.now()
    tom, ines, jonas, mara, sana = "Tom Okafor", "Ines Duarte", "Jonas Berg", "Mara Lind", "Sana Wirth"
    refused = SampleForm({"summary": "", "level": "L3", "details": "Projection 0412 dropped the legacy hash column."})
    refused.is_valid()
    refused.add_error(None, "Portarium is already frozen by RB-2026-0007.")
    return {
        "now": now,
        "since": now - timedelta(hours=1, minutes=18),
        "due": now + timedelta(minutes=11, seconds=20),
        "late": now - timedelta(minutes=4, seconds=2),
        "yesterday": now - timedelta(days=1, hours=5),
        "just": now - timedelta(seconds=41),
        "drawings": list(drawings()),
        "levels": [(choice, LEVEL_HELP[choice]) for choice in Level],
        "level_help": LEVEL_HELP,
        "people": Row(tom=tom, ines=ines, jonas=jonas, mara=mara, sana=sana),
        "form": SampleForm(initial={"summary": "Hash-chain gap after projection migration 0412", "level": "L3"}),
        "refused": refused,
        "rail": [
            Row(label="1 Declare", note="13:14", state="done", url="#rail"),
            Row(label="2 Target", note="+ 22 min", state="done", url="#rail"),
            Row(label="3 Roll back", note="7 of 11 actions", state="now", url="#rail"),
            Row(label="3 Clean up", note="1 of 3 areas", state="todo", url="#rail"),
            Row(label="4 Verify", note="0 of 4 gates", state="todo", url="#rail"),
            Row(label="5 Unfreeze", note="0 of 4 hold", state="todo", url="#rail"),
            Row(label="Deliver", note="", state="todo", url="#rail"),
        ],
        "tabs": [
            Row(label="War room", url="#tabs", current=True),
            Row(label="Evidence", url="#tabs", count=214),
            Row(label="Updates", url="#tabs", count=3),
            Row(label="People", url="#tabs"),
            Row(label="Report", url="#tabs"),
        ],
        "crumbs": [Row(label="Incidents", url="#"), Row(label="RB-2026-0007", url="#"), Row(label="Target")],
        "blockers": [
            Row(
                sentence="Outcome unknown: rotate key `prod/evidence-signer`. The worker was lost after the start.",
                kind="unknown",
                who="Security Lead",
                url="#",
                verb="Decide…",
            ),
            Row(
                sentence="3c Verify tenant boundaries on `runs_view`", kind="due", who="Data and Evidence Lead", url="#"
            ),
            Row(
                sentence="3e Re-verify least privilege for 3 rotated credentials",
                kind="due",
                who="Security Lead",
                url="#",
            ),
            Row(
                sentence="Gate `npm run ci:pr` has not run on `dbe79f1`",
                kind="wait",
                who="Incident Commander",
                url="#",
                verb="Run gate",
            ),
            Row(sentence="Update B was due at 14:43 UTC", kind="bad", who="Communications Owner", url="#", verb="Send"),
        ],
        "proposal": Row(
            pk=7,
            what="Lower the scope level from L3 to L2",
            why="Key audit shows that no credential left the build host; 3e is finished all the same.",
            by=mara,
            at=now - timedelta(minutes=3),
            expires_at=now + timedelta(minutes=57),
        ),
        "entries": [
            Row(
                at=now,
                tone="ok",
                sentence="Merge freeze proven on portarium/core and portarium/cockpit",
                note="entry 214",
            ),
            Row(
                at=now - timedelta(minutes=2),
                tone="bad",
                sentence="Promotion rule for prod was removed outside Lastgood. Re-applied; nothing slipped through",
                note="entry 213",
            ),
            Row(
                at=now - timedelta(minutes=5),
                tone="unknown",
                sentence="Rotate prod/evidence-signer ended unknown. Nothing may touch it until two people decide",
                note="entry 212",
            ),
            Row(
                at=now - timedelta(minutes=12),
                tone="ok",
                sentence="Ines Duarte completed Rebuild projections with 2 files",
                note="entry 211",
            ),
            Row(
                at=now - timedelta(minutes=19),
                tone="mail",
                sentence="Update B sent to 41 of 41 recipients",
                note="entry 208",
            ),
            Row(
                at=now - timedelta(minutes=33), tone="run", sentence="Redeploy control plane started", note="entry 203"
            ),
            Row(
                at=now - timedelta(minutes=58), tone="frozen", sentence="Rollback mode declared, four measures in force"
            ),
        ],
        "files": [
            Row(
                name="projection-repair-notes.md",
                url="#",
                size=18_204,
                sha256="9f3c77ab1c04d2e18ab0c4415de22f0b1e6c93bb70a41f57d2c5a3b9e0f1c2d3",
                by=ines,
                at=now - timedelta(minutes=12),
            ),
            Row(
                name="tenant-isolation-2026-02-21T14-11Z.log",
                url="#",
                size=1_204_882,
                sha256="41c0e2b99f3c77ab1c04d2e18ab0c4415de22f0b1e6c93bb70a41f57d2c5a3b9",
                by=ines,
                at=now - timedelta(minutes=11),
            ),
        ],
    }

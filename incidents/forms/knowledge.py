"""What is asked to close an incident to all but its people, or to open it again."""

from __future__ import annotations

from django import forms

from incidents.forms.fields import Words


class KnowledgeForm(forms.Form):
    reason = Words(max_length=500, label="Why", help_text="On record, for those who may read the log.")

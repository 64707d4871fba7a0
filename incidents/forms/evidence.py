"""What a reader brings to the verification of a log: checkpoints that they kept."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.evidence import letters
from incidents.evidence.note import NotANote, VerifierKey
from incidents.forms.fields import OneLine

MOST_FILES = 20
MOST_BYTES = 30 * 1024 * 1024


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class CheckpointFiles(forms.FileField):
    """Any number of files, each read as a checkpoint or as a mail that carries one."""

    widget = ManyFiles(attrs={"accept": ".txt,.eml,.note,text/plain,message/rfc822"})

    def clean(self, data: Any, initial: Any = None) -> list[str]:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        if len(files) > MOST_FILES:
            raise forms.ValidationError(f"Bring at most {MOST_FILES} checkpoints at once.")
        if sum(file.size for file in files) > MOST_BYTES:
            raise forms.ValidationError("These files are too large to be checkpoints, or mails that carry one.")
        return [letters.checkpoint_in(file.read()) for file in files]


class VerifyForm(forms.Form):
    """Checkpoints to hold against the log, and a key to trust beside the portal's own."""

    checkpoints = CheckpointFiles(label="Checkpoints that you kept", required=False)
    key = OneLine(label="Key to trust besides the portal's own", max_length=300, required=False)

    def clean_key(self) -> VerifierKey | None:
        text = self.cleaned_data["key"]
        try:
            return VerifierKey.read(text) if text else None
        except NotANote as error:
            raise forms.ValidationError(str(error)) from error

"""The form that every import shares: lines from a file or typed."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

LARGEST_FILE = 8_000_000  # bytes: 50,000 people with their departments


class LinesForm(forms.Form):
    """CSV from a file or typed; what a file holds ends up in the box, where it can be mended."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )
    text = forms.CharField(
        label=_("Or the lines themselves"),
        required=False,
        strip=False,
        max_length=LARGEST_FILE,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def clean_file(self) -> str:
        """The file's text; "" when none was sent."""
        file: Any = self.cleaned_data["file"]
        if file is None:
            return ""
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(_("The file is larger than 8 MB. Split it."))
        try:
            # utf-8-sig: Excel begins its CSV files with a byte order mark.
            return str(file.read(), "utf-8-sig")
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is not UTF-8. Save it again as “CSV UTF-8”.")) from None

    def clean(self) -> dict[str, Any]:
        """One text, from wherever it came."""
        data = self.cleaned_data
        if not self.errors and not (data["file"] or data["text"].strip()):
            self.add_error("file", _("Choose a file, or write the lines."))
        return data

    @property
    def lines(self) -> str:
        """The text to import: the file's when one was sent."""
        return str(self.cleaned_data["file"] or self.cleaned_data["text"])

"""What forms share: the form of every import, lines from a file or typed; whole numbers; a select of hundreds."""

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

LARGEST_FILE = 8_000_000  # bytes: 50,000 people with their departments


class LongSelect(forms.Select):
    """A select of hundreds. Django renders a template for each option, which takes longer than the rest of the page."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """The same markup, written at once."""
        chosen = set(self.format_value(value))
        choices = ((str(choice), label) for choice, label in self.choices)
        options = ((value, " selected" if value in chosen else "", label) for value, label in choices)
        names = flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name}))
        return format_html(
            "<select{}>{}</select>", names, format_html_join("", '<option value="{}"{}>{}</option>', options)
        )


class WholeNumberField(forms.IntegerField):
    """A number in the digits 0 to 9; Django's own takes those of every script."""

    def to_python(self, value: Any) -> int | None:
        """The number; None for nothing."""
        if not str(value).isascii():
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


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

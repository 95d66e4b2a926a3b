"""Every sentence exists in every language (brief D19): docs/translations.md says how to add one."""

import os
import shutil
import subprocess
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
LOCALES = ["zh_Hant", "zh_Hans"]


def messages(locale: str) -> dict[tuple[str | None, str], Message]:
    with (ROOT / "locale" / locale / "LC_MESSAGES" / "django.po").open("rb") as file:
        return {key(message): message for message in read_po(file, locale) if message.id}


def key(message: Message) -> tuple[str | None, str]:
    return message.context, message.id if isinstance(message.id, str) else message.id[0]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_sentence_is_translated_and_none_is_a_guess(locale: str) -> None:
    unfinished = [str(name) for name, message in messages(locale).items() if message.fuzzy or not all(texts(message))]
    assert unfinished == []


@pytest.mark.parametrize("locale", LOCALES)
def test_a_translation_names_what_its_sentence_names(locale: str) -> None:
    wrong = [
        str(name)
        for name, message in messages(locale).items()
        for text in texts(message)
        if message.python_format and placeholders(text) != placeholders(plural(message))
    ]
    assert wrong == []


def test_both_scripts_have_the_same_sentences() -> None:
    assert messages("zh_Hant").keys() == messages("zh_Hans").keys()


def test_chinese_is_punctuated_as_its_script_is() -> None:
    assert [text for m in messages("zh_Hans").values() for text in texts(m) if "「" in text] == []
    assert [text for m in messages("zh_Hant").values() for text in texts(m) if "“" in text] == []


@pytest.mark.skipif(
    not (shutil.which("xgettext") or os.environ.get("CI")),
    reason="gettext is not installed: new sentences cannot be looked for",
)
def test_no_sentence_of_the_code_is_missing_from_the_catalogs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py", "*.html", "*.txt"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in tracked:
        if name and not name.startswith(("tests/", "bench/", "requirements")) and (ROOT / name).is_file():
            copy = tmp_path / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
    (tmp_path / "locale").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "LOCALE_PATHS", [str(tmp_path / "locale")])
    call_command("makemessages", locale=["zh_Hant"], verbosity=0, no_location=True)
    with (tmp_path / "locale/zh_Hant/LC_MESSAGES/django.po").open("rb") as file:
        found: Catalog = read_po(file)
    translated = messages("zh_Hant")
    assert sorted(str(key(m)) for m in found if m.id and key(m) not in translated) == []


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or [""])


def plural(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[-1]


def placeholders(text: str) -> set[str]:
    """The names in %(name)s."""
    braces = text.replace("{", "").replace("}", "").replace("%(", "{").replace(")s", "}").replace(")d", "}")
    return {name for _text, name, _spec, _conversion in Formatter().parse(braces) if name}

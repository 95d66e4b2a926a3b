"""No sentence for people stands in a template or a script where no translation can reach it."""

import ast
import re
from pathlib import Path

import pytest
from allauth import account, mfa, usersessions
from babel.messages.mofile import read_mo
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))
PROGRAMS = [
    path
    for room in sorted(settings.BASE_DIR.iterdir())
    if (room / "__init__.py").is_file() and room.name != "tests"
    for path in sorted(room.rglob("*.py"))
]
SCRIPTS = sorted((ROOT / "frontend" / "src").rglob("*.js"))

_MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
# What is not language: code to copy, names of formats and products.
_CODE = re.compile(
    r'<(?P<tag>\w+)[^>]*translate="no".*?</(?P=tag)>|<(script|style|svg)\b.*?</\2>|<!doctype[^>]*>', re.DOTALL
)
_TRANSLATED = re.compile(
    r"{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}|{%\s*comment\b.*?endcomment\s*%}", re.DOTALL
)
_TAG = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL)
_SPOKEN = re.compile(r"""\s(?:aria-label|aria-description|alt|title|placeholder)=(?:"([^"]*)"|'([^']*)')""")
_WORD = re.compile(r"[A-Za-z]{3,}")
_NAMES = {"API", "CSV", "BibTeX", "JSON", "Markdown", "PDF", "Python", "Word", "amp", "middot", "nbsp"}
# A sentence in a script: a capital, words, spaces between.
_SENTENCE = re.compile(r"""(["'`])[A-Z][a-z]+(?: [a-z]+)+[.!?]?\1""")


def words_left(text: str) -> list[str]:
    """The words of a template that no tag translates."""
    bare = _TAG.sub(" ", _TRANSLATED.sub(" ", _CODE.sub(" ", text)))
    spoken = [one or other for one, other in _SPOKEN.findall(bare)]
    seen = re.sub(r"<[^>]*>", " ", bare)
    return [word for part in (seen, *spoken) for word in _WORD.findall(part) if word not in _NAMES]


def test_the_check_finds_what_it_should() -> None:
    assert words_left('<p title="Look">{% translate "Yes" %} and {{ name }}<code translate="no">x = open()</code>') == [
        "and",
        "Look",
    ]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_no_template_speaks_one_language_only(path: Path) -> None:
    assert words_left(path.read_text()) == []


def test_no_sentence_is_collected_under_a_name_that_gettext_does_not_know() -> None:
    """What is not called `_` or by its own name is marked, shown, and in no catalog; nor is what is put together."""
    found = []
    for path in PROGRAMS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
                renamed = {name.asname for name in node.names if "gettext" in name.name}
                found += [f"{path}: as {name}" for name in renamed - {None, "_"}]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MARKS:
                found += [
                    f"{path}:{node.lineno}" for word in node.args[:1] if isinstance(word, (ast.JoinedStr, ast.BinOp))
                ]
    assert PROGRAMS
    assert found == []


def test_no_script_has_a_sentence_of_its_own() -> None:
    """What scripts say comes from the page's data (`words`) or its attributes."""
    found = {
        f"{path.name}: {match[0]}"
        for path in SCRIPTS
        for line in path.read_text().splitlines()
        if not line.lstrip().startswith("//")
        for match in _SENTENCE.finditer(line)
    }
    assert found == set()


@pytest.mark.parametrize("locale", ["zh_Hant", "zh_Hans"])
def test_the_words_of_the_sign_in_library_are_translated(locale: str) -> None:
    """Second factor, sessions and passwords: an upgrade that brings untranslated sentences is noticed here."""
    library = Path(str(account.__file__)).parents[1]
    with (library / "locale" / locale / "LC_MESSAGES" / "django.mo").open("rb") as file:
        known = {str(message.id if isinstance(message.id, str) else message.id[0]) for message in read_mo(file)}
    asked = {
        sentence
        for room in (mfa, usersessions)
        for path in Path(str(room.__file__)).parent.rglob("*.py")
        if "webauthn" not in str(path) and "tests" not in path.parts
        for sentence in re.findall(r'\b_\(\s*"([^"]+)"\s*\)', path.read_text())
    }
    assert asked
    assert asked - known == set()

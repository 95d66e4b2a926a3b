"""The pages an AI model names: kept with its answer, bounded, numbered beneath it, and never fetched."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from accounts.models import User
from accounts.types import Principal
from chat.models import Message
from chat.pages import name_page
from gateway.upstreams.citing import MOST, citations_of
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer, Visitor
from tests.fakes.dialects import DIALECTS
from tests.fakes.upstream import ANSWER, FakeUpstream

TIDES = {"url": "https://example.edu/tides", "title": "Tides <b>of</b> the sea"}
NAMELESS = {"url": "http://xn--e1afmkfd.example/", "title": ""}


@pytest.fixture
def visitor(
    web: RunningServer, sara: User, student: Principal, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Visitor]:
    monkeypatch.setattr(upstream, "behaviors", DIALECTS)
    with closing(Visitor(web, sara)) as visitor:
        yield visitor


def test_each_page_is_kept_once_and_shown_with_its_host(visitor: Visitor, add_model: AddModel) -> None:
    add_model("cites")
    asked = visitor.ask("Hello", model="cites").json()
    *_events, last = visitor.events(asked["follow"])

    answer = Message.objects.get(pk=asked["answer"])
    assert (answer.text, answer.sources) == (ANSWER, [TIDES, NAMELESS])
    for page in (last.data["html"], visitor.http.get(asked["url"], headers={"Accept": "text/html"}).text):
        shown = page[page.index('class="sources"') :]
        assert 'href="https://example.edu/tides"' in shown and "Tides &lt;b&gt;of&lt;/b&gt; the sea" in shown
        assert 'rel="noopener noreferrer nofollow"' in shown and "xn--e1afmkfd.example</a>" in shown
        assert "javascript:" not in page and "secret@" not in page


def test_they_are_in_every_document_and_on_the_page_of_citations(visitor: Visitor, add_model: AddModel) -> None:
    add_model("cites")
    asked = visitor.ask("Hello", model="cites").json()
    list(visitor.events(asked["follow"]))

    told = {form: visitor.http.get(f"{asked['url']}export/{form}/").text for form in ("json", "md", "doc")}
    assert json.loads(told["json"])["messages"][1]["sources"][0] == {"title": TIDES["title"], "url": TIDES["url"]}
    assert "1. Tides <b>of</b> the sea: <https://example.edu/tides>" in told["md"]
    assert "Tides &lt;b&gt;of&lt;/b&gt; the sea" in told["doc"]
    cite = visitor.http.get(f"/chat/answers/{asked['answer']}/cite/", headers={"Accept": "text/html"}).text
    assert "What the answer names" in cite and 'href="https://example.edu/tides"' in cite


def test_an_answer_that_names_none_shows_no_list(visitor: Visitor, add_model: AddModel) -> None:
    add_model("good")
    asked = visitor.ask("Hello", model="good").json()
    list(visitor.events(asked["follow"]))
    assert 'class="sources"' not in visitor.http.get(asked["url"], headers={"Accept": "text/html"}).text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.edu/",
        "ftp://example.edu/",
        "https://",
        "https://a b/",
        "https://example.edu/\u202ecod.exe",
        "https://example.edu\\@evil.example/",
        "https://[::1",
        "HTTPS" * 500,
        7,
        None,
    ],
)
def test_what_is_no_address_of_the_web_is_left_out(url: object) -> None:
    assert citations_of({"annotations": [{"type": "url_citation", "url": url, "title": "x"}, "x", 3, {}]}) == ()


def test_a_flood_of_pages_is_cut() -> None:
    pages = [{"type": "url_citation", "url": f"https://example.edu/{n}", "title": "t" * 9999} for n in range(1000)]
    found = citations_of({"annotations": pages})
    assert len(found) == MOST and len(found[0].title) == 200


def test_a_host_is_shown_as_the_network_spells_it() -> None:
    assert name_page("https://аррӏе.com/", "Apple").host == "xn--80ak6aa92e.com"
    assert name_page("https://" + "а" * 80 + ".com/", "").host.startswith("\\u0430")

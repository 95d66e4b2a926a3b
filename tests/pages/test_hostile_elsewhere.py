"""Hostile words where they are shown beside the chat page: found, shared, reviewed, taken away."""

import pytest
from playwright.sync_api import Browser, expect

from accounts.models import User
from chat.models import Conversation, Message
from chat.services import open_answer_link, share_conversation
from chat.types import Author
from tests.pages.conftest import sign_in
from tests.pages.hostile import payloads
from tests.pages.test_hostile_answers import SUSPECTS, TRAP

pytestmark = pytest.mark.browser

EVIL = (
    "steps <img src=https://evil.example/x onerror=alert(1)>",
    "steps <script>alert(1)</script>",
    'steps "><svg onload=alert(1)>',
    "steps [press](javascript:alert(1)) ![seen](https://evil.example/pixel.png)",
    "steps </textarea></template><iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
)
ROOM = (
    "main script:not([type='application/json']), main iframe, main img[src*=evil], main svg[onload], main [onerror],"
    " a[href^='javascript:'], object, embed"
)
# What no file that was taken away has in it, whoever opens it.
MADE = """() => {
  const made = "script, iframe, object, embed, link, base, form, input, img, svg, video, audio, template, math, dialog";
  const named = [...document.querySelectorAll("body *")].flatMap((element) => element.getAttributeNames());
  const loud = named.filter((name) => /^(on|src|action|formaction|style|ping)/.test(name));
  return [...document.querySelectorAll(made)].map((element) => element.localName).concat(loud);
}"""


@pytest.fixture
def hostile(campus: Conversation, things: dict[str, object], sara: User, ines: User) -> dict[str, object]:
    """The things of the pages with hostile words in all that people and models write."""
    Conversation.objects.update(title=EVIL[0])
    User.objects.filter(pk=sara.pk).update(name=EVIL[2])
    last = campus.messages.latest("id")
    for text in EVIL:
        for author in ("person", "model"):
            last = Message.objects.create(conversation=campus, parent=last, author=author, text=text, model="big")
    shared = share_conversation(user_id=sara.pk, conversation_id=campus.pk)
    return things | {"shared_id": shared.pk}


def test_hostile_words_are_words_on_every_page_that_shows_them(
    site: str, browser: Browser, hostile: dict[str, object], people: list[User]
) -> None:
    _nobody, sara, ines, root = people
    chat = hostile["conversation_id"]
    visits = [
        (sara, ["/chat/search/?q=steps", f"/chat/{chat}/", "/chat/shared/", f"/answers/{hostile['answer_id']}/"]),
        (sara, [f"/chat/answers/{hostile['answer_id']}/cite/", "/usage/who-looked/", "/usage/requests/"]),
        (
            ines,
            [
                f"/shared/{hostile['shared_id']}/",
                "/review/COMP1117/",
                "/review/COMP1117/chats/",
                f"/review/COMP1117/chats/{chat}/",
            ],
        ),
        (ines, ["/review/requests/", "/review/COMP1117/permissions/", "/review/COMP1117/exams/"]),
        (root, ["/manage/people/", "/manage/audit/", "/manage/requests/"]),
    ]
    asked: list[str] = []
    for person, paths in visits:
        context = browser.new_context(base_url=site, bypass_csp=True)
        context.add_init_script(TRAP)
        sign_in(context, person, site)
        context.on("request", lambda sent: asked.append(sent.url))
        page = context.new_page()
        for path in paths:
            response = page.goto(path)
            assert response
            assert response.status == 200, path
            expect(page.locator(ROOM)).to_have_count(0)
            assert page.evaluate("window.ran") == [], path
        context.close()
    assert [url for url in asked if "evil.example" in url] == []


@pytest.fixture
def long_talk(campus: Conversation, sara: User) -> dict[str, str]:
    """A chat that holds every payload, as question, answer and thought, with the addresses where it is read."""
    last = campus.messages.latest("id")
    said = []
    for text in (*payloads(), "\n\n".join(payloads())):
        for author in (Author.PERSON, Author.MODEL):
            last = Message(conversation=campus, parent=last, author=author, text=text, thought=text, model="big")
            said.append(last)
    Message.objects.bulk_create(said)
    Conversation.objects.update(title=EVIL[0])
    User.objects.filter(pk=sara.pk).update(name=EVIL[2])
    open_answer_link(user_id=sara.pk, answer_id=last.pk)
    shared = share_conversation(user_id=sara.pk, conversation_id=campus.pk)
    return {"chat": f"/chat/{campus.pk}/", "shared": f"/shared/{shared.pk}/", "answer": f"/answers/{last.pk}/"}


def test_what_is_taken_away_shared_or_printed_runs_and_fetches_nothing(
    site: str, browser: Browser, long_talk: dict[str, str], sara: User
) -> None:
    """A file has no policy at all to protect its reader: what it holds must be words before it leaves."""
    context = browser.new_context(base_url=site, bypass_csp=True)
    context.add_init_script(TRAP)
    sign_in(context, sara, site)
    asked: list[str] = []
    context.on("request", lambda sent: asked.append(sent.url))
    page = context.new_page()
    for form, kind in (("doc", "text/html"), ("md", "text/plain"), ("json", "application/json")):
        taken = context.request.get(f"{long_talk['chat']}export/{form}/")
        assert taken.headers["content-disposition"].startswith("attachment")
        assert "evil.example" in taken.text()
        context.route(
            f"**/taken.{form}",
            lambda route, kind=kind, taken=taken: route.fulfill(
                content_type=f"{kind}; charset=utf-8", body=taken.body()
            ),
        )
        page.goto(f"/taken.{form}")
        assert form != "doc" or page.evaluate(MADE) == []  # of the others the browser itself makes a page
        assert page.evaluate("window.ran") == [], form
    page.emulate_media(media="print")
    for name, path in long_talk.items():
        page.goto(path)
        expect(page.locator("article .prose.plain[data-markdown]")).to_have_count(0)
        page.pdf()
        assert page.evaluate(SUSPECTS) == [], name
        assert page.evaluate("window.ran") == [], name
    context.close()
    assert [url for url in asked if not url.startswith((f"{site}/", "data:", "blob:"))] == []

"""Files given with a question: what is taken, what is refused in words, what a model reads, and who may see them."""

import base64
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.test import Client
from PIL import Image
from pypdf import PdfWriter

from accounts.models import User
from accounts.types import Principal
from chat import selectors, services
from chat.models import Attachment, Conversation, Message
from chat.reading import LONGEST_SIDE, clean_name, read_file
from chat.services.attachments import PATIENCE
from chat.types import Asked, Author, FileKind, Progress
from core import clock
from core.errors import InvalidRequest, NotFound, Refusal
from gateway.models import Model, Provider
from gateway.types import Capability, ProviderKind
from quotas.selectors import find_differences
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer, Visitor
from tests.chat.test_images import left
from tests.fakes.upstream import FakeUpstream

CHINESE = "這是我們的實驗報告，在大學裡寫的：水在一百度的時候會沸騰。"


@pytest.fixture
def seeing(add_model: AddModel) -> Model:
    """A model that looks at pictures."""
    model = add_model("good")
    Model.objects.filter(pk=model.pk).update(capabilities=[Capability.VISION])
    return model


@pytest.fixture
def blind(add_model: AddModel) -> Model:
    """A model that is known not to."""
    model = add_model("slow")
    Model.objects.filter(pk=model.pk).update(capabilities=[Capability.TOOLS])
    return model


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **saved: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "teal" if mode != "1" else 1).save(file, kind, **saved)
    return file.getvalue()


def pdf(text: str = "Hello from the paper", *, times: int = 1, pages: int = 1) -> bytes:
    """A PDF of pages that say the same."""
    said = zlib.compress(f"BT /F1 12 Tf ({text}) Tj ET ".encode() * times)
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 3 0 R"
        b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"
    )
    kids = b" ".join(b"%d 0 R" % number for number in range(4, 4 + pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(said), said),
        *[page] * pages,
    ]
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return made + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (len(objects) + 1, table, len(objects) + 1, len(made))
    )


def encrypted_pdf() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(99, 99)
    writer.encrypt("secret")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def packed(name: str = "word/document.xml", content: bytes = b"<w:document/>") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def attach(person: Principal, data: bytes = b"Water boils at 100 degrees.", name: str = "notes.txt") -> Attachment:
    return services.attach(user_id=person.user_id, name=name, data=data)


def ask(person: Principal, *files: Attachment, model: str = "good", text: str = "What is it?", **fields: Any) -> Asked:
    ids = [file.pk for file in files]
    return services.ask(principal=person, text=text, model=model, attachment_ids=ids, **fields)


def finish(asked: Asked) -> None:
    services.finish_answer(answer_id=asked.answer_id, text="An answer.", progress=Progress.COMPLETE)


def content(asked: Asked, place: int = -1) -> Any:
    return asked.admission.call.body["messages"][place]["content"]


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_file(data)
    assert caught.value.param == "file"
    return str(caught.value)


# ---- what is taken ---------------------------------------------------------------------------------------------------


def test_a_text_is_kept_as_text(student: Principal) -> None:
    kept = attach(student)

    assert (kept.kind, kept.name, kept.text) == (FileKind.TEXT, "notes.txt", "Water boils at 100 degrees.")
    assert (kept.size, kept.characters, kept.is_cut) == (27, 27, False)


def test_of_a_pdf_its_text_is_kept() -> None:
    found = read_file(pdf(pages=2))

    assert (found.kind, found.pages, found.is_cut) == (FileKind.PDF, 2, False)
    assert found.text == "Hello from the paper\n\nHello from the paper"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_drawn_anew(kind: str) -> None:
    found = read_file(picture(kind))

    assert (found.kind, found.width, found.height) == (FileKind.PICTURE, 40, 30)
    assert found.picture.startswith(b"\xff\xd8\xff")


def test_nothing_but_the_pixels_of_a_picture_is_kept() -> None:
    where = Image.Exif()
    where[0x0112] = 6  # the camera was held on its side
    where[0x010E] = "taken at home"
    found = read_file(
        picture("JPEG", exif=where, comment=b"<script>here</script>") + b"PK\x03\x04 and an archive behind it"
    )

    assert (found.width, found.height) == (30, 40)
    assert not Image.open(io.BytesIO(found.picture)).getexif()
    for hidden in (b"home", b"script", b"PK\x03\x04"):
        assert hidden not in found.picture


def test_a_large_picture_is_made_as_small_as_models_look_at_it() -> None:
    found = read_file(picture("JPEG", (6000, 3000)))

    assert (found.width, found.height) == (LONGEST_SIDE, LONGEST_SIDE // 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "big5", "gb18030"])
def test_chinese_is_read_in_the_encodings_people_have(encoding: str) -> None:
    assert read_file(CHINESE.encode(encoding)).text == CHINESE


def test_the_content_decides_what_a_file_is_and_not_its_name(student: Principal) -> None:
    assert attach(student, picture(), "essay.txt").kind == FileKind.PICTURE
    assert attach(student, b"plain words", "photo.png").kind == FileKind.TEXT
    with pytest.raises(InvalidRequest):
        attach(student, packed(), "photo.png")


def test_more_text_than_is_read_is_cut_and_says_so(settings: LazySettings) -> None:
    settings.ATTACHMENT_CHARACTERS, settings.ATTACHMENT_PAGES = 1000, 3

    long = read_file(b"word " * 1_000_000)
    assert (len(long.text), long.is_cut) == (1000, True)
    many = read_file(pdf(pages=5))
    assert (many.text.count("paper"), many.pages, many.is_cut) == (3, 5, True)


# ---- what is refused, in words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\t ", "no text"),
        (bytes(range(256)), "neither text"),
        (b"MZ\x90\x00\x03\x00\x00\x00", "neither text"),
        (b"caf\xe9 na\xefve", "UTF-8"),
        (packed(), "as PDF or as text"),
        (packed("bomb", b"\0" * 5_000_000), "as PDF or as text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "as PDF or as text"),
        (b"\x00\x00\x00\x18ftypheic", "PNG or JPEG"),
        (b'<?xml version="1.0"?>\n<!-- a --><svg xmlns="http://www.w3.org/2000/svg"><script>x</script></svg>', "SVG"),
        (b"<SVG onload=alert(1)>", "SVG"),
        (b"\x89PNG\r\n\x1a\n and then nothing", "damaged"),
        (picture()[:-40], "damaged"),
        (b"GIF89a/*<script>*/=1", "damaged"),
        (b"%PDF-1.7\nnothing", "damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(data: bytes, words: str) -> None:
    assert words in refusal(data)


def test_a_pdf_with_a_password_or_without_text_is_refused() -> None:
    assert "password" in refusal(encrypted_pdf())
    assert "only pictures of it" in refusal(pdf(""))


def test_a_picture_that_unpacks_to_a_gigabyte_is_refused() -> None:
    bomb = picture("PNG", (30_000, 30_000), "1")

    assert len(bomb) < 200_000
    assert "too large" in refusal(bomb)


def test_a_pdf_that_unpacks_to_hundreds_of_megabytes_is_refused() -> None:
    bomb = pdf("a", times=20_000_000)

    assert len(bomb) < 2_000_000
    assert "too long" in refusal(bomb)


def test_a_file_above_the_limit_is_refused(settings: LazySettings) -> None:
    settings.ATTACHMENT_BYTES = 2048

    assert "2.0" in refusal(b"a" * 2049)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\sara\\essay.txt", "essay.txt"),
        ("essay\r\nSet-Cookie: a=b.txt", "essay Set-Cookie a=b.txt"),
        ("cod\u202etxt.exe", "codtxt.exe"),
        ('a"b<script>.txt', "abscript.txt"),
        ("\0nul.txt", "nul.txt"),
        ("...", "text"),
        ("", "text"),
        ("報告.txt", "報告.txt"),
        ("a" * 300 + ".txt", "a" * 90 + "….txt"),
    ],
)
def test_a_hostile_name_becomes_a_name(name: str, shown: str) -> None:
    assert clean_name(name, FileKind.TEXT) == shown


def test_what_is_refused_leaves_nothing(student: Principal) -> None:
    with pytest.raises(InvalidRequest):
        attach(student, packed())

    assert not Attachment.objects.exists()


def test_nobody_piles_up_files_that_are_never_sent(student: Principal) -> None:
    for _ in range(services.MOST_WAITING):
        attach(student)

    with pytest.raises(InvalidRequest):
        attach(student)


def test_files_can_be_switched_off(settings: LazySettings, student: Principal, seeing: Model) -> None:
    kept = attach(student)
    settings.ATTACHMENTS = 0

    with pytest.raises(Refusal):
        attach(student)
    with pytest.raises(Refusal):
        ask(student, kept)


# ---- what a model reads ----------------------------------------------------------------------------------------------


def test_a_text_stands_between_marks_before_the_question(student: Principal, seeing: Model) -> None:
    kept = attach(student, name='a"b.txt')
    mark = kept.pk.hex[-12:]

    asked = ask(student, kept)

    said = content(asked)
    assert f'<<<file "ab.txt", {mark}>>>\nWater boils at 100 degrees.\n<<<end of file, {mark}>>>' in said
    assert said.endswith("\n\nWhat is it?")
    assert selectors.get_question(Message.objects.get(pk=asked.answer_id)).text == "What is it?"


def test_a_picture_goes_to_a_model_that_looks_at_pictures(student: Principal, seeing: Model) -> None:
    asked = ask(student, attach(student, picture()))

    words, shown = content(asked)
    assert words == {"type": "text", "text": "What is it?"}
    assert shown["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert asked.admission.prompts == 1


def test_a_model_that_looks_at_no_pictures_is_not_asked_and_nothing_is_charged(
    student: Principal, blind: Model
) -> None:
    kept = attach(student, picture())
    with pytest.raises(InvalidRequest, match="does not look at pictures"):
        ask(student, kept, model="slow")

    assert left(student) == 20
    assert [file.pk for file in selectors.list_waiting(student.user_id, [kept.pk])] == [kept.pk]


def test_a_model_that_looks_at_no_pictures_reads_the_names_of_earlier_ones(
    student: Principal, seeing: Model, blind: Model
) -> None:
    first = ask(student, attach(student, picture(), "reef.png"))
    finish(first)

    second = ask(student, model="slow", text="And now?", conversation_id=first.conversation_id)

    assert content(second, 0) == "[A picture was attached that you cannot see: reef.png]\n\nWhat is it?"


def test_more_than_a_model_reads_is_refused_before_anything_is_held(student: Principal, seeing: Model) -> None:
    Provider.objects.update(kind=ProviderKind.LOCAL)
    kept = attach(student, b"word " * 3000)

    with pytest.raises(InvalidRequest, match="reads 8000 at once"):
        ask(student, kept)
    assert not find_differences()


def test_the_next_question_takes_the_files_before_it_along(student: Principal, seeing: Model) -> None:
    first = ask(student, attach(student, b"word " * 15_000))
    finish(first)

    second = ask(student, text="And then?", conversation_id=first.conversation_id)

    assert "word word" in content(second, 0)
    assert content(second) == "And then?"


def test_another_wording_and_another_answer_keep_the_files(student: Principal, seeing: Model) -> None:
    first = ask(student, attach(student), attach(student, picture()))
    finish(first)

    again = services.ask_again(principal=student, answer_id=first.answer_id)
    assert content(again) == content(first)
    finish(again)

    edited = ask(student, text="In other words?", conversation_id=first.conversation_id, instead_of=first.question_id)
    assert content(edited)[1:] == content(first)[1:]
    question = selectors.get_question(Message.objects.get(pk=edited.answer_id))
    assert question.attachments.count() == 2


def test_a_file_is_sent_once(student: Principal, seeing: Model) -> None:
    kept = attach(student)
    ask(student, kept)

    with pytest.raises(InvalidRequest, match="not there any more"):
        ask(student, kept)
    assert Conversation.objects.count() == 1


def test_more_files_than_go_with_a_question_are_refused(
    settings: LazySettings, student: Principal, seeing: Model
) -> None:
    settings.ATTACHMENTS = 2

    with pytest.raises(InvalidRequest, match="At most 2"):
        ask(student, attach(student), attach(student), attach(student))


# ---- whose they are --------------------------------------------------------------------------------------------------


def test_nobody_else_can_send_fetch_or_remove_a_file(
    student: Principal, other_student: Principal, seeing: Model
) -> None:
    kept = attach(student)

    with pytest.raises(InvalidRequest):
        ask(other_student, kept)
    with pytest.raises(NotFound):
        selectors.access_attachment(user_id=other_student.user_id, attachment_id=kept.pk)
    services.remove_attachment(user_id=other_student.user_id, attachment_id=kept.pk)
    assert Attachment.objects.filter(pk=kept.pk, conversation=None).exists()


def test_a_file_is_served_to_its_owner_alone_and_can_do_nothing(
    client: Client, sara: User, omar: User, student: Principal
) -> None:
    text = attach(student, b"<html><script>alert(1)</script>", "page.html")
    shown = attach(student, picture(), "reef.png")
    client.force_login(omar)
    assert client.get(f"/chat/attachments/{text.pk}/").status_code == 404

    client.force_login(sara)
    for kept, kind, way in ((text, "text/plain; charset=utf-8", "attachment"), (shown, "image/jpeg", "inline")):
        response = client.get(f"/chat/attachments/{kept.pk}/")
        assert response["Content-Type"] == kind
        assert response["Content-Disposition"].startswith(way)
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert "private" in response["Cache-Control"]


def test_a_deleted_conversation_hides_its_files(student: Principal, seeing: Model) -> None:
    kept = attach(student)
    asked = ask(student, kept)
    services.delete_conversation(user_id=student.user_id, conversation_id=asked.conversation_id)

    with pytest.raises(NotFound):
        selectors.access_attachment(user_id=student.user_id, attachment_id=kept.pk)


# ---- how long they stay ----------------------------------------------------------------------------------------------


def test_a_file_that_is_taken_back_is_gone_and_a_sent_one_stays(
    student: Principal, seeing: Model, django_capture_on_commit_callbacks: Any
) -> None:
    waiting, sent = attach(student, picture()), attach(student, picture())
    ask(student, sent)

    with django_capture_on_commit_callbacks(execute=True):
        for kept in (waiting, sent):
            services.remove_attachment(user_id=student.user_id, attachment_id=kept.pk)

    assert list(Attachment.objects.all()) == [sent]
    assert not default_storage.exists(str(waiting.file))
    assert default_storage.exists(str(sent.file))


def test_a_file_that_nobody_sends_goes_after_a_day(student: Principal, seeing: Model) -> None:
    forgotten, sent, fresh = attach(student), attach(student), attach(student)
    ask(student, sent)
    Attachment.objects.exclude(pk=fresh.pk).update(created_at=clock.now() - PATIENCE - timedelta(minutes=1))

    assert services.remove_forgotten_attachments() == 1
    assert not Attachment.objects.filter(pk=forgotten.pk).exists()


def test_retention_takes_the_files_with_the_conversation(
    student: Principal, seeing: Model, django_capture_on_commit_callbacks: Any
) -> None:
    kept = attach(student, picture())
    asked = ask(student, kept)
    Conversation.objects.filter(pk=asked.conversation_id).update(updated_at=clock.now() - timedelta(days=400))

    with django_capture_on_commit_callbacks(execute=True):
        services.purge_texts()

    assert not Attachment.objects.exists()
    assert not default_storage.exists(str(kept.file))


def test_an_export_holds_what_was_attached(client: Client, sara: User, student: Principal, seeing: Model) -> None:
    asked = ask(student, attach(student), attach(student, picture(), "reef.png"))
    client.force_login(sara)

    told = client.get(f"/chat/{asked.conversation_id}/export/json/").json()
    text, shown = told["messages"][0]["attachments"]
    assert (text["name"], text["content"]) == ("notes.txt", "Water boils at 100 degrees.")
    assert len(text["sha256"]) == 64
    assert shown["content"].startswith("data:image/jpeg;base64,")
    assert "reef.png" in client.get(f"/chat/{asked.conversation_id}/export/md/").content.decode()


# ---- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
def visitor(web: RunningServer, sara: User, student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, sara)) as visitor:
        yield visitor


def test_a_picture_arrives_at_the_provider(visitor: Visitor, seeing: Model, upstream: FakeUpstream) -> None:
    sent = visitor.http.post("/chat/attachments/", files={"file": ("reef.png", picture(), "text/html")})
    assert sent.status_code == 201, sent.text
    asked = visitor.ask("What is it?", model="good", attachments=sent.json()["id"])
    assert asked.status_code == 201, asked.text
    events = list(visitor.events(asked.json()["follow"]))

    assert events[-1].data["progress"] == Progress.COMPLETE
    shown = upstream.calls()[-1].body["messages"][-1]["content"][1]
    data = base64.b64decode(shown["image_url"]["url"].partition(",")[2])
    assert Image.open(io.BytesIO(data)).size == (40, 30)
    assert "reef.png" in asked.json()["html"]


def test_a_refusal_is_a_sentence(visitor: Visitor) -> None:
    refused = visitor.http.post("/chat/attachments/", files={"file": ("a.docx", packed(), "image/png")})

    assert refused.status_code == 400
    assert "as PDF or as text" in json.loads(refused.text)["error"]["message"]
    assert visitor.http.post("/chat/attachments/", data={}).status_code == 400


def test_files_that_wait_are_found_again_by_a_page_that_was_reloaded(
    client: Client, sara: User, student: Principal, other_student: Principal
) -> None:
    mine, other = attach(student), attach(other_student)
    client.force_login(sara)

    told = client.get("/chat/attachments/waiting/", {"ids": f"{mine.pk} {other.pk}"}).content.decode()

    assert str(mine.pk) in told
    assert str(other.pk) not in told
    assert client.get("/chat/attachments/waiting/", {"ids": "nonsense"}).status_code == 400


def test_without_a_script_files_go_with_the_form(visitor: Visitor, seeing: Model) -> None:
    asked = visitor.http.post(
        "/chat/ask/",
        data={"text": "What is it?", "model": "good"},
        files={"files": ("notes.txt", b"Water boils.", "text/plain")},
        headers={"Accept": "text/html"},
    )

    assert asked.status_code == 302, asked.text
    assert Message.objects.get(author=Author.PERSON).attachments.get().text == "Water boils."

"""What everybody is told above every page; maintenance lets only administrators in, through every door."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils.formats import date_format
from django.utils.timezone import localtime

from accounts.authentication import principal_of
from accounts.models import User
from accounts.services import create_api_key
from audit.models import Entry
from core import clock
from core.ids import new_id
from core.types import Operation
from gateway.admission import admit
from gateway.services import LOCAL_MODEL_NAME, sync_catalog
from gateway.types import Call
from policies import selectors, services
from policies.errors import Closed
from policies.models import Notice
from policies.selectors import remember_notices

NOTICES = "/manage/notices/"
pytestmark = pytest.mark.both_databases


@pytest.fixture
def desk(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def form(**changes: object) -> dict[str, object]:
    return {
        "level": "info",
        "text_en": "Exams begin & quotas change.",
        "text_zh_hant": "考試開始。",
        "text_zh_hans": "考试开始。",
        "starts_at": "2026-01-01T08:00",
        "is_dismissable": "on",
    } | changes


def tell(**columns: object) -> Notice:
    texts = {"text_en": "Back at ten.", "text_zh_hant": "十時恢復。", "text_zh_hans": "十时恢复。"}
    notice = services.create_notice(columns={**texts, **columns})
    remember_notices(None)  # a test's transaction is never committed
    return notice


def close() -> Notice:
    return tell(level="maintenance", ends_at=clock.now() + timedelta(minutes=10))


def test_a_notice_is_written_shown_put_away_and_ended(desk: Client, sara: User, client: Client) -> None:
    assert desk.post(f"{NOTICES}new/", form()).status_code == 302
    remember_notices(None)
    made = Notice.objects.get()
    assert "Exams begin &amp; quotas change." in client.get("/accounts/login/").content.decode()
    assert "考試開始" in client.get("/accounts/login/", headers={"accept-language": "zh-HK"}).content.decode()

    client.force_login(sara)
    answer = client.post(f"/notices/{made.pk}/dismiss/", {"next": "/usage/"})
    assert answer["location"] == "/usage/"
    assert "Exams begin" not in client.get("/usage/").content.decode()

    assert desk.post(f"{NOTICES}{made.pk}/", form(text_en="Exams are over.")).status_code == 302
    desk.post(f"{NOTICES}{made.pk}/end/")
    remember_notices(None)
    assert "Exams" not in client.get("/accounts/login/").content.decode()
    acts = Entry.objects.order_by("number").values_list("action", flat=True)
    assert list(acts) == ["notice.create", "notice.change", "notice.end"]
    assert desk.post(f"{NOTICES}{made.pk}/end/").status_code == 404


def test_what_must_be_seen_cannot_be_put_away(db: None, client: Client) -> None:
    made = tell(is_dismissable=False)
    client.post(f"/notices/{made.pk}/dismiss/")

    assert "Back at ten." in client.get("/accounts/login/").content.decode()


def test_a_notice_is_shown_from_then_until_then(db: None, client: Client) -> None:
    tell(starts_at=clock.now() + timedelta(hours=1))
    assert "Back at ten." not in client.get("/accounts/login/").content.decode()
    assert [len(selectors.list_notices(state)) for state in ("", "running", "coming", "over")] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("level", "loud"),
        ("text_en", ""),
        ("text_zh_hant", " "),
        ("text_zh_hans", "x" * 401),
        ("starts_at", "soon"),
        ("ends_at", "2025-01-01T08:00"),
        ("ends_at", "later"),
    ],
)
def test_each_field_refuses_what_it_cannot_keep(desk: Client, field: str, value: str) -> None:
    response = desk.post(f"{NOTICES}new/", form(**{field: value}))

    assert response.status_code == 400
    assert field in response.context["form"].errors
    assert not Notice.objects.exists()


def test_maintenance_keeps_people_out_and_says_until_when(client: Client, sara: User) -> None:
    client.force_login(sara)
    made = close()

    page = client.get("/usage/", headers={"accept": "text/html"})
    assert (page.status_code, 590 < int(page["retry-after"]) <= 600) == (503, True)
    assert page.content.decode().count("Back at ten.") == 1
    assert f"Until {date_format(localtime(made.ends_at), 'MOMENT_FORMAT')}." in page.content.decode()
    answer = client.get("/api/me/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "maintenance")


def test_administrators_sign_in_work_and_open_the_doors_again(
    desk: Client, client: Client, sara: User, spared_turn: None
) -> None:
    made = close()
    assert client.get("/accounts/login/").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert desk.get("/manage/people/").status_code == 200

    assert desk.post(f"{NOTICES}{made.pk}/end/").status_code == 302
    remember_notices(None)
    client.force_login(sara)
    assert client.get("/usage/").status_code == 200


def test_keys_are_judged_by_their_person(client: Client, sara: User, root: User) -> None:
    close()
    statuses = []
    for person in (sara, root):
        _key, secret = create_api_key(user_id=person.pk, name="laptop")
        statuses.append(client.get("/api/me/", headers={"authorization": f"Bearer {secret}"}).status_code)

    assert statuses == [503, 200]


def test_nothing_is_admitted_but_for_administrators(sara: User, root: User) -> None:
    sync_catalog()
    close()
    call = Call(id=new_id(), operation=Operation.CHAT, model=LOCAL_MODEL_NAME, body={"messages": []})

    with pytest.raises(Closed) as closed:
        admit(principal_of(sara), call)

    assert closed.value.headers.keys() == {"retry-after"}
    assert str(closed.value.message) == "Back at ten."
    assert admit(principal_of(root), call)


def test_notices_are_for_administrators(client: Client, ines: User) -> None:
    made = tell()
    client.force_login(ines)

    assert client.get(NOTICES).status_code == 403
    assert client.post(f"{NOTICES}{made.pk}/end/").status_code == 403
    assert client.post(f"{NOTICES}{made.pk}/", form(level="maintenance")).status_code == 403

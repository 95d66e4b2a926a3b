"""Administrators manage models and providers; every change is in the log, through whichever door it came."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils.html import escape

from accounts.models import User
from audit.models import Entry
from gateway import telemetry
from gateway.errors import UpstreamError
from gateway.models import Model, Provider, Upstream
from gateway.routing import Circuit
from gateway.selectors import access_of, end_of_credential
from gateway.services import create_model, create_provider, examine_upstream, list_offered_models
from gateway.types import ProviderKind, Target
from gateway.upstreams import get_adapter
from tests.fakes.dialects import AZURE_SECRET, AZURE_VERSION
from tests.fakes.upstream import FakeUpstream

MODELS, PROVIDERS = "/manage/models/", "/manage/providers/"
SECRET = "sk-a-secret-of-some-length-9Xyz"


@pytest.fixture
def desk(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def east(db: None) -> Upstream:
    provider = create_provider(
        columns={"name": "Two", "slug": "two", "kind": "compatible"},
        address={"name": "east", "base_url": "https://east.example/v1"},
        secret=SECRET,
    )
    return provider.upstreams.get()


@pytest.fixture
def sage(east: Upstream) -> Model:
    return create_model(
        columns={"name": "sage-1", "label": "Sage"}, routes=[{"upstream": east, "upstream_name": "sage-1-eu"}]
    )


def entry_form(**changes: object) -> dict[str, object]:
    return {
        "name": "sage-2",
        "label": "Sage 2",
        "operation": "chat",
        "data_class": "public",
        "prompt_weight": "2",
        "position": "3",
        "is_enabled": "on",
        "audience": ["student", "instructor"],
        "input_price": "1.25",
        "retires_on": "2030-07-01",
        "image_weights": "1024x1536 high = 4\nlow = 1",
    } | changes


def routes_form(*lines: dict[str, object], initial: int = 0) -> dict[str, object]:
    sent: dict[str, object] = {"routes-TOTAL_FORMS": str(len(lines)), "routes-INITIAL_FORMS": str(initial)}
    usual = {"position": "0", "weight": "1", "is_enabled": "on"}
    return sent | {
        f"routes-{n}-{name}": value for n, line in enumerate(lines) for name, value in (usual | line).items()
    }


def place(upstream_row: Upstream, name: str = "theirs", **changes: object) -> dict[str, object]:
    return {"upstream": str(upstream_row.pk), "upstream_name": name} | changes


def address_of(upstream: Upstream, act: str = "") -> str:
    return f"{PROVIDERS}addresses/{upstream.pk}/{act}"


def address_form(**changes: object) -> dict[str, object]:
    return {"name": "east", "base_url": "https://east.example/v1", "is_enabled": "on"} | changes


def last_act() -> Entry:
    entry: Entry = Entry.objects.order_by("number").reverse()[:1].get()
    return entry


# ---- models ----------------------------------------------------------------------------------------------------------


def test_a_model_is_added_with_its_routes_and_the_log_knows(desk: Client, east: Upstream) -> None:
    response = desk.post(f"{MODELS}new/", entry_form() | routes_form(place(east, weight="5"), {}))

    model = Model.objects.get(name="sage-2")
    assert response["location"] == f"{MODELS}{model.pk}/"
    assert (model.prompt_weight, model.input_price, model.output_price) == (2, 1_250_000, None)
    assert model.image_weights == {"1024x1536 high": 4, "low": 1}
    assert model.audience == ["student", "instructor"]
    assert [(route.upstream_name, route.weight) for route in model.routes.all()] == [("theirs", 5)]
    assert (last_act().action, last_act().actor, last_act().changes["prompt_weight"]) == (
        "model.create",
        "root@example.edu",
        [None, 2],
    )


def test_what_is_saved_is_what_the_form_shows_again(desk: Client, east: Upstream) -> None:
    desk.post(f"{MODELS}new/", entry_form() | routes_form(place(east)))

    page = desk.get(f"{MODELS}{Model.objects.get(name='sage-2').pk}/").content.decode()

    for shown in ('value="1.25"', "1024x1536 high = 4", 'value="2030-07-01"', 'value="theirs"'):
        assert shown in page


def test_a_change_says_in_the_log_what_was_and_what_is(desk: Client, sage: Model, east: Upstream) -> None:
    sent = entry_form(name="sage-1", label="Sage", prompt_weight="3") | routes_form(
        place(east, "sage-1-eu", DELETE="on"), place(east, "sage-1-us"), initial=1
    )
    assert desk.post(f"{MODELS}{sage.pk}/", sent).status_code == 302

    changes = last_act().changes
    assert changes["prompt_weight"] == [1, 3]
    assert "sage-1-eu" in changes["routes"][0]
    assert "sage-1-us" in changes["routes"][1]
    assert "label" not in changes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "sage-1"),
        ("label", "x" * 81),
        ("operation", "cook"),
        ("audience", "king"),
        ("prompt_weight", "0"),
        ("prompt_weight", "17"),
        ("input_price", "-1"),
        ("output_price", "a lot"),
        ("image_price", "9" * 30),
        ("image_weights", "high"),
        ("image_weights", "high = 99"),
        ("image_weights", "high = ४"),
        ("fallback", "777"),
        ("retires_on", "tomorrow"),
        ("position", "-1"),
        ("context_tokens", "-1"),
        ("context_tokens", "٣"),
        ("position", "३"),
    ],
)
def test_each_field_refuses_what_it_cannot_keep(desk: Client, sage: Model, field: str, value: str) -> None:
    response = desk.post(f"{MODELS}new/", entry_form(**{field: value}) | routes_form({}))

    assert response.status_code == 400
    assert field in response.context["form"].errors
    assert Model.objects.count() == 1


@pytest.mark.parametrize(
    "line",
    [
        {"weight": "0"},
        {"weight": "101"},
        {"upstream": "777"},
        {"upstream_name": ""},
        {"position": "x"},
        {"weight": "٣"},
    ],
)
def test_a_route_that_leads_nowhere_is_refused(desk: Client, east: Upstream, line: dict[str, object]) -> None:
    response = desk.post(f"{MODELS}new/", entry_form() | routes_form(place(east) | line))

    assert response.status_code == 400
    assert set(response.context["routes"].errors[0]) == set(line)
    assert not Model.objects.exists()


def test_two_routes_to_one_place_are_refused_in_words(desk: Client, east: Upstream) -> None:
    response = desk.post(f"{MODELS}new/", entry_form() | routes_form(place(east), place(east)))

    assert response.status_code == 400
    assert "Two routes lead to the same place" in response.content.decode()
    assert not Model.objects.exists()


def test_a_stand_in_does_the_same_and_is_another(desk: Client, sage: Model, east: Upstream) -> None:
    painter = create_model(columns={"name": "painter", "label": "Painter", "operation": "image"})
    for stand_in in (sage, painter):
        sent = entry_form(name="sage-1", fallback=str(stand_in.pk)) | routes_form(place(east))
        response = desk.post(f"{MODELS}{sage.pk}/", sent)
        assert "fallback" in response.context["form"].errors


def test_the_list_narrows_as_its_address_says(desk: Client, sage: Model) -> None:
    create_model(columns={"name": "old-1", "label": "Old", "retires_on": "2020-01-01", "is_enabled": False})

    def names(**query: str) -> list[str]:
        return [model.name for model in desk.get(MODELS, query).context["list"]["window"].rows]

    assert names(sort="-name") == ["sage-1", "old-1"]
    assert names(search="SAG") == names(provider="two") == names(state="on") == ["sage-1"]
    assert names(state="retired") == names(state="off") == ["old-1"]
    assert names(operation="image") == []
    assert desk.get(MODELS, {"provider": "nobody"}).status_code == 400


# ---- providers, their addresses, their credentials -------------------------------------------------------------------


def test_a_provider_comes_with_an_address_and_its_credential_is_never_shown(desk: Client) -> None:
    sent = {"name": "Three", "slug": "three", "kind": "compatible", "is_enabled": "on"}
    place = {"name": "main", "base_url": "https://three.example/v1", "credential": SECRET, "is_enabled": "on"}
    response = desk.post(f"{PROVIDERS}new/", sent | {f"address-{name}": value for name, value in place.items()})

    provider = Provider.objects.get(slug="three")
    upstream = provider.upstreams.get()
    assert response["location"] == f"{PROVIDERS}{provider.pk}/"
    assert access_of(upstream) == ("https://three.example/v1", SECRET)
    for path in (response["location"], address_of(upstream)):
        assert SECRET not in desk.get(path).content.decode()
    assert "It ends in <code>9Xyz</code>" in desk.get(address_of(upstream)).content.decode()
    acts = Entry.objects.order_by("number").values_list("action", flat=True)
    assert list(acts) == ["provider.create", "upstream.create", "upstream.set_credential"]
    assert SECRET not in str([entry.content() for entry in Entry.objects.all()])


def test_an_empty_credential_keeps_the_stored_one_and_another_replaces_it(desk: Client, east: Upstream) -> None:
    assert desk.post(address_of(east), address_form(most_parallel="3")).status_code == 302
    east.refresh_from_db()
    assert (east.most_parallel, access_of(east)[1]) == (3, SECRET)

    desk.post(address_of(east), address_form(credential="sk-another-of-some-length-7Abc"))
    east.refresh_from_db()
    assert end_of_credential(east) == "7Abc"

    desk.post(address_of(east, "forget/"))
    east.refresh_from_db()
    assert (access_of(east)[1], east.credential_set_at) == ("", None)


@pytest.mark.parametrize(
    "elsewhere", ["https://mine.example/v1", "http://east.example/v1", "https://east.example:8443"]
)
def test_a_credential_does_not_follow_to_another_machine(desk: Client, east: Upstream, elsewhere: str) -> None:
    response = desk.post(address_of(east), address_form(base_url=elsewhere))

    assert response.status_code == 400
    assert "credential" in response.context["form"].errors
    assert desk.post(f"/admin/gateway/upstream/{east.pk}/change/", address_form(base_url=elsewhere)).status_code == 200
    east.refresh_from_db()
    assert east.base_url == "https://east.example/v1"
    assert desk.post(address_of(east), address_form(base_url=elsewhere, credential="their own")).status_code == 302


def test_the_end_of_a_short_credential_would_say_too_much(desk: Client, east: Upstream) -> None:
    desk.post(address_of(east), address_form(credential="short-one"))

    east.refresh_from_db()
    assert end_of_credential(east) == ""


def test_a_credential_that_cannot_be_opened_is_said(desk: Client, east: Upstream, settings: Any) -> None:
    settings.CREDENTIAL_KEY = "another"

    page = desk.get(address_of(east))

    assert page.status_code == 200
    assert "cannot be opened" in page.content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("base_url", "ftp://x"),
        ("base_url", "no address"),
        ("most_parallel", "0"),
        ("most_parallel", "x"),
        ("extra_fields", "top_k api_base"),
        ("extra_fields", "User-ID"),
        ("extra_fields", "n"),
    ],
)
def test_an_address_refuses_what_it_cannot_keep(desk: Client, east: Upstream, field: str, value: str) -> None:
    response = desk.post(address_of(east), address_form(**{field: value}, credential="x"))

    assert field in response.context["form"].errors
    assert response.status_code == 400


@pytest.mark.parametrize(("field", "value"), [("name", ""), ("slug", "a b"), ("slug", ""), ("kind", "oracle")])
def test_a_provider_refuses_what_it_cannot_keep(desk: Client, east: Upstream, field: str, value: str) -> None:
    sent = {"name": "Two", "slug": "two", "kind": "compatible", field: value}
    response = desk.post(f"{PROVIDERS}{east.provider_id}/", sent)

    assert field in response.context["form"].errors
    assert response.status_code == 400


def test_the_name_of_an_address_is_taken_once(desk: Client, east: Upstream) -> None:
    response = desk.post(f"{PROVIDERS}{east.provider_id}/addresses/new/", address_form())

    assert response.status_code == 400
    assert Upstream.objects.count() == 1


# ---- what has no address of its own, and Azure none without a version ------------------------------------------------

EAST = {"name": "east", "base_url": "https://east.example", "api_version": AZURE_VERSION, "is_enabled": "on"}


@pytest.fixture
def azure(db: None) -> Upstream:
    columns = {"name": "Azure", "slug": "azure", "kind": "azure"}
    return create_provider(columns=columns, address=EAST | {"is_enabled": True}, secret=AZURE_SECRET).upstreams.get()


@pytest.mark.parametrize("missing", ["base_url", "api_version"])
def test_azure_needs_both_whichever_door_it_comes_through(desk: Client, azure: Upstream, missing: str) -> None:
    sent = EAST | {missing: "", "credential": "another"}
    provider = {"name": "West", "slug": "west", "kind": "azure"}
    new = desk.post(f"{PROVIDERS}new/", provider | {f"address-{name}": value for name, value in sent.items()})
    one_more = desk.post(f"{PROVIDERS}{azure.provider_id}/addresses/new/", sent | {"name": "north"})
    changed = desk.post(address_of(azure), sent)
    admins = desk.post(f"/admin/gateway/upstream/{azure.pk}/change/", sent | {"provider": azure.provider_id})

    forms = [new.context["address_form"], one_more.context["form"], changed.context["form"]]
    for form in (*forms, admins.context["adminform"].form):
        assert form.errors == {missing: ["This kind of provider needs it."]}
    assert Provider.objects.filter(slug="west").exists() is False
    assert access_of(Upstream.objects.get()) == ("https://east.example", AZURE_SECRET)


def test_a_provider_becomes_azure_when_its_addresses_can(desk: Client, east: Upstream) -> None:
    address = f"{PROVIDERS}{east.provider_id}/"
    wish = {"name": "Two", "slug": "two", "kind": "azure"}
    refused = desk.post(address, wish)
    asked = desk.patch(f"/api/providers/{east.provider_id}/", {"kind": "azure"}, content_type="application/json")
    assert (refused.status_code, list(refused.context["form"].errors)) == (400, ["kind"])
    assert (asked.status_code, list(asked.json()["error"]["fields"])) == (400, ["kind"])

    desk.post(address_of(east), address_form(api_version=AZURE_VERSION))
    assert desk.post(address, wish).status_code == 302


def test_what_is_only_compatible_with_openai_needs_an_address(desk: Client, east: Upstream) -> None:
    form = desk.post(address_of(east), address_form(base_url="", credential="another")).context["form"]

    assert form.errors == {"base_url": ["This kind of provider needs it."]}


@pytest.mark.parametrize("kind", [ProviderKind.AZURE, ProviderKind.COMPATIBLE])
def test_a_key_without_an_address_goes_nowhere(azure: Upstream, kind: ProviderKind) -> None:
    Provider.objects.update(kind=kind)
    Upstream.objects.update(base_url="")  # as rows of earlier versions may be
    upstream = Upstream.objects.get()

    assert access_of(upstream) == ("", AZURE_SECRET)
    with pytest.raises(UpstreamError):
        list_offered_models(upstream)


def test_the_test_of_azure_names_its_version(azure: Upstream, upstream: FakeUpstream) -> None:
    Upstream.objects.update(base_url=f"http://127.0.0.1:{upstream.port}")

    assert examine_upstream(upstream_id=azure.pk).is_well


# ---- how they do -----------------------------------------------------------------------------------------------------


def test_the_test_asks_the_provider_and_says_what_it_lists(
    desk: Client, east: Upstream, upstream: FakeUpstream
) -> None:
    Upstream.objects.filter(pk=east.pk).update(base_url=upstream.base_url)

    page = desk.post(address_of(east, "test/"))

    assert page.context["found"].is_well
    assert f"lists {len(upstream.behaviors)} models" in page.content.decode()
    assert (last_act().action, last_act().changes) == ("upstream.test", {"well": [None, True]})


def test_a_name_the_provider_does_not_list_is_pointed_out(desk: Client, sage: Model, upstream: FakeUpstream) -> None:
    east = Upstream.objects.get()
    Upstream.objects.update(base_url=upstream.base_url)

    page = desk.post(address_of(east, "test/"))

    assert page.context["found"].missing == ("sage-1-eu",)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"error": {"code": "invalid_api_key"}}', "refused the credential (status 401)"),
        (404, b"", "Does it end in /v1?"),
        (429, b"", "asks to be left alone"),
        (503, b"", "an error of its own (status 503)"),
        (302, b"", "sends callers elsewhere"),
        (200, b"<html>hello</html>", "not with a list of models"),
        (200, b'{"data": [1]}', "not with a list of models"),
        (200, b'{"data": [{"id": "x' + b"x" * 5_000_000 + b'"}]}', "not with a list of models"),
    ],
)
def test_the_test_says_what_is_wrong(
    east: Upstream, answering: Callable[[int, bytes], str], status: int, body: bytes, words: str
) -> None:
    Upstream.objects.update(base_url=answering(status, body))

    found = examine_upstream(upstream_id=east.pk)

    assert not found.is_well
    assert words in found.words


def test_nobody_there_is_said_so(desk: Client, east: Upstream) -> None:
    Upstream.objects.update(base_url="http://127.0.0.1:9/v1")

    assert escape("No connection could be made") in desk.post(address_of(east, "test/")).content.decode()


def test_the_words_of_a_provider_never_reach_the_page(east: Upstream, answering: Callable[[int, bytes], str]) -> None:
    Upstream.objects.update(base_url=answering(401, b'{"error": {"message": "key sk-123 is bad", "code": "zzz"}}'))

    assert "sk-123" not in examine_upstream(upstream_id=east.pk).words


def test_the_list_shows_how_providers_do(desk: Client, east: Upstream) -> None:
    with patch.object(telemetry, "read_circuits", return_value={(east.pk, "sage"): Circuit.RESTING}):
        page = desk.get(PROVIDERS).content.decode()
        assert "rests after failures" in desk.get(address_of(east)).content.decode()

    assert "rests after failures" in page
    assert "0 calls" in page


# ---- the other doors -------------------------------------------------------------------------------------------------


def test_a_change_through_the_api_is_in_the_log_too(desk: Client, sage: Model, east: Upstream) -> None:
    changed = desk.patch(f"/api/models/{sage.pk}/", {"prompt_weight": 4}, content_type="application/json")
    assert changed.status_code == 200
    assert (last_act().action, last_act().through, last_act().changes) == (
        "model.change",
        "api",
        {"prompt_weight": [1, 4]},
    )

    desk.patch(f"/api/providers/{east.provider_id}/", {"is_enabled": False}, content_type="application/json")
    assert (last_act().action, last_act().changes) == ("provider.change", {"is_enabled": [True, False]})

    new = {"name": "n", "label": "N", "routes": [{"upstream": east.pk, "upstream_name": "n"}] * 2}
    assert desk.post("/api/models/", new, content_type="application/json").status_code == 400
    new["routes"] = new["routes"][:1]
    assert desk.post("/api/models/", new, content_type="application/json").status_code == 201
    assert last_act().action == "model.create"


def test_a_change_that_changes_nothing_is_no_act(desk: Client, sage: Model) -> None:
    before = Entry.objects.count()
    desk.patch(f"/api/models/{sage.pk}/", {"prompt_weight": 1}, content_type="application/json")

    assert Entry.objects.count() == before


@pytest.mark.parametrize("act", ["", "test/", "forget/"])
def test_addresses_are_for_administrators(client: Client, ines: User, east: Upstream, act: str) -> None:
    client.force_login(ines)

    assert client.post(address_of(east, act), address_form()).status_code == 403
    east.refresh_from_db()
    assert access_of(east)[1] == SECRET


def test_what_is_not_there_is_not_found(desk: Client) -> None:
    for path in (f"{MODELS}777/", f"{PROVIDERS}777/", f"{PROVIDERS}777/addresses/new/", f"{PROVIDERS}addresses/777/"):
        assert desk.get(path).status_code == 404
    assert desk.post(f"{PROVIDERS}addresses/777/test/").status_code == 404
    assert desk.post(f"{PROVIDERS}addresses/777/forget/").status_code == 404


def test_a_listing_that_breaks_off_is_an_error_of_ours(answering: Callable[[int, bytes], str]) -> None:
    """What reads a list of models raises nothing else: the upkeep of a process rests on it."""
    target = Target(
        model="", upstream_model="", provider="x", kind=ProviderKind.COMPATIBLE, base_url=answering(200, b"[[")
    )
    with pytest.raises(UpstreamError):
        get_adapter(ProviderKind.COMPATIBLE).list_model_names(target)

"""A catalog entry: for whom it is, what it weighs, when it ends, and who answers then."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.models import User
from accounts.types import Principal, Role
from core import clock
from core.ids import new_id
from core.types import Operation
from gateway.errors import ModelNotFound
from gateway.models import Model, Provider, Route, Upstream
from gateway.selectors import find_target, list_models_for
from gateway.types import Call, Capability, ProviderKind
from policies.models import AccessRule


@pytest.fixture
def upstreams(db: None) -> list[Upstream]:
    provider = Provider.objects.create(slug="two", name="Two", kind=ProviderKind.COMPATIBLE)
    return [
        Upstream.objects.create(provider=provider, name=name, base_url=f"https://{name}.example/v1")
        for name in ("east", "west")
    ]


@pytest.fixture
def old(upstreams: list[Upstream]) -> Model:
    model = Model.objects.create(name="old", label="Old")
    for position, upstream in enumerate(upstreams):
        Route.objects.create(model=model, upstream=upstream, upstream_name="theirs", position=position)
    return model


@pytest.fixture
def new(upstreams: list[Upstream], old: Model) -> Model:
    model = Model.objects.create(name="new", label="New")
    Route.objects.create(model=model, upstream=upstreams[0], upstream_name="newer")
    Model.objects.filter(pk=old.pk).update(fallback=model)
    return model


def test_a_model_has_all_its_routes_in_order(caller: Principal, old: Model) -> None:
    target = find_target(caller, "old", Operation.CHAT)

    assert [place.base_url for place in (target, *target.spares)] == [
        "https://east.example/v1",
        "https://west.example/v1",
    ]


def test_a_route_that_is_switched_off_is_not_taken(caller: Principal, old: Model, upstreams: list[Upstream]) -> None:
    Upstream.objects.filter(pk=upstreams[0].pk).update(is_enabled=False)
    assert find_target(caller, "old", Operation.CHAT).base_url == "https://west.example/v1"

    Route.objects.update(is_enabled=False)
    with pytest.raises(ModelNotFound):
        find_target(caller, "old", Operation.CHAT)


def test_who_is_not_meant_does_not_see_it(caller: Principal, old: Model) -> None:
    Model.objects.update(audience=[Role.INSTRUCTOR])

    assert list_models_for(caller) == []
    with pytest.raises(ModelNotFound):
        find_target(caller, "old", Operation.CHAT)


def test_the_stand_in_answers_when_no_route_can(caller: Principal, new: Model) -> None:
    target = find_target(caller, "old", Operation.CHAT)

    assert [place.model for place in (target, *target.spares)] == ["old", "old", "new"]


def test_a_retired_model_is_not_listed_and_its_stand_in_answers(caller: Principal, old: Model, new: Model) -> None:
    today = clock.local_day(clock.now())
    Model.objects.filter(pk=old.pk).update(retires_on=today + timedelta(days=1))
    assert [model.name for model in list_models_for(caller)] == ["new", "old"]

    Model.objects.filter(pk=old.pk).update(retires_on=today)
    assert [model.name for model in list_models_for(caller)] == ["new"]
    assert find_target(caller, "old", Operation.CHAT).model == "new"


def test_a_retired_model_without_a_stand_in_is_gone(caller: Principal, old: Model) -> None:
    Model.objects.update(retires_on=clock.local_day(clock.now()))

    with pytest.raises(ModelNotFound):
        find_target(caller, "old", Operation.CHAT)


def test_a_stand_in_opens_no_door_that_a_rule_closed(caller: Principal, old: Model, new: Model) -> None:
    AccessRule.objects.create(model="new")

    assert [place.model for place in find_target(caller, "old", Operation.CHAT).spares] == ["old"]


@pytest.mark.parametrize(
    ("size", "quality", "weight"),
    [("", "", 1), ("1024x1024", "", 2), ("1024x1024", "high", 6), ("512x512", "high", 3), ("512x512", "low", 1)],
)
def test_a_picture_weighs_by_its_size_and_quality(
    caller: Principal, old: Model, size: str, quality: str, weight: int
) -> None:
    Model.objects.update(operation=Operation.IMAGE, image_weights={"1024x1024": 2, "high": 3, "1024x1024 high": 6})
    call = Call(new_id(), Operation.IMAGE, "old", {"size": size, "quality": quality}, count=2)

    assert find_target(caller, "old", Operation.IMAGE).weigh(call) == 2 * weight


@pytest.mark.parametrize(
    "columns",
    [
        {"audience": ["king"]},
        {"audience": "student"},
        {"capabilities": [1]},
        {"image_weights": {"high": 0}},
        {"image_weights": {"high": 17}},
        {"image_weights": {"high": True}},
        {"image_weights": [1]},
        {"input_price": -1},
    ],
    ids=str,
)
def test_a_column_that_makes_no_sense_is_refused(db: None, columns: dict[str, object]) -> None:
    model = Model(name="odd", label="Odd", **columns)

    with pytest.raises(ValidationError):
        model.full_clean()


def test_an_administrator_writes_a_model_with_its_routes(
    root: User, client: Client, old: Model, upstreams: list[Upstream]
) -> None:
    client.force_login(root)
    address = f"/api/models/{old.pk}/"
    route = {"upstream": upstreams[1].pk, "upstream_name": "other", "weight": 3}

    answer = client.patch(
        address, {"routes": [route], "capabilities": [Capability.VISION]}, content_type="application/json"
    )

    assert answer.status_code == 200
    assert answer.json()["routes"] == [{**route, "position": 0, "is_enabled": True}]
    assert client.patch(address, {"audience": ["king"]}, content_type="application/json").status_code == 400

"""Several places for one model: the call that one of them fails is answered by another, before its first word only."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import openai
import pytest

from gateway.models import Model, Provider, Route, Upstream
from gateway.types import ProviderKind
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

Offer = Callable[..., Model]


@pytest.fixture
def client(server: Server, saras_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20, max_retries=0) as client:
        yield client


@pytest.fixture
def offer(offered: FakeUpstream) -> Offer:
    """Offers the model `shop` with a place per behavior, each at a provider of its own, asked in this order."""

    def offer(*behaviors: str, name: str = "shop") -> Model:
        model = Model.objects.create(name=name, label=name)
        for position, behavior in enumerate(behaviors):
            slug = f"{name}-{position}"
            provider = Provider.objects.create(slug=slug, name=slug, kind=ProviderKind.COMPATIBLE)
            upstream = Upstream.objects.create(provider=provider, name="default", base_url=offered.base_url)
            Route.objects.create(model=model, upstream=upstream, upstream_name=behavior, position=position)
        return model

    return offer


def ask(client: openai.OpenAI, *, stream: bool = False) -> str:
    asked = client.chat.completions.create(model="shop", messages=[{"role": "user", "content": "Hi"}], stream=stream)
    if not isinstance(asked, openai.Stream):
        return asked.choices[0].message.content or ""
    return "".join(chunk.choices[0].delta.content or "" for chunk in asked)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("behavior", ["error-500", "error-401", "error-429", "down-for-a-while", "in-band", "garbage"])
def test_another_place_answers(
    client: openai.OpenAI, offer: Offer, offered: FakeUpstream, behavior: str, stream: bool
) -> None:
    offer(behavior, "good")

    assert ask(client, stream=stream) == ANSWER

    assert [arrival.model for arrival in offered.calls()] == [behavior, "good"]
    assert len({arrival.call_id for arrival in offered.calls()}) == 1  # the same reservation (D7)
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts, record.provider) == (Outcome.SERVED, 1, "shop-1")


def test_it_is_tried_once_more_and_not_again(client: openai.OpenAI, offer: Offer, offered: FakeUpstream) -> None:
    offer("error-500", "error-503", "good")

    with pytest.raises(openai.InternalServerError):
        ask(client)

    assert [arrival.model for arrival in offered.calls()] == ["error-500", "error-503"]
    assert UsageRecord.objects.get().prompts == 0


@pytest.mark.parametrize("behavior", ["error-400", "content-filter"])
def test_what_is_wrong_with_the_request_is_wrong_everywhere(
    client: openai.OpenAI, offer: Offer, offered: FakeUpstream, behavior: str
) -> None:
    offer(behavior, "good")

    with pytest.raises(openai.BadRequestError):
        ask(client)

    assert len(offered.calls()) == 1


def test_after_the_first_word_nobody_else_goes_on(client: openai.OpenAI, offer: Offer, offered: FakeUpstream) -> None:
    offer("breaks", "good")

    with pytest.raises(openai.APIError):
        ask(client, stream=True)

    assert len(offered.calls()) == 1
    assert UsageRecord.objects.get().prompts == 0


def test_two_calls_that_fail_together_do_not_both_go_where_one_has_room(
    client: openai.OpenAI, offer: Offer, offered: FakeUpstream
) -> None:
    offer("silent", "slow")
    Upstream.objects.filter(provider__slug="shop-1").update(most_parallel=1)
    both_know = Barrier(2)

    def call(_number: int) -> str:
        try:
            with client.chat.completions.create(
                model="shop", messages=[{"role": "user", "content": "Hi"}], stream=True
            ) as stream:
                next(iter(stream))
                both_know.wait(20)  # until then the one place is full
                return ""
        except openai.APIError as error:
            both_know.wait(20)
            return error.code or ""

    with ThreadPoolExecutor(2) as callers:
        ends = sorted(callers.map(call, range(2)))

    assert ends == ["", "upstream_timeout"]
    assert sorted(arrival.model for arrival in offered.calls()) == ["silent", "silent", "slow"]


def test_a_place_that_keeps_failing_is_left_out(client: openai.OpenAI, offer: Offer, offered: FakeUpstream) -> None:
    offer("error-502", "good")

    for _ in range(5):
        assert ask(client) == ANSWER

    assert [arrival.model for arrival in offered.calls()].count("error-502") == 3


@pytest.mark.parametrize(("behavior", "seconds"), [("error-429", 7), ("down-for-a-while", 30)])
def test_a_provider_that_asks_to_be_left_alone_is_left_alone(
    client: openai.OpenAI, offer: Offer, offered: FakeUpstream, behavior: str, seconds: int
) -> None:
    offer(behavior)

    for _ in range(3):
        with pytest.raises(openai.InternalServerError) as raised:
            ask(client)
        assert (raised.value.status_code, raised.value.code) == (503, "upstream_busy")
        assert 1 <= int(raised.value.response.headers["retry-after"]) <= seconds

    assert len(offered.calls()) == 1
    assert not UsageRecord.objects.exclude(prompts=0).exists()


def test_the_stand_in_answers_under_its_own_name(client: openai.OpenAI, offer: Offer) -> None:
    spare = offer("good", name="spare")
    Model.objects.filter(pk=offer("error-500").pk).update(fallback=spare)

    answer = client.chat.completions.create(model="shop", messages=[{"role": "user", "content": "Hi"}])

    assert (answer.model, answer.choices[0].message.content) == ("spare", ANSWER)

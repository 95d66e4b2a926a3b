"""The official client against our server: it must not notice the difference."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from accounts.models import ApiKey, User
from accounts.services import suspend_person
from courses.models import Course, Enrollment
from gateway.models import Upstream
from policies.models import AccessRule
from policies.services import install_clauses
from quotas.models import Allowance, Reservation
from quotas.selectors import find_differences
from quotas.services import set_quota
from quotas.types import Period, Unit
from tests.fakes.upstream import ANSWER, SECRET, FakeUpstream
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome, UsageSource

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello?"}]

pytestmark = pytest.mark.both_databases


@pytest.fixture
def client(server: Server, saras_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20) as client:
        yield client


def test_a_plain_answer(client: openai.OpenAI, offered: FakeUpstream) -> None:
    answer = client.chat.completions.with_raw_response.create(model="good", messages=HELLO)

    completion = answer.parse()
    assert completion.choices[0].message.content == ANSWER
    assert completion.model == "good"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 12
    assert completion._request_id == offered.calls()[0].call_id
    assert answer.headers["x-ratelimit-limit-prompts"] == "20"
    assert answer.headers["x-ratelimit-remaining-prompts"] == "19"
    assert int(answer.headers["x-ratelimit-reset-prompts"]) > datetime.now(UTC).timestamp()
    assert int(answer.headers["x-ratelimit-remaining-requests"]) < 100_000
    assert int(answer.headers["openai-processing-ms"]) >= 0


def test_a_streamed_answer(client: openai.OpenAI) -> None:
    with client.chat.completions.create(model="good", messages=HELLO, stream=True) as stream:
        chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts) == (Outcome.SERVED, 1)
    assert (record.input_tokens, record.output_tokens, record.usage_source) == (7, 5, UsageSource.REPORTED)


def test_usage_comes_with_a_stream_when_asked_for(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model="good", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)

    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


def test_usage_is_estimated_when_the_provider_keeps_it(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="no-usage", messages=HELLO)

    record = UsageRecord.objects.get()
    assert record.usage_source == UsageSource.ESTIMATED
    assert record.output_tokens == len(ANSWER) // 4


def test_tool_calls_pass_through(client: openai.OpenAI) -> None:
    with client.chat.completions.create(model="tools", messages=HELLO, stream=True) as stream:
        first = next(iter(stream))

    assert first.choices[0].delta.tool_calls


def test_images_arrive_and_cost_one_prompt_each(client: openai.OpenAI) -> None:
    answer = client.images.with_raw_response.generate(model="image-good", prompt="a harbor", n=2)

    assert [base64.b64decode(image.b64_json or "")[:4] for image in answer.parse().data or []] == [b"\x89PNG"] * 2
    assert answer.headers["x-ratelimit-remaining-prompts"] == "18"


def test_c39_two_pictures_of_three_cost_two(client: openai.OpenAI) -> None:
    answer = client.images.with_raw_response.generate(model="image-partial", prompt="a harbor", n=3)

    assert len(answer.parse().data or []) == 2
    assert answer.headers["x-ratelimit-remaining-prompts"] == "17"  # three are held meanwhile
    assert UsageRecord.objects.values_list("outcome", "images", "prompts").get() == (Outcome.SERVED, 2, 2)
    assert Allowance.objects.values_list("used", "held").get() == (2, 0)
    assert find_differences() == []


def test_the_placeholder_answers_like_an_image_model(client: openai.OpenAI) -> None:
    [image] = client.images.generate(model="placeholder-image", prompt="a harbor", size="256x256").data or []

    assert b"PLACEHOLDER" in base64.b64decode(image.b64_json or "")


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert "good" in names
    assert client.models.retrieve("good").owned_by == "openai"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("nothing")
    assert raised.value.code == "model_not_found"


def test_a_course_tags_the_call(client: openai.OpenAI, sara: User) -> None:
    today = datetime.now(UTC).date()
    course = Course.objects.create(
        code="COMP1117", title="Computing", starts_on=today, ends_on=today + timedelta(days=90)
    )
    with pytest.raises(openai.PermissionDeniedError) as raised:
        client.chat.completions.create(model="good", messages=HELLO, extra_headers={"X-Course": "COMP1117"})
    assert raised.value.code == "policy_refused"

    Enrollment.objects.create(course=course, user=sara)
    client.chat.completions.create(model="good", messages=HELLO, extra_headers={"X-Course": "COMP1117"})

    assert UsageRecord.objects.get(outcome=Outcome.SERVED).course_id == course.pk
    assert Reservation.objects.get().course_code == "COMP1117"


# ---- every documented error, as the client's own exception --------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("error-400", 400, "invalid_request"),
        ("error-401", 502, "upstream_error"),
        ("error-500", 502, "upstream_error"),
        ("error-429", 503, "upstream_busy"),
        ("resets", 502, "upstream_error"),
        ("garbage", 502, "upstream_error"),
        ("in-band", 502, "upstream_error"),
        ("content-filter", 400, "content_filter"),
    ],
)
def test_a_provider_that_fails_first_costs_nothing(
    client: openai.OpenAI, model: str, status: int, code: str, stream: bool
) -> None:
    once = client.with_options(max_retries=0)

    with pytest.raises(openai.BadRequestError if status == 400 else openai.InternalServerError) as raised:
        list(once.chat.completions.create(model=model, messages=HELLO, stream=stream))

    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert SECRET not in str(raised.value)
    assert raised.value.request_id
    assert UsageRecord.objects.get().outcome == Outcome.UPSTREAM_FAILED
    assert UsageRecord.objects.get().prompts == 0


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_silent_provider_times_out(client: openai.OpenAI, stream: bool) -> None:
    """A stream has begun by then, with pings, and ends in an error event."""
    with pytest.raises(openai.APIError) as raised:
        list(client.with_options(max_retries=0).chat.completions.create(model="silent", messages=HELLO, stream=stream))

    assert raised.value.code == "upstream_timeout"
    assert isinstance(raised.value, openai.InternalServerError) is not stream
    assert UsageRecord.objects.get().prompts == 0


@pytest.mark.parametrize("model", ["breaks", "cut", "no-done", "no-finish", "in-band-late", "garbage-late", "stalls"])
def test_a_stream_that_breaks_ends_in_an_error_and_is_given_back(client: openai.OpenAI, model: str) -> None:
    text = ""
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""

    assert text == ANSWER
    assert raised.value.code in ("upstream_error", "upstream_timeout")
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts) == (Outcome.UPSTREAM_FAILED, 0)


@pytest.mark.parametrize("model", ["resets-once", "fails-once"])
def test_one_failure_to_connect_is_mended_unseen(client: openai.OpenAI, offered: FakeUpstream, model: str) -> None:
    client.with_options(max_retries=0).chat.completions.create(model=model, messages=HELLO)

    assert len(offered.calls()) == 2
    assert UsageRecord.objects.get().prompts == 1


def test_an_unknown_key_is_an_authentication_error(server: Server, offered: FakeUpstream) -> None:
    with (
        openai.OpenAI(base_url=server.api, api_key="cak_nothing") as client,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        client.chat.completions.create(model="good", messages=HELLO)

    assert raised.value.code == "invalid_api_key"
    assert raised.value.request_id


def test_a_revoked_key_is_refused_at_once(client: openai.OpenAI) -> None:
    client.models.list()
    ApiKey.objects.update(revoked_at=datetime.now(UTC))

    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_a_suspended_person_is_refused(client: openai.OpenAI, sara: User, root: User) -> None:
    suspend_person(user_id=sara.id)

    with pytest.raises(openai.PermissionDeniedError) as raised:
        client.chat.completions.create(model="good", messages=HELLO)

    assert raised.value.code == "account_suspended"


def test_c26_nothing_passes_before_the_clauses(client: openai.OpenAI, offered: FakeUpstream) -> None:
    install_clauses()

    with pytest.raises(openai.PermissionDeniedError) as raised:
        client.post("/chat/completions", cast_to=object, body={"nonsense": True})

    assert raised.value.code == "acknowledgment_required"


def test_a_rule_of_the_university_is_a_permission_error(client: openai.OpenAI, offered: FakeUpstream) -> None:
    AccessRule.objects.create(model="good")

    with pytest.raises(openai.PermissionDeniedError) as raised:
        client.chat.completions.create(model="good", messages=HELLO)

    assert raised.value.code == "policy_refused"
    assert "good" not in [model.id for model in client.models.list()]


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt-nothing", messages=HELLO)

    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


def test_an_unknown_field_is_refused_by_name(client: openai.OpenAI, offered: FakeUpstream) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="good", messages=HELLO, extra_body={"api_base": "http://127.0.0.1:9"})

    assert (raised.value.code, raised.value.param) == ("invalid_request", "api_base")
    assert offered.calls() == []


def test_an_administrator_may_let_a_field_pass(client: openai.OpenAI, offered: FakeUpstream) -> None:
    Upstream.objects.update(extra_fields="top_k")

    client.chat.completions.create(model="good", messages=HELLO, extra_body={"top_k": 3}, user="someone-else")

    assert offered.calls()[0].body["top_k"] == 3
    assert "user" not in offered.calls()[0].body


@pytest.mark.parametrize("name", ["api_base", "User-ID"])
def test_no_row_lets_pass_what_would_lead_a_call_elsewhere(
    client: openai.OpenAI, offered: FakeUpstream, name: str
) -> None:
    Upstream.objects.update(extra_fields=f"top_k {name}")  # as a row of before may say

    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="good", messages=HELLO, extra_body={"top_k": 3, name: "x"})

    assert raised.value.param == name
    assert offered.calls() == []


def test_a_body_too_large_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="good", messages=[{"role": "user", "content": "x" * 300_000}])

    assert (raised.value.status_code, raised.value.code) == (413, "request_too_large")


def test_an_exhausted_quota_is_asked_for_once_only(client: openai.OpenAI, offered: FakeUpstream) -> None:
    set_quota(limit=1)
    client.chat.completions.create(model="good", messages=HELLO)

    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="good", messages=HELLO)

    assert raised.value.code == "insufficient_quota"
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert raised.value.response.headers["x-ratelimit-remaining-prompts"] == "0"
    assert raised.value.request_id
    assert UsageRecord.objects.filter(outcome=Outcome.REFUSED).count() == 1
    assert len(offered.calls()) == 1


def test_an_exhausted_quota_of_tokens_is_told_beside_the_prompts(client: openai.OpenAI) -> None:
    set_quota(limit=3, unit=Unit.TOKENS)

    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="good", messages=HELLO)

    headers = raised.value.response.headers
    assert (headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == ("3", "3")
    assert headers["x-ratelimit-reset-tokens"] == headers["x-ratelimit-reset-prompts"]
    assert headers["x-ratelimit-remaining-prompts"] == "20"
    assert headers["x-ratelimit-remaining-requests"]


def test_who_has_tried_too_often_for_an_hour_is_told_when_to_come_back_and_asks_once(client: openai.OpenAI) -> None:
    set_quota(limit=1, unit=Unit.ATTEMPTS, period=Period.HOUR)
    client.chat.completions.create(model="good", messages=HELLO)

    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="good", messages=HELLO)

    headers = raised.value.response.headers
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("1", "0")
    assert headers["retry-after"] == headers["x-ratelimit-reset-requests"].removesuffix("s")
    assert headers["x-should-retry"] == "false"
    assert headers["x-ratelimit-remaining-prompts"] == "19"


def test_c22_remaining_prompts_count_down_one_by_one(client: openai.OpenAI) -> None:
    create = client.chat.completions.with_raw_response.create
    left = [create(model="good", messages=HELLO).headers["x-ratelimit-remaining-prompts"] for _ in range(20)]

    assert left == [str(number) for number in range(19, -1, -1)]

"""The official client on the routes beside chat completions: responses, embeddings, moderations, edited pictures."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

from gateway.models import Model, Upstream
from gateway.types import Capability
from quotas.models import LedgerEntry, Reservation
from tests.fakes.dialects import CITED, THOUGHT
from tests.fakes.upstream import ANSWER, SECRET, FakeUpstream
from tests.faults.forms import draw
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

# The official client; its types would refuse much of what a test must try.
Client = Any

pytestmark = pytest.mark.both_databases

PIXEL = f"data:image/png;base64,{base64.b64encode(b'x').decode()}"
LOOK = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}},
    "strict": False,
}


@pytest.fixture
def client(server: Server, saras_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20, max_retries=0) as client:
        yield client


@pytest.fixture
def speaking(offered: FakeUpstream) -> FakeUpstream:
    """The provider has /responses of its own."""
    Upstream.objects.update(speaks_responses=True)
    return offered


def picture(size: int = 8, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), "teal").save(file, kind)
    return file.getvalue()


# ---- responses, translated to chat -----------------------------------------------------------------------------


def test_a_response_is_a_chat_in_other_words(client: Client, offered: FakeUpstream) -> None:
    answer = client.responses.create(
        model="good", instructions="Be brief.", input="Hello?", max_output_tokens=50, reasoning={"effort": "low"}
    )

    assert (answer.output_text, answer.status, answer.model, answer.store) == (ANSWER, "completed", "good", False)
    assert answer.instructions == "Be brief."
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 5)
    [arrival] = offered.calls()
    assert arrival.path == "/v1/chat/completions"
    assert arrival.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    assert (arrival.body["max_tokens"], arrival.body["reasoning_effort"]) == (50, "low")
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts, record.output_tokens) == (Outcome.SERVED, 1, 5)


def test_a_streamed_response_tells_its_story_in_order(client: Client) -> None:
    with client.responses.create(model="good", input="Hello?", stream=True) as stream:
        events = list(stream)

    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == ANSWER
    assert events[-1].response.usage is not None


def test_the_clients_own_helper_reads_the_stream(client: Client) -> None:
    with client.responses.stream(model="scholar", input="Please look_up 42.", tools=[LOOK]) as stream:
        final = stream.get_final_response()

    [call] = final.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("look_up", {"number": 42})


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_tool_is_called_and_answered(client: Client, offered: FakeUpstream, stream: bool) -> None:
    def ask(given: object) -> Any:
        answer = client.responses.create(model="scholar", input=given, tools=[LOOK], stream=stream)
        return list(answer)[-1].response if stream else answer

    question = {"role": "user", "content": [{"type": "input_text", "text": "Please look_up 42."}]}
    [call] = ask([question]).output
    assert call.type == "function_call"
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "It is the answer."}

    final = ask([question, call.model_dump(exclude_none=True), result])

    assert "It is the answer." in final.output_text
    called, told = offered.calls()[-1].body["messages"][1:]
    assert called["tool_calls"][0]["function"] == {"name": "look_up", "arguments": '{"number": 42}'}
    assert told == {"role": "tool", "tool_call_id": call.call_id, "content": "It is the answer."}


ALLOWED = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look_up"}]}


def test_a_choice_of_some_tools_is_said_in_the_words_of_chat(client: Client, offered: FakeUpstream) -> None:
    other = {**LOOK, "name": "look_away"}
    [call] = client.responses.create(
        model="scholar", input="Anything.", tools=[other, LOOK], tool_choice=ALLOWED
    ).output

    assert call.name == "look_up"
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": tools}}
    assert offered.calls()[0].body["tool_choice"] == allowed


def test_a_grammar_for_a_tool_is_said_in_the_words_of_chat(client: Client, offered: FakeUpstream) -> None:
    grammar = {"syntax": "regex", "definition": "[a-z]+"}
    tool = {"type": "custom", "name": "spell", "format": {"type": "grammar", **grammar}}
    client.responses.create(model="good", input="Hello?", tools=[tool])

    form = {"type": "grammar", "grammar": grammar}
    assert offered.calls()[0].body["tools"] == [{"type": "custom", "custom": {"name": "spell", "format": form}}]


def test_what_an_administrator_lets_pass_is_carried_into_the_chat(client: Client, offered: FakeUpstream) -> None:
    Upstream.objects.update(extra_fields="top_k")

    client.responses.create(model="good", input="Hello?", extra_body={"top_k": 3}, truncation="auto", temperature=0.5)

    sent = offered.calls()[0].body
    assert (sent["top_k"], sent["temperature"]) == (3, 0.5)
    assert "truncation" not in sent


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_thoughts_come_as_an_item_of_their_own(client: Client, stream: bool) -> None:
    answer = client.responses.create(model="reasons", input="Why?", stream=stream)
    final = list(answer)[-1].response if stream else answer

    thought, said = final.output
    assert (thought.type, thought.content[0].text) == ("reasoning", THOUGHT)
    assert said.content[0].text == ANSWER
    assert final.usage.output_tokens_details.reasoning_tokens == 3
    assert final.usage.input_tokens_details.cached_tokens == 2


def test_an_answer_by_a_schema(client: Client, offered: FakeUpstream) -> None:
    schema = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
    answer = client.responses.create(
        model="scholar", input="Say 42.", text={"format": {"type": "json_schema", "name": "number", "schema": schema}}
    )

    assert json.loads(answer.output_text) == {"number": 42}
    assert offered.calls()[0].body["response_format"]["json_schema"]["name"] == "number"


def test_what_is_cut_off_or_refused_says_so(client: Client) -> None:
    cut = client.responses.create(model="too-long", input="Hello?")
    assert cut.incomplete_details is not None
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")

    [refusal] = client.responses.create(model="refuses", input="Hello?").output
    assert refusal.type == "message"
    assert refusal.content[0].type == "refusal"


def test_a_picture_travels_inside_the_request(client: Client, offered: FakeUpstream) -> None:
    content = [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": PIXEL, "detail": "low"}]
    client.responses.create(model="good", input=[{"role": "user", "content": content}])

    [message] = offered.calls()[0].body["messages"]
    assert message["content"][1] == {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "mcp", "server_url": "http://127.0.0.1"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "custom", "name": "x", "format": {"type": "text", "url": "y"}}]}, "tools[0].format.url"),
        ({"tool_choice": {"type": "mcp", "server_label": "x"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "tool_choice.tools"),
        ({"tool_choice": {**ALLOWED, "tools": [{"type": "mcp", "server_label": "x"}]}}, "tool_choice.tools[0].type"),
        ({"prompt_cache_options": {"scope": "all"}}, "prompt_cache_options.scope"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["Hi"]}, "input[0]"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"type": ["x"]}]}, "input[0].type"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://127.0.0.1/x.png"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "http://127.0.0.1/x"}]}]},
            "input[0].content[0].file_data",
        ),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"reasoning": {"effort": "heroic"}}, "reasoning.effort"),
        ({"base_url": "http://127.0.0.1"}, "base_url"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_would_need_a_store_or_a_fetch_is_refused_by_name(
    client: Client, offered: FakeUpstream, change: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/responses", cast_to=object, body={"model": "good", "input": "Hello?", **change})

    assert (raised.value.code, raised.value.param) == ("invalid_request", param)
    assert offered.calls() == []


@pytest.mark.parametrize("model", ["breaks", "no-done", "in-band-late"])
def test_a_response_that_breaks_raises_and_is_given_back(client: Client, model: str) -> None:
    with pytest.raises(openai.APIError) as raised:
        list(client.responses.create(model=model, input="Hello?", stream=True))

    assert raised.value.code == "upstream_error"
    assert UsageRecord.objects.get().prompts == 0


# ---- responses, by a provider that speaks them -----------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_provider_that_speaks_responses_is_asked_in_its_own_words(
    client: Client, speaking: FakeUpstream, stream: bool
) -> None:
    told = {"max_output_tokens": 9, "user": "omar", "tools": [LOOK], "tool_choice": ALLOWED}
    answer = client.responses.create(model="native", input="Hello?", stream=stream, **told)
    final = list(answer)[-1].response if stream else answer

    assert (final.output_text, final.model) == (ANSWER, "native")
    [arrival] = speaking.calls()
    assert arrival.path == "/v1/responses"
    assert (arrival.body["store"], arrival.body["max_output_tokens"]) == (False, 9)
    assert arrival.body["tool_choice"] == ALLOWED
    assert "user" not in arrival.body
    record = UsageRecord.objects.get()
    assert (record.input_tokens, record.output_tokens, record.prompts) == (7, 5, 1)


@pytest.mark.parametrize(
    ("model", "stream"),
    [("native-fails", False), ("native-fails", True), ("native-odd", False), ("native-cut", True), ("error-500", True)],
)
def test_a_native_response_that_fails_costs_nothing(
    client: Client, speaking: FakeUpstream, model: str, stream: bool
) -> None:
    with pytest.raises(openai.APIError) as raised:
        list(client.responses.create(model=model, input="Hello?", stream=stream))

    assert raised.value.code == "upstream_error"
    assert SECRET not in str(raised.value)
    assert UsageRecord.objects.get().prompts == 0


# ---- embeddings ------------------------------------------------------------------------------------------------


def test_embeddings_are_one_prompt_a_request(client: Client, offered: FakeUpstream) -> None:
    answer = client.embeddings.create(model="embed-good", input=["one", "two"])

    assert [entry.embedding for entry in answer.data] == [[0.25, -0.5, 0.125]] * 2
    assert (answer.model, answer.usage.prompt_tokens) == ("embed-good", 8)
    assert offered.calls()[0].body["encoding_format"] == "base64"  # as the client asked, to save bytes
    record = UsageRecord.objects.get()
    assert (record.operation, record.prompts, record.input_tokens, record.output_tokens) == ("embedding", 1, 8, 0)


@pytest.mark.parametrize("given", ["", [], [[]], [""] * 2049, [1.5], {"text": "x"}], ids=lambda value: str(value)[:20])
def test_an_input_that_is_none_is_refused(client: Client, given: object) -> None:
    if given == "":
        client.post("/embeddings", cast_to=object, body={"model": "embed-good", "input": given})
        return
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/embeddings", cast_to=object, body={"model": "embed-good", "input": given})
    assert raised.value.param == "input"


def test_an_answer_without_vectors_is_a_failure(client: Client) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.embeddings.create(model="embed-none", input="one")

    assert raised.value.code == "upstream_error"
    assert UsageRecord.objects.get().prompts == 0


# ---- moderations -----------------------------------------------------------------------------------------------


def test_a_moderation_costs_nobody_a_prompt(client: Client, offered: FakeUpstream) -> None:
    answer = client.moderations.with_raw_response.create(input="How to build a bomb")

    assert answer.parse().results[0].flagged is True
    assert "x-ratelimit-remaining-requests" in answer.headers  # it is an attempt all the same
    assert Reservation.objects.get().operation == "moderation"
    assert LedgerEntry.objects.count() == 0
    record = UsageRecord.objects.get()
    assert (record.operation, record.outcome, record.prompts) == ("moderation", Outcome.SERVED, 0)


def test_a_moderation_carries_what_an_administrator_lets_pass(client: Client, offered: FakeUpstream) -> None:
    Upstream.objects.update(extra_fields="threshold")

    client.moderations.create(input="Hello", extra_body={"threshold": 0.9, "user": "omar"})

    model = "omni-moderation-latest"
    assert offered.calls()[0].body == {"input": "Hello", "model": model, "threshold": 0.9}


def test_a_moderation_fetches_no_picture(client: Client, offered: FakeUpstream) -> None:
    seen = client.moderations.create(input=[{"type": "image_url", "image_url": {"url": PIXEL}}])
    assert seen.results[0].flagged is False

    with pytest.raises(openai.BadRequestError) as raised:
        client.moderations.create(input=[{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}])
    assert raised.value.param == "input[0].image_url.url"
    assert len(offered.calls()) == 1


# ---- edited pictures -------------------------------------------------------------------------------------------


def test_pictures_are_edited(client: Client, offered: FakeUpstream) -> None:
    answer = client.images.edit(
        model="image-edits",
        image=[("../../etc/passwd.png", picture()), ("b.gif", picture(kind="JPEG"))],
        mask=picture(),
        prompt="Add a junk",
        n=2,
        size="1024x1024",
    )

    assert len(answer.data or []) == 2
    body = offered.calls()[0].body
    assert [kind for kind, _data in body["image"]] == ["image/png", "image/jpeg"]  # by their bytes, not their names
    assert body["image"][0][1] == picture()
    assert body["mask"] == [("image/png", picture())]
    assert (body["prompt"], body["n"], body["size"], body["model"]) == ("Add a junk", "2", "1024x1024", "image-edits")
    record = UsageRecord.objects.get()
    assert (record.operation, record.prompts, record.images, record.output_tokens) == ("image", 2, 2, 100)


def test_a_telephones_picture_with_more_behind_it_is_a_jpeg(client: Client, offered: FakeUpstream) -> None:
    several = draw("MPO")
    client.images.edit(model="image-edits", image=several, prompt="Add a junk")

    assert offered.calls()[0].body["image"] == [("image/jpeg", several)]


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ({"model": "image-edits", "prompt": "x"}, {}, "image"),
        ({"model": "image-edits"}, {"image": picture()}, "prompt"),
        ({"model": "image-edits", "prompt": "x"}, {"image": b"<svg onload='x'/>"}, "image"),
        ({"model": "image-edits", "prompt": "x"}, {"image": picture(kind="GIF")}, "image"),
        ({"model": "image-edits", "prompt": "x"}, {"image": picture(7000, "JPEG")[:3000]}, "image"),
        ({"model": "image-edits", "prompt": "x", "n": "11"}, {"image": picture()}, "n"),
        ({"model": "image-edits", "prompt": "x", "n": "two"}, {"image": picture()}, "n"),
        ({"model": "image-edits", "prompt": "x", "response_format": "url"}, {"image": picture()}, "response_format"),
        ({"model": "image-edits", "prompt": "x", "image_url": "http://127.0.0.1"}, {"image": picture()}, "image_url"),
        ({"model": "image-edits", "prompt": "x"}, {"image": picture(), "virus": b"x"}, "virus"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_form_that_makes_no_sense_is_refused(
    client: Client, offered: FakeUpstream, fields: dict[str, str], files: dict[str, bytes], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.post(
            "/images/edits",
            cast_to=object,
            body=fields,
            files=files or {"nothing": b""},
            options={"headers": {"Content-Type": "multipart/form-data"}},
        )

    assert raised.value.param == ("nothing" if not files else param)
    assert offered.calls() == []


def test_a_form_must_be_a_form(client: Client) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/images/edits", cast_to=object, body={"model": "image-edits", "prompt": "x"})

    assert raised.value.param == "Content-Type"


# ---- what a model can do ---------------------------------------------------------------------------------------


def test_what_a_model_is_known_not_to_do_is_refused_by_name(client: Client, offered: FakeUpstream) -> None:
    Model.objects.update(capabilities=[Capability.JSON_SCHEMA])

    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="scholar", input="Hi", tools=[LOOK])
    assert raised.value.param == "tools"
    with pytest.raises(openai.BadRequestError) as raised:
        client.images.edit(model="image-edits", image=picture(), prompt="x")
    assert raised.value.param == "model"
    assert offered.calls() == []


# ---- pages that a model names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_the_pages_a_model_names_reach_clients_as_the_provider_wrote_them(client: Client, stream: bool) -> None:
    asked = {"model": "cites", "messages": [{"role": "user", "content": "Hello?"}], "stream": stream}
    answer = client.chat.completions.create(**asked)
    if stream:
        deltas = [chunk.choices[0].delta for chunk in answer if chunk.choices]
        named = [
            note for delta in deltas for note in getattr(delta, "annotations", None) or [] if delta.content is None
        ]
        assert [note["url_citation"]["url"] for note in named if isinstance(note, dict)] == [
            note["url_citation"]["url"] for note in CITED
        ]
    else:
        named = answer.choices[0].message.annotations
        assert [note.url_citation.url for note in named] == [note["url_citation"]["url"] for note in CITED]


def test_a_response_names_them_beside_its_text(client: Client) -> None:
    flat = [{"type": "url_citation", **note["url_citation"]} for note in CITED]
    with client.responses.create(model="cites", input="Hello?", stream=True) as stream:
        events = list(stream)
    added = [event for event in events if event.type == "response.output_text.annotation.added"]
    assert [event.annotation.url for event in added] == [note["url"] for note in flat]
    assert [event.annotation_index for event in added] == list(range(len(flat)))
    [item] = events[-1].response.output
    assert [note.url for note in item.content[0].annotations] == [note["url"] for note in flat]

    whole = client.responses.create(model="cites", input="Hello?")
    assert [note.url for note in whole.output[0].content[0].annotations] == [note["url"] for note in flat]

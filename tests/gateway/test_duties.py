"""What Django's handler would have done for /v1, and does not: six duties."""

import base64
import http.client
import json
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from quotas.models import Reservation
from tests.fakes.upstream import FakeUpstream
from tests.servers import Server, running_server

CHAT = {"model": "good", "messages": [{"role": "user", "content": "Hi"}]}


def code_of(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_every_answer_has_a_request_id_of_its_own(web: httpx2.Client) -> None:
    answers = [
        web.get("/v1/models"),
        web.get("/v1/nothing"),
        web.post("/v1/chat/completions", json=CHAT),
        web.post("/v1/chat/completions", content=b"?"),
        web.get("/v1/models", headers={"authorization": ""}),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 200, 400, 401]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 5


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/chat/completions/", "/v1/completions", "/v1/files"]
)
def test_an_unknown_route_is_json(web: httpx2.Client, path: str) -> None:
    answer = web.post(path, json={})

    assert (answer.status_code, code_of(answer)) == (404, "not_found")


def test_another_method_is_refused(web: httpx2.Client) -> None:
    answer = web.get("/v1/chat/completions")

    assert (answer.status_code, code_of(answer), answer.headers["allow"]) == (405, "method_not_allowed", "POST")


def test_an_unknown_host_is_refused(web: httpx2.Client) -> None:
    answer = web.get("/v1/models", headers={"host": "evil.example"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Host")


@pytest.mark.parametrize("name", ["x-api-key", "api-key", "cookie"])
def test_a_key_is_looked_for_in_one_place_only(server: Server, saras_key: str, name: str) -> None:
    assert httpx2.get(f"{server.api}/models", headers={name: saras_key}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"model": NaN}', b'{"a":' * 2000, b'{"model": "\\ud800"}'],
    ids=["empty", "cut", "list", "text", "bytes", "nan", "deep", "surrogate"],
)
def test_a_body_that_is_no_json_object_is_an_invalid_request(web: httpx2.Client, body: bytes) -> None:
    answer = web.post("/v1/chat/completions", content=body)

    assert (answer.status_code, code_of(answer)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"model": "a\u0000b"}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "king", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "Hi", "base_url": "x"}]}, "messages[0].base_url"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}]}
                ]
            },
            "messages[0].content[0].image_url.url",
        ),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"n": 2}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": {}}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "assistant"}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "42"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "look"}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": 1}]}]},
            "messages[0].tool_calls[0].type",
        ),
        ({"tools": [{"type": "mcp", "server_url": "http://127.0.0.1"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
        ({"tool_choice": {"type": "mcp", "server_url": "http://127.0.0.1"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function", "function": {"name": "x", "url": "y"}}}, "tool_choice.function.url"),
        ({"tool_choice": {"type": "custom", "custom": {}}}, "tool_choice.custom.name"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": None}}, "tool_choice.allowed_tools"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}]}}},
            "tool_choice.allowed_tools.tools[0].type",
        ),
        (
            {"tools": [{"type": "custom", "custom": {"name": "x", "format": {"type": "grammar", "grammar": {}}}}]},
            "tools[0].custom.format.grammar.definition",
        ),
        ({"functions": [{"name": "look", "server_url": "x"}]}, "functions[0].server_url"),
        ({"functions": [{"name": "look"}], "function_call": {"name": "look", "url": "x"}}, "function_call.url"),
        ({"prediction": {"type": "content", "content": "x", "id": "y"}}, "prediction.id"),
        ({"prediction": {"type": "content", "content": [{"type": "image_url"}]}}, "prediction.content[0].type"),
        ({"audio": {"format": "mp3", "voice": {"id": "voice_1"}}}, "audio.voice"),
        ({"audio": {"format": "mp3", "voice": "coral", "url": "x"}}, "audio.url"),
        ({"prompt_cache_options": {"mode": "implicit", "scope": "all"}}, "prompt_cache_options.scope"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a", "url": "x"}}]}, "messages[0].audio.url"),
        ({"messages": [{"role": "assistant", "function_call": {"name": "x"}}]}, "messages[0].function_call.arguments"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"user_id": 1}, "user_id"),
        ({"base_url": "http://127.0.0.1"}, "base_url"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_field_to_blame_is_named(
    web: httpx2.Client, offered: FakeUpstream, change: dict[str, object], param: str
) -> None:
    answer = web.post("/v1/chat/completions", json={**CHAT, **change})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert offered.calls() == []
    assert not Reservation.objects.exists()


def test_a_body_that_drips_in_is_given_up(site: str, saras_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.wire.exchange._BODY_SECONDS", 0.05)
    connection = http.client.HTTPConnection(site.removeprefix("http://"), timeout=20)
    with closing(connection):
        head = {"authorization": f"Bearer {saras_key}", "content-length": "100"}
        connection.request("POST", "/v1/chat/completions", b"{", head)
        answer = connection.getresponse()
        code = json.loads(answer.read())["error"]["code"]

    assert (answer.status, code) == (408, "request_timeout")
    assert not Reservation.objects.exists()


def test_what_openai_publishes_passes_as_it_came(web: httpx2.Client, offered: FakeUpstream) -> None:
    look, odd = {"type": "function", "function": {"name": "look"}}, {"type": "custom", "custom": {"name": "odd"}}
    grammar = {"type": "grammar", "grammar": {"definition": "x", "syntax": "regex"}}
    told = {
        "tools": [look, {"type": "custom", "custom": {"name": "odd", "format": grammar}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [look, odd]}},
        "functions": [{"name": "look", "description": "Looks.", "parameters": {"type": "object"}}],
        "function_call": {"name": "look"},
        "prediction": {"type": "content", "content": [{"type": "text", "text": "Hello"}]},
        "audio": {"format": "mp3", "voice": "coral"},
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    }

    assert web.post("/v1/chat/completions", json={**CHAT, **told}).status_code == 200

    sent = offered.calls()[0].body
    assert {name: sent[name] for name in told} == told


def test_a_limit_is_named(web: httpx2.Client) -> None:
    answer = web.post("/v1/chat/completions", json={**CHAT, "messages": [CHAT["messages"][0]] * 2001})

    assert "a list of 1 to 2000 entries" in answer.json()["error"]["message"]


def test_a_picture_inside_the_request_passes(web: httpx2.Client, offered: FakeUpstream) -> None:
    url = f"data:image/png;base64,{base64.b64encode(b'x').decode()}"
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]

    answer = web.post("/v1/chat/completions", json={**CHAT, "messages": [{"role": "user", "content": content}]})

    assert answer.status_code == 200
    assert offered.calls()[0].body["messages"][0]["content"] == content


def test_a_database_that_is_away_is_said_to_be_away(tmp_path: Path, upstream: FakeUpstream) -> None:
    nowhere = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}
    with running_server(tmp_path, environment=nowhere) as server:
        answer = httpx2.post(
            f"{server.api}/chat/completions", headers={"authorization": "Bearer cak_x"}, json=CHAT, timeout=20
        )

    assert (answer.status_code, code_of(answer)) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert upstream.calls() == []

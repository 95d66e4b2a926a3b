"""Run in an environment of its own: what each Python client can do with a gateway, told as JSON lines.

    python_clients.py ADDRESS KEY SPENT_KEY

ADDRESS ends in /v1; KEY's owner may call everything, SPENT_KEY's has no prompt left. A line is [client, feature, ""],
or what went wrong in place of "".
"""

import asyncio
import json
import sys
import traceback
from collections.abc import Callable

import llm
import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from llm.default_plugins.openai_models import Chat
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

ADDRESS, KEY, SPENT = sys.argv[1:4]
ANSWER = "Hello from the fake provider"
PIXEL = "data:image/png;base64,eA=="
HELLO = [{"role": "user", "content": "Hello?"}]
LOOK = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


def tell(client: str, feature: str, work: Callable[[], object]) -> None:
    why = ""
    try:
        if work() is False:
            why = "not as expected"
    except Exception:
        why = traceback.format_exc()
    print(json.dumps([client, feature, why]), flush=True)


def openai_python() -> None:
    client = openai.OpenAI(base_url=ADDRESS, api_key=KEY)
    chat, name = client.chat.completions.create, "openai-python"
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": LOOK}}]

    def stream() -> bool:
        chunks = list(chat(model="good", messages=HELLO, stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        return text == ANSWER and chunks[-1].usage.total_tokens == 12

    def look_up() -> bool:
        question = [{"role": "user", "content": "Please look_up 42"}]
        message = chat(model="scholar", messages=question, tools=tools).choices[0].message
        [call] = message.tool_calls
        told = {"role": "tool", "tool_call_id": call.id, "content": "It is the answer"}
        final = chat(model="scholar", messages=[*question, message, told], tools=tools)
        return (
            json.loads(call.function.arguments) == {"number": 42} and "the answer" in final.choices[0].message.content
        )

    def schema() -> bool:
        wanted = {"type": "json_schema", "json_schema": {"name": "look", "schema": LOOK, "strict": True}}
        answer = chat(model="scholar", messages=[{"role": "user", "content": "42"}], response_format=wanted)
        return json.loads(answer.choices[0].message.content) == {"number": 42}

    def see() -> bool:
        content = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
        return bool(chat(model="good", messages=[{"role": "user", "content": content}]).choices)

    def respond() -> bool:
        events = list(client.responses.create(model="good", input="Hello?", stream=True))
        return client.responses.create(model="good", input="Hello?").output_text == events[-1].response.output_text

    def errors() -> bool:
        cases = [
            (KEY, "no-such-model", openai.NotFoundError, "model_not_found"),
            ("cak_wrong", "good", openai.AuthenticationError, "invalid_api_key"),
            (KEY, "error-400", openai.BadRequestError, "invalid_request"),
            (KEY, "content-filter", openai.BadRequestError, "content_filter"),
            (KEY, "garbage", openai.InternalServerError, "upstream_error"),
            (SPENT, "good", openai.RateLimitError, "insufficient_quota"),
        ]
        for key, model, kind, code in cases:
            retries = 0 if model == "garbage" else 2  # a provider's fault is worth a retry; nothing else is tried again
            try:
                openai.OpenAI(base_url=ADDRESS, api_key=key, max_retries=retries).chat.completions.create(
                    model=model, messages=HELLO
                )
            except openai.APIStatusError as error:
                if (type(error), error.code, bool(error.request_id)) != (kind, code, True):
                    raise
        return True

    tell(name, "models", lambda: "good" in [model.id for model in client.models.list()])
    tell(name, "chat", lambda: chat(model="good", messages=HELLO).choices[0].message.content == ANSWER)
    tell(name, "stream", stream)
    tell(name, "tools", look_up)
    tell(name, "schema", schema)
    tell(name, "pictures", see)
    tell(name, "responses", respond)
    tell(
        name, "embeddings", lambda: len(client.embeddings.create(model="embed-good", input="x").data[0].embedding) == 3
    )
    tell(name, "images", lambda: bool(client.images.generate(model="image-good", prompt="x").data[0].b64_json))
    tell(name, "errors", errors)


def openai_aiohttp() -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(
            base_url=ADDRESS, api_key=KEY, http_client=openai.DefaultAioHttpClient()
        ) as client:
            answer = await client.chat.completions.create(model="good", messages=HELLO)
            stream = await client.chat.completions.create(model="good", messages=HELLO, stream=True)
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            events = [event async for event in await client.responses.create(model="good", input="x", stream=True)]
            vectors = await client.embeddings.create(model="embed-good", input="x")
            models = [model.id async for model in client.models.list()]
            refused = client.with_options(api_key=SPENT).chat.completions.create(model="good", messages=HELLO)
            try:
                await refused
            except openai.RateLimitError as error:
                is_refused = error.code == "insufficient_quota" and bool(error.request_id)
        name = "openai-python (aiohttp)"
        tell(name, "models", lambda: "good" in models)
        tell(name, "chat", lambda: answer.choices[0].message.content == ANSWER)
        tell(name, "stream", lambda: text == ANSWER)
        tell(name, "responses", lambda: events[-1].type == "response.completed")
        tell(name, "embeddings", lambda: len(vectors.data[0].embedding) == 3)
        tell(name, "errors", lambda: is_refused)

    asyncio.run(run())


def simons_llm() -> None:
    def model(name: str, **can: bool) -> Chat:
        return Chat(f"campus-{name}", model_name=name, api_base=ADDRESS, **can)

    def look_up(number: int) -> str:
        """Look a number up."""
        return f"{number} is the answer"

    def errors() -> bool:
        try:
            model("good").prompt("Hello?", key=SPENT, stream=False).text()
        except openai.RateLimitError as error:
            return error.code == "insufficient_quota"
        return False

    def use_tool() -> bool:
        chain = model("scholar", supports_tools=True).chain(
            "Please look_up 42", tools=[llm.Tool.function(look_up)], key=KEY
        )
        return "42 is the answer" in chain.text()

    def use_schema() -> bool:
        answer = model("scholar", supports_schema=True).prompt("42", schema=LOOK, key=KEY, stream=False)
        return json.loads(answer.text()) == {"number": 42}

    tell("llm", "chat", lambda: model("good").prompt("Hello?", key=KEY, stream=False).text() == ANSWER)
    tell("llm", "stream", lambda: "".join(model("good").prompt("Hello?", key=KEY)) == ANSWER)
    tell("llm", "tools", use_tool)
    tell("llm", "schema", use_schema)
    tell("llm", "errors", errors)


def pydantic_ai() -> None:
    provider = OpenAIProvider(base_url=ADDRESS, api_key=KEY)
    spent = OpenAIProvider(base_url=ADDRESS, api_key=SPENT)

    class Look(BaseModel):
        number: int

    def chat(name: str, **options: object) -> Agent:
        return Agent(OpenAIChatModel(name, provider=provider), **options)

    def use_tool() -> bool:
        agent = chat("scholar")

        @agent.tool_plain
        def look_up(number: int) -> str:
            return f"{number} is the answer"

        return "42 is the answer" in agent.run_sync("Please look_up 42").output

    async def stream() -> bool:
        async with chat("good").run_stream("Hello?") as run:
            return await run.get_output() == ANSWER

    def errors() -> bool:
        try:
            Agent(OpenAIChatModel("good", provider=spent)).run_sync("Hello?")
        except ModelHTTPError as error:
            return error.status_code == 429 and error.body["code"] == "insufficient_quota"
        return False

    picture = BinaryContent(data=b"x", media_type="image/png")
    tell("pydantic-ai", "chat", lambda: chat("good").run_sync("Hello?").output == ANSWER)
    tell("pydantic-ai", "stream", lambda: asyncio.run(stream()))
    tell("pydantic-ai", "tools", use_tool)
    tell(
        "pydantic-ai",
        "schema",
        lambda: chat("scholar", output_type=NativeOutput(Look)).run_sync("42").output.number == 42,
    )
    tell("pydantic-ai", "pictures", lambda: chat("good").run_sync(["What?", picture]).output == ANSWER)
    tell(
        "pydantic-ai",
        "responses",
        lambda: Agent(OpenAIResponsesModel("good", provider=provider)).run_sync("Hello?").output == ANSWER,
    )
    tell("pydantic-ai", "errors", errors)


def langchain() -> None:
    def chat(name: str = "good", key: str = KEY, **options: object) -> ChatOpenAI:
        return ChatOpenAI(model=name, base_url=ADDRESS, api_key=key, **options)

    def errors() -> bool:
        try:
            chat(key=SPENT).invoke("Hello?")
        except openai.RateLimitError as error:
            return error.code == "insufficient_quota" and bool(error.request_id)
        return False

    embeddings = OpenAIEmbeddings(model="embed-good", base_url=ADDRESS, api_key=KEY, check_embedding_ctx_length=False)
    tell("langchain-openai", "responses", lambda: chat(use_responses_api=True).invoke("Hello?").text == ANSWER)
    tell("langchain-openai", "embeddings", lambda: len(embeddings.embed_query("x")) == 3)
    tell("langchain-openai", "errors", errors)


for client in (openai_python, openai_aiohttp, simons_llm, pydantic_ai, langchain):
    tell(client.__name__, "runs", client)

"""Run in an environment of its own: what each Python client can do with a gateway, told as JSON lines.

    python_clients.py ADDRESS KEY MODEL REFUSALS

ADDRESS ends in /v1; KEY's owner may call everything. REFUSALS in JSON are lists of a key, a model, and the exception,
status and code that the two end in. A line is [client, feature, ""], or what went wrong in place of "".

MODEL is the scripted provider's `good`; any other says what it likes, and is asked for words alone.
"""

import asyncio
import base64
import json
import sys
import traceback
from collections.abc import Awaitable, Callable

import llm
import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from llm.default_plugins.openai_models import Chat
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

ADDRESS, KEY, MODEL = sys.argv[1:4]
REFUSALS = json.loads(sys.argv[4])
ANSWER = "Hello from the fake provider"
OF_WORDS = ("models", "chat", "stream", "runs")
FEW = 4  # tokens
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
PIXEL = f"data:image/png;base64,{PNG}"
HELLO = [{"role": "user", "content": "Hello?"}]
LOOK = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


def tell(client: str, feature: str, work: Callable[[], object]) -> None:
    if MODEL != "good" and feature not in OF_WORDS:
        return
    why = ""
    try:
        if work() is False:
            why = "not as expected"
    except Exception:
        why = traceback.format_exc()
    print(json.dumps([client, feature, why]), flush=True)


def is_answer(text: str) -> bool:
    return text == ANSWER if MODEL == "good" else bool(text.strip())


def is_refused(ask: Callable[[str, str, int], object]) -> bool:
    """Whether each of REFUSALS is openai's own exception. `ask` gets a key, a model, and how often to ask again."""
    for key, model, kind, status, code in REFUSALS:
        retries = 0 if status >= 500 else openai.DEFAULT_MAX_RETRIES  # what passes is worth a retry, which takes time
        try:
            ask(key, model, retries)
        except openai.APIStatusError as error:
            is_its = isinstance(error, getattr(openai, kind)) and (error.status_code, error.code) == (status, code)
            if not is_its or not error.request_id:
                raise
        else:
            raise AssertionError(code)
    return True


def openai_python() -> None:
    client = openai.OpenAI(base_url=ADDRESS, api_key=KEY)
    chat, name = client.chat.completions.create, "openai-python"
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": LOOK}}]

    def stream() -> bool:
        options = {"include_usage": True}
        chunks = list(chat(model=MODEL, messages=HELLO, max_tokens=FEW, stream=True, stream_options=options))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        return is_answer(text) and (chunks[-1].usage.total_tokens == 12 or MODEL != "good")

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

    def edit() -> bool:
        made = client.images.edit(model="image-edits", image=("x.png", base64.b64decode(PNG)), prompt="x")
        return bool(made.data[0].b64_json)

    def refuse(key: str, model: str, retries: int) -> None:
        other = openai.OpenAI(base_url=ADDRESS, api_key=key, max_retries=retries)
        other.chat.completions.create(model=model, messages=HELLO)

    tell(name, "models", lambda: MODEL in [model.id for model in client.models.list()])
    tell(
        name,
        "chat",
        lambda: is_answer(chat(model=MODEL, messages=HELLO, max_tokens=FEW).choices[0].message.content),
    )
    tell(name, "stream", stream)
    tell(name, "tools", look_up)
    tell(name, "schema", schema)
    tell(name, "pictures", see)
    tell(name, "responses", respond)
    tell(
        name, "embeddings", lambda: len(client.embeddings.create(model="embed-good", input="x").data[0].embedding) == 3
    )
    tell(name, "images", lambda: bool(client.images.generate(model="image-good", prompt="x").data[0].b64_json))
    tell(name, "edits", edit)
    tell(name, "moderations", lambda: client.moderations.create(input="a bomb").results[0].flagged)
    tell(name, "errors", lambda: is_refused(refuse))


def openai_aiohttp() -> None:
    def open_client(key: str = KEY, retries: int = openai.DEFAULT_MAX_RETRIES) -> openai.AsyncOpenAI:
        http_client = openai.DefaultAioHttpClient()
        return openai.AsyncOpenAI(base_url=ADDRESS, api_key=key, max_retries=retries, http_client=http_client)

    def tell_of(feature: str, ask: Callable[[openai.AsyncOpenAI], Awaitable[bool]]) -> None:
        async def run() -> bool:
            async with open_client() as client:
                return await ask(client)

        tell("openai-python (aiohttp)", feature, lambda: asyncio.run(run()))

    async def models(client: openai.AsyncOpenAI) -> bool:
        return MODEL in [model.id async for model in client.models.list()]

    async def chat(client: openai.AsyncOpenAI) -> bool:
        answer = await client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=FEW)
        return is_answer(answer.choices[0].message.content)

    async def stream(client: openai.AsyncOpenAI) -> bool:
        chunks = await client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=FEW, stream=True)
        return is_answer("".join([chunk.choices[0].delta.content or "" async for chunk in chunks]))

    async def respond(client: openai.AsyncOpenAI) -> bool:
        events = [event async for event in await client.responses.create(model="good", input="x", stream=True)]
        return events[-1].type == "response.completed"

    async def embed(client: openai.AsyncOpenAI) -> bool:
        vectors = await client.embeddings.create(model="embed-good", input="x")
        return len(vectors.data[0].embedding) == 3

    async def refuse(key: str, model: str, retries: int) -> None:
        async with open_client(key, retries) as client:
            await client.chat.completions.create(model=model, messages=HELLO)

    tell_of("models", models)
    tell_of("chat", chat)
    tell_of("stream", stream)
    tell_of("responses", respond)
    tell_of("embeddings", embed)
    tell("openai-python (aiohttp)", "errors", lambda: is_refused(lambda *asked: asyncio.run(refuse(*asked))))


def simons_llm() -> None:
    def model(name: str, **can: bool) -> Chat:
        return Chat(f"campus-{name}", model_name=name, api_base=ADDRESS, **can)

    def look_up(number: int) -> str:
        """Look a number up."""
        return f"{number} is the answer"

    def refuse(key: str, name: str, _retries: int) -> None:  # it has no such option
        model(name).prompt("Hello?", key=key, stream=False).text()

    def use_tool() -> bool:
        chain = model("scholar", supports_tools=True).chain(
            "Please look_up 42", tools=[llm.Tool.function(look_up)], key=KEY
        )
        return "42 is the answer" in chain.text()

    def use_schema() -> bool:
        answer = model("scholar", supports_schema=True).prompt("42", schema=LOOK, key=KEY, stream=False)
        return json.loads(answer.text()) == {"number": 42}

    few = {"key": KEY, "max_tokens": FEW}
    tell("llm", "chat", lambda: is_answer(model(MODEL).prompt("Hello?", stream=False, **few).text()))
    tell("llm", "stream", lambda: is_answer("".join(model(MODEL).prompt("Hello?", **few))))
    tell("llm", "tools", use_tool)
    tell("llm", "schema", use_schema)
    tell("llm", "errors", lambda: is_refused(refuse))


def pydantic_ai() -> None:
    provider = OpenAIProvider(base_url=ADDRESS, api_key=KEY)
    few = {"max_tokens": FEW}

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
        async with chat(MODEL).run_stream("Hello?", model_settings=few) as run:
            return is_answer(await run.get_output())

    def refuse(key: str, model: str, retries: int) -> None:
        client = openai.AsyncOpenAI(base_url=ADDRESS, api_key=key, max_retries=retries)
        try:
            Agent(OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))).run_sync("Hello?")
        except ModelHTTPError as error:
            cause = error.__cause__  # it alone has a place for the request id
            if (error.status_code, error.body["code"]) == (cause.status_code, cause.code):
                raise cause from None
            raise

    picture = BinaryContent(data=b"x", media_type="image/png")
    tell("pydantic-ai", "chat", lambda: is_answer(chat(MODEL).run_sync("Hello?", model_settings=few).output))
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
    tell("pydantic-ai", "errors", lambda: is_refused(refuse))


def langchain() -> None:
    def chat(name: str = MODEL, key: str = KEY, **options: object) -> ChatOpenAI:
        return ChatOpenAI(model=name, base_url=ADDRESS, api_key=key, **options)

    def refuse(key: str, model: str, retries: int) -> None:
        chat(model, key, max_retries=retries).invoke("Hello?")

    name, few = "langchain-openai", {"max_tokens": FEW}
    embeddings = OpenAIEmbeddings(model="embed-good", base_url=ADDRESS, api_key=KEY, check_embedding_ctx_length=False)
    tell(name, "chat", lambda: is_answer(chat(**few).invoke("Hello?").text))
    tell(name, "stream", lambda: is_answer("".join(chunk.text for chunk in chat(**few).stream("Hello?"))))
    tell(name, "responses", lambda: chat(use_responses_api=True).invoke("Hello?").text == ANSWER)
    tell(name, "embeddings", lambda: len(embeddings.embed_query("x")) == 3)
    tell(name, "errors", lambda: is_refused(refuse))


for client in (openai_python, openai_aiohttp, simons_llm, pydantic_ai, langchain):
    tell(client.__name__, "runs", client)

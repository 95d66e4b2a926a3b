"""Our HTTP client against raw sockets: framing, keeping connections, losing them, and not being flooded."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import LazySettings

from core.ids import new_id
from core.types import Operation
from gateway.errors import UpstreamDown, UpstreamError, UpstreamTimeout
from gateway.types import Call, Chunk, ProviderKind, Target
from gateway.upstreams import http1
from gateway.upstreams.openai_compatible import OpenAICompatible
from gateway.upstreams.pacing import pace
from gateway.upstreams.streams import Stream

EVENTS = b"".join(
    b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":%b}]}\n\n' % event
    for event in ((b"Hello", b"null"), (b" world", b"null"), ("，你好".encode(), b"null"), (b"", b'"stop"'))
)
DONE = b"data: [DONE]\n\n"
SAID = "Hello world，你好"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

Script = Callable[["Talk"], Awaitable[None]]


class Talk:
    """One connection as the provider sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader, self.writer, self.number = reader, writer, number

    async def hear(self) -> bytes:
        """One whole request; empty when the other side has left."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return head + await self.reader.readexactly(length)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


class Provider:
    """Where the connections come in."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.over = asyncio.Event()  # a talk has ended
        self.port = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.script(Talk(reader, writer, self.connections))
        except ConnectionError:
            pass
        finally:
            self.over.set()
            writer.close()


@asynccontextmanager
async def provider(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
    fake = Provider(script)
    server = await asyncio.start_server(fake.converse, "127.0.0.1", 0, ssl=tls)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()


@pytest.fixture
async def adapter() -> AsyncIterator[OpenAICompatible]:
    adapter = OpenAICompatible()
    yield adapter
    await adapter.close()


def open_stream(adapter: OpenAICompatible, port: int, *, stream: bool = True, **changes: str) -> Stream:
    values = {"base_url": f"http://127.0.0.1:{port}/v1", "credential": "sk-provider", **changes}
    target = Target("public", "m", "fake", ProviderKind.COMPATIBLE, **values)  # type: ignore[arg-type]
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    return adapter.open(target, Call(new_id(), Operation.CHAT, "public", body, stream=stream))


async def text_of(stream: Stream) -> str:
    try:
        return "".join([chunk.text async for chunk in stream])
    finally:
        await stream.aclose()


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    framed = b"".join(b"%x;note=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return framed + b"0\r\n" + trailer + b"\r\n"


async def good(talk: Talk) -> None:
    """Answers every request on a connection."""
    while await talk.hear():
        await talk.say(STREAM_HEAD + chunked(EVENTS, DONE))


async def test_a_connection_serves_one_call_after_another(adapter: OpenAICompatible) -> None:
    async with provider(good) as fake:
        said = [await text_of(open_stream(adapter, fake.port)) for _ in range(5)]

    assert said == [SAID] * 5
    assert fake.connections == 1


async def test_a_request_asks_for_no_compression_and_carries_the_credential(adapter: OpenAICompatible) -> None:
    heard = []

    async def script(talk: Talk) -> None:
        heard.append(await talk.hear())
        await talk.say(STREAM_HEAD + chunked(EVENTS, DONE))

    async with provider(script) as fake:
        await text_of(open_stream(adapter, fake.port))

    head = heard[0].partition(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n" % fake.port)
    assert b"accept-encoding: identity" in head
    assert b"authorization: Bearer sk-provider" in head


async def test_a_credential_writes_no_headers_of_its_own(adapter: OpenAICompatible) -> None:
    async with provider(good) as fake:
        with pytest.raises(UpstreamError):
            await text_of(open_stream(adapter, fake.port, credential="sk\r\nx-evil: 1"))

    assert fake.connections == 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 61])
async def test_the_bytes_may_be_cut_anywhere(adapter: OpenAICompatible, size: int) -> None:
    answer = (
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + STREAM_HEAD
        + chunked(*(EVENTS[i : i + 11] for i in range(0, len(EVENTS), 11)), DONE, trailer=b"x-checksum: 1\r\n")
    )

    async def script(talk: Talk) -> None:
        await talk.hear()
        for start in range(0, len(answer), size):
            await talk.say(answer[start : start + size])
            await asyncio.sleep(0)

    async with provider(script) as fake:
        assert await text_of(open_stream(adapter, fake.port)) == SAID


async def test_a_connection_is_kept_when_the_end_of_the_body_comes_after_the_last_event(
    adapter: OpenAICompatible,
) -> None:
    may_end = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(STREAM_HEAD + b"%x\r\n%b\r\n" % (len(EVENTS + DONE), EVENTS + DONE))
        await may_end.wait()
        await talk.say(b"0\r\n\r\n")
        await good(talk)

    async with provider(script) as fake:
        assert await text_of(open_stream(adapter, fake.port)) == SAID
        may_end.set()
        while not next(iter(adapter._straight._pools.values()))._idle:  # noqa: ASYNC110  a turn of the loop each
            await asyncio.sleep(0)
        assert await text_of(open_stream(adapter, fake.port)) == SAID

    assert fake.connections == 1


async def test_a_kept_connection_that_died_costs_nothing(adapter: OpenAICompatible) -> None:
    """The provider closes it just as the next request comes: nothing was sent back, so it is sent once more."""

    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(STREAM_HEAD + chunked(EVENTS, DONE))
        if talk.number == 1:
            await talk.hear()
            talk.writer.transport.abort()
        else:
            await good(talk)

    async with provider(script) as fake:
        assert [await text_of(open_stream(adapter, fake.port)) for _ in range(3)] == [SAID] * 3

    assert fake.connections == 2


async def test_a_request_is_not_sent_again_once_something_came_back(adapter: OpenAICompatible) -> None:
    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(STREAM_HEAD + chunked(EVENTS, DONE))
        await talk.hear()
        await talk.say(b"HTTP/1.1 200")
        talk.writer.transport.abort()

    async with provider(script) as fake:
        await text_of(open_stream(adapter, fake.port))
        with pytest.raises(UpstreamDown):
            await text_of(open_stream(adapter, fake.port))

    assert fake.connections == 1


async def test_a_new_connection_that_dies_is_a_failure(adapter: OpenAICompatible) -> None:
    async def script(talk: Talk) -> None:
        await talk.hear()

    async with provider(script) as fake:
        with pytest.raises(UpstreamDown):
            await text_of(open_stream(adapter, fake.port))

    assert fake.connections == 1


@pytest.mark.parametrize("parting", [b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"])
async def test_an_idle_connection_that_closes_or_speaks_is_not_used(adapter: OpenAICompatible, parting: bytes) -> None:
    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(STREAM_HEAD + chunked(EVENTS, DONE) + parting)

    async with provider(script) as fake:
        await text_of(open_stream(adapter, fake.port))
        await fake.over.wait()
        assert await text_of(open_stream(adapter, fake.port)) == SAID

    assert fake.connections == 2


async def test_only_so_many_connections_wait(adapter: OpenAICompatible, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "_MOST_IDLE", 2)
    async with provider(good) as fake:
        await asyncio.gather(*(text_of(open_stream(adapter, fake.port)) for _ in range(6)))
        [pool] = adapter._straight._pools.values()
        assert len(pool._idle) == 2

    assert fake.connections == 6


@pytest.mark.parametrize(
    "answer",
    [
        STREAM_HEAD + b"%x\r\n%b\r\n" % (len(EVENTS), EVENTS),  # half-close in the middle of a chunked body
        STREAM_HEAD + chunked(EVENTS),  # all of the framing, and no [DONE]
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + EVENTS + DONE[:-1],
        b"HTTP/1.1 200 OK\r\n\r\n" + EVENTS,
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"y" * 1000) for i in range(100)),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=[
        "cut",
        "no-done",
        "short",
        "no-length",
        "upgrade",
        "two-lengths",
        "gzip",
        "endless-head",
        "not-http",
        "silence",
    ],
)
async def test_an_answer_that_is_no_whole_answer_is_a_failure(adapter: OpenAICompatible, answer: bytes) -> None:
    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(answer)
        talk.writer.write_eof()
        await talk.reader.read()

    async with provider(script) as fake:
        with pytest.raises(UpstreamError):
            await text_of(open_stream(adapter, fake.port))


async def test_a_body_without_a_length_ends_with_its_connection(adapter: OpenAICompatible) -> None:
    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"HTTP/1.0 200 OK\r\n\r\n" + EVENTS + DONE)

    async with provider(script) as fake:
        assert await text_of(open_stream(adapter, fake.port)) == SAID
        assert await text_of(open_stream(adapter, fake.port)) == SAID

    assert fake.connections == 2


@pytest.mark.parametrize("whole", [True, False], ids=["plain", "stream"])
async def test_a_flood_is_cut_off(adapter: OpenAICompatible, whole: bool) -> None:
    said = 0

    async def script(talk: Talk) -> None:
        nonlocal said
        await talk.hear()
        await talk.say(STREAM_HEAD)
        while said < 100_000_000:
            await talk.say(
                b"10000\r\n" + (b"x" * 65536 if whole else b": comment\n\n" * 5957 + b": c\n\n\n\n\n") + b"\r\n"
            )
            said += 65536

    async with provider(script) as fake:
        with pytest.raises(UpstreamError):
            await text_of(open_stream(adapter, fake.port, stream=not whole))
        await fake.over.wait()

    assert said < 30_000_000


async def test_hanging_up_closes_the_connection(adapter: OpenAICompatible) -> None:
    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(STREAM_HEAD + b"%x\r\n%b\r\n" % (len(EVENTS), EVENTS))
        assert await talk.reader.read() == b""

    async with provider(script) as fake:
        stream = open_stream(adapter, fake.port)
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(fake.over.wait(), 2)


async def test_what_nobody_reads_stays_with_the_provider(adapter: OpenAICompatible) -> None:
    """Pulled: a little waits here, then the connection is left unread until there is room."""
    said = 0

    async def script(talk: Talk) -> None:
        nonlocal said
        await talk.hear()
        await talk.say(STREAM_HEAD)
        event = EVENTS.partition(b"\n\n")[0].replace(b"Hello", b"x" * 8000) + b"\n\n"
        for _ in range(1000):
            await talk.say(b"%x\r\n%b\r\n" % (len(event), event))
            said += 1
        await talk.say(chunked(EVENTS, DONE))

    async with provider(script) as fake:
        stream = open_stream(adapter, fake.port)
        await anext(stream)
        for _ in range(200):
            await asyncio.sleep(0.001)
        assert said < 1000
        assert stream._ready_size < 1024 * 1024
        assert (await text_of(stream)).endswith(SAID)


async def test_what_arrives_in_one_read_is_poured_at_once(adapter: OpenAICompatible) -> None:
    may_go_on = asyncio.Event()
    first, *others, last = [event + b"\n\n" for event in EVENTS.split(b"\n\n") if event]

    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(STREAM_HEAD + b"%x\r\n%b\r\n" % (len(first), first))
        await may_go_on.wait()
        await talk.say(chunked(*others, last, DONE))  # five chunks of HTTP in one packet

    async with provider(script) as fake:
        stream = open_stream(adapter, fake.port)
        ahead = await anext(stream)
        may_go_on.set()
        poured: list[list[Chunk]] = []
        await stream.pour(poured.append)
        await stream.aclose()

    assert [len(chunks) for chunks in poured] == [3]
    assert ahead.text + "".join(chunk.text for chunk in poured[0]) == SAID


async def test_a_busy_process_reads_on_when_its_pause_is_over_but_not_for_whom_the_client_is_slow(
    adapter: OpenAICompatible, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "pause", 0.01)
    may_go_on = asyncio.Event()
    first, *others = [event + b"\n\n" for event in EVENTS.split(b"\n\n") if event]

    async def script(talk: Talk) -> None:
        await talk.hear()
        await talk.say(STREAM_HEAD + b"%x\r\n%b\r\n" % (len(first), first))
        for event in others:
            await may_go_on.wait()  # each event is read alone
            may_go_on.clear()
            await talk.say(b"%x\r\n%b\r\n" % (len(event), event))
        await may_go_on.wait()
        await talk.say(chunked(DONE))

    async with provider(script) as fake:
        stream = open_stream(adapter, fake.port)
        poured: list[Chunk] = [await anext(stream)]
        is_slow = asyncio.Event()

        def take(chunks: list[Chunk]) -> None:
            poured.extend(chunks)
            may_go_on.set()
            if len(poured) == 2:
                asyncio.get_running_loop().call_soon(stream.pause)  # while the line rests
                is_slow.set()

        pouring = asyncio.create_task(stream.pour(take))
        may_go_on.set()
        await is_slow.wait()
        await asyncio.sleep(10 * pace.pause)
        assert len(poured) == 2
        stream.resume()
        await pouring
        await stream.aclose()

    assert "".join(chunk.text for chunk in poured) == SAID


# ---- TLS, and a proxy ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and provider.test that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Harbour test authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("provider.test")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_provider_behind_tls_is_believed_by_its_authority_only(
    adapter: OpenAICompatible, certificate: Path, settings: LazySettings
) -> None:
    async with provider(good, tls=tls_of(certificate)) as fake:
        address = f"https://127.0.0.1:{fake.port}/v1"
        with pytest.raises(UpstreamDown):
            await text_of(open_stream(adapter, 0, base_url=address))
        await adapter.close()

        settings.UPSTREAM_CA_FILE = str(certificate)
        assert await text_of(open_stream(adapter, 0, base_url=address)) == SAID
        with pytest.raises(UpstreamDown):  # the certificate names another host
            await text_of(open_stream(adapter, 0, base_url=f"https://localhost:{fake.port}/v1"))


async def test_a_proxy_is_asked_for_what_is_not_on_this_machine(
    adapter: OpenAICompatible, settings: LazySettings
) -> None:
    heard = []

    async def script(talk: Talk) -> None:
        heard.append(await talk.hear())
        await talk.say(STREAM_HEAD + chunked(EVENTS, DONE))

    async with provider(script) as proxy, provider(good) as here:
        settings.UPSTREAM_PROXY = f"http://127.0.0.1:{proxy.port}"
        assert await text_of(open_stream(adapter, 0, base_url="http://provider.test/v1")) == SAID
        assert await text_of(open_stream(adapter, here.port)) == SAID

    assert heard[0].startswith(b"POST http://provider.test/v1/chat/completions HTTP/1.1\r\n")
    assert (proxy.connections, here.connections) == (1, 1)


def tunnel_to(port: int, heard: list[bytes]) -> Script:
    """A proxy that takes CONNECT, and leads to a port of this machine."""

    async def script(talk: Talk) -> None:
        heard.append(await talk.reader.readuntil(b"\r\n\r\n"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await talk.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(hand_over(talk.reader, writer), hand_over(reader, talk.writer))

    return script


async def hand_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_through_a_proxy_tls_reaches_to_the_provider(
    adapter: OpenAICompatible, certificate: Path, settings: LazySettings
) -> None:
    heard: list[bytes] = []

    async with (
        provider(good, tls=tls_of(certificate)) as fake,
        provider(tunnel_to(fake.port, heard)) as proxy,
    ):
        settings.UPSTREAM_PROXY = f"http://127.0.0.1:{proxy.port}"
        with pytest.raises(UpstreamDown):  # nobody vouches for the certificate
            await text_of(open_stream(adapter, 0, base_url="https://provider.test/v1"))
        await adapter.close()

        settings.UPSTREAM_CA_FILE = str(certificate)
        assert await text_of(open_stream(adapter, 0, base_url="https://provider.test/v1")) == SAID
        await adapter.close()

    assert heard[1].startswith(b"CONNECT provider.test:443 HTTP/1.1\r\n")
    assert b"sk-provider" not in b"".join(heard)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 Connection established\r\n\r\n"], ids=["connect", "tls"])
async def test_a_proxy_that_falls_silent_is_waited_for_as_long_as_for_a_connection(
    adapter: OpenAICompatible, settings: LazySettings, answer: bytes
) -> None:
    async def script(talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.say(answer)
        await talk.reader.read(-1)

    async with provider(script) as proxy:
        settings.UPSTREAM_PROXY = f"http://127.0.0.1:{proxy.port}"
        settings.UPSTREAM_CONNECT_SECONDS = 0.2
        async with asyncio.timeout(20):
            with pytest.raises(UpstreamTimeout):
                await text_of(open_stream(adapter, 0, base_url="https://provider.test/v1"))
        await adapter.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_lets_nobody_in_is_a_failure_and_not_asked_again(
    adapter: OpenAICompatible, settings: LazySettings, scheme: str
) -> None:
    async def script(talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.say(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

    async with provider(script) as proxy:
        settings.UPSTREAM_PROXY = f"http://127.0.0.1:{proxy.port}"
        with pytest.raises(UpstreamError) as raised:
            await text_of(open_stream(adapter, 0, base_url=f"{scheme}://provider.test/v1"))

    assert not raised.value.is_transient

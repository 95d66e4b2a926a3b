"""Nobody makes the server fetch an address: it speaks to configured providers alone (contract, C31)."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from typing import Any

import httpx2

from tests.fakes.upstream import FakeUpstream
from tests.servers import Server

# A machine that nobody may reach, in every spelling a resolver, a browser or a careless check may read as it.
SPELLINGS = [
    "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://LOCALHOST.:{port}/", "http://127.1:{port}/",
    "http://127.0.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/", "http://017700000001:{port}/", "http://0:{port}/", "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/", "http://[::]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/", "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/", "http://[::1%25lo]:{port}/",
    "http://127.0.0.1.nip.io:{port}/", "http://localtest.me:{port}/", "http://rebind.example:{port}/",
    "http://example.org@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@example.org/", "http://example.org\\@127.0.0.1:{port}/",
    "http:/\\127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http:127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}/",
    "\thttp://127.0.0.1:{port}/", "http://127.0.0.1\t:{port}/", "http://①②⑦.⓪.⓪.①:{port}/", "http://127。0。0。1:{port}/",
    "http://%31%32%37.0.0.1:{port}/", "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/_GET", "file:///etc/passwd",
    "data:image/png;base64,http://127.0.0.1:{port}/", "data:text/html,<img src=http://127.0.0.1:{port}/>",
    "http://169.254.169.254/latest/meta-data/", "blob:http://127.0.0.1:{port}/x",
]  # fmt: skip
CHAT, RESPONSES, MODERATIONS = "/v1/chat/completions", "/v1/responses", "/v1/moderations"
HELLO = [{"role": "user", "content": "Hi"}]


def list_bodies(address: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every place of a request in which other gateways have fetched an address or gone to one."""

    def said(*parts: object) -> list[dict[str, object]]:
        return [{"role": "user", "content": list(parts)}]

    chat = {"model": "good", "messages": HELLO}
    yield CHAT, {**chat, "messages": said({"type": "image_url", "image_url": {"url": address}})}
    yield CHAT, {**chat, "messages": said({"type": "file", "file": {"file_data": address}})}
    yield RESPONSES, {"model": "good", "input": said({"type": "input_image", "image_url": address})}
    yield RESPONSES, {"model": "good", "input": said({"type": "input_file", "file_data": address})}
    yield RESPONSES, {"model": "good", "input": said({"type": "input_file", "file_url": address})}
    yield RESPONSES, {"model": "good", "input": "Hi", "tools": [{"type": "mcp", "server_url": address}]}
    yield MODERATIONS, {"model": "moderate-good", "input": [{"type": "image_url", "image_url": {"url": address}}]}
    for field in ("api_base", "base_url", "webhook", "proxy", "fallbacks", "model_list", "image_url", "custom_host"):
        yield CHAT, {**chat, field: address}


@contextmanager
def trap() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who came there."""
    came: list[object] = []
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:

        def wait() -> None:
            while True:
                try:
                    connection, who = listener.accept()
                except OSError:
                    return
                came.append(who)
                connection.close()

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        yield listener.getsockname()[1], came
        listener.shutdown(socket.SHUT_RDWR)
        waiting.join(5)


def test_c31_no_address_in_a_request_is_fetched(server: Server, offered: FakeUpstream, saras_key: str) -> None:
    with (
        trap() as (port, came),
        httpx2.Client(base_url=server.address, timeout=60, headers={"authorization": f"Bearer {saras_key}"}) as web,
    ):
        asked = [body for spelling in SPELLINGS for body in list_bodies(spelling.replace("{port}", str(port)))]
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda one: web.post(one[0], json=one[1]), asked))

        accepted = [body for body, answer in zip(asked, answers, strict=True) if answer.status_code != 400]
        assert accepted == []
        assert len(asked) >= 150
        assert offered.calls() == []
        assert came == []


def test_c31_no_header_leads_a_call_elsewhere(server: Server, offered: FakeUpstream, saras_key: str) -> None:
    names = (
        "x-portkey-custom-host", "x-upstream", "x-forwarded-host", "x-original-url", "x-rewrite-url", "forwarded",
        "openai-base-url", "api-base", "x-litellm-api-base", "proxy", "x-http-host-override", "referer",
    )  # fmt: skip
    with (
        trap() as (port, came),
        httpx2.Client(base_url=server.address, timeout=60, headers={"authorization": f"Bearer {saras_key}"}) as web,
    ):
        for name, address in product(names, (f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}")):
            answer = web.post(CHAT, json={"model": "good", "messages": HELLO}, headers={name: address})
            assert answer.status_code in (200, 429), answer.text

        assert came == []

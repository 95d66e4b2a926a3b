"""Which models a provider offers, asked with the openai package's own client, the way that calls go.

Loaded when it is first asked, which is seldom: importing that package takes a second and 28 MiB of a process.
"""

import time
from collections.abc import Iterator

import httpx2
import openai
import orjson
from django.conf import settings

from gateway.errors import UpstreamDown, UpstreamError, UpstreamTimeout
from gateway.types import ProviderKind, Target
from gateway.upstreams.refusals import error_of
from gateway.upstreams.transport import is_near, make_ssl

_MOST = 4 * 1024 * 1024  # bytes of a list
_SECONDS = 5.0  # until it is not waited for any longer


def list_model_names(target: Target) -> list[str]:
    """The ids of GET /v1/models (see base.Adapter)."""
    try:
        with _client_of(target) as client, client.models.with_streaming_response.list() as answer:
            return [str(model["id"]) for model in orjson.loads(_read_listing(answer.iter_bytes()))["data"]]
    except openai.APIStatusError as error:
        raise error_of(target, error.status_code, dict(error.response.headers), error.response.content) from error
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        raise UpstreamTimeout from error
    except (openai.OpenAIError, httpx2.HTTPError) as error:
        raise UpstreamDown from error
    except (ValueError, LookupError, TypeError) as error:
        raise UpstreamError from error  # an answer, and no list of models


def _client_of(target: Target) -> openai.OpenAI:
    transport = openai.DefaultHttpx2Client(
        proxy=None if is_near(target.base_url) else settings.UPSTREAM_PROXY or None,
        verify=make_ssl(),
        timeout=_SECONDS,
        follow_redirects=False,
        trust_env=False,
    )
    if target.kind == ProviderKind.AZURE:
        return openai.AzureOpenAI(
            azure_endpoint=target.base_url,
            api_version=target.api_version,
            api_key=target.credential or "none",
            max_retries=0,
            http_client=transport,
        )
    return openai.OpenAI(
        base_url=target.base_url, api_key=target.credential or "none", max_retries=0, http_client=transport
    )


def _read_listing(pieces: Iterator[bytes]) -> bytes:
    """The whole of a list, unless it takes too long or grows too long."""
    latest, body = time.monotonic() + _SECONDS, b""
    for piece in pieces:
        body += piece
        if time.monotonic() > latest:
            raise UpstreamTimeout
        if len(body) > _MOST:
            raise UpstreamError
    return body

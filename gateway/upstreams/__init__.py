"""The doors to providers: one adapter per kind, found by name so that a command that relays nothing loads none."""

from functools import cache
from typing import cast

from django.utils.module_loading import import_string

from gateway.types import ProviderKind
from gateway.upstreams.base import Adapter

_ADAPTERS = {
    ProviderKind.OPENAI: "gateway.upstreams.openai_compatible.OpenAICompatible",
    ProviderKind.AZURE: "gateway.upstreams.openai_compatible.OpenAICompatible",
    ProviderKind.COMPATIBLE: "gateway.upstreams.openai_compatible.OpenAICompatible",
    ProviderKind.LOCAL: "gateway.upstreams.openai_compatible.OpenAICompatible",
    ProviderKind.PLACEHOLDER: "gateway.upstreams.placeholder.Placeholder",
}


def get_adapter(kind: ProviderKind) -> Adapter:
    """The one adapter of this process for a kind of provider."""
    return _load(_ADAPTERS[kind])


def load_adapters() -> None:
    """Import every adapter now, so that the first call does not wait for it."""
    for path in _ADAPTERS.values():
        _load(path)


async def close_adapters() -> None:
    """Close the connections of every adapter; each opens new ones when it is used again."""
    for path in set(_ADAPTERS.values()):
        await _load(path).close()


@cache
def _load(path: str) -> Adapter:
    return cast("Adapter", import_string(path)())

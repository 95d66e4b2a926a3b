"""What the relay expects of an adapter. Whatever goes wrong at a provider leaves here as one of gateway.errors."""

from collections.abc import Callable
from typing import Protocol, TypeGuard

from gateway.types import Call, Chunk, Target


class Chunks(Protocol):
    """The chunks of one reply; an asynchronous generator is one of these."""

    def __aiter__(self) -> "Chunks": ...

    async def __anext__(self) -> Chunk:
        """The next chunk; StopAsyncIteration only after a complete answer."""
        ...

    async def aclose(self) -> None:
        """Close the connection to the provider, unless the answer is complete."""
        ...


class Pourable(Protocol):
    """What Chunks may offer beside: no turn of the event loop between a provider's piece and the person's."""

    async def pour(self, sink: Callable[[list[Chunk]], None]) -> None:
        """Hand the rest to the sink as it arrives, all chunks of one read at a time."""
        ...

    def pause(self) -> None:
        """Let the provider wait."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...


def is_pourable(chunks: Chunks) -> TypeGuard[Pourable]:
    """Whether these chunks can be poured. (`isinstance` with a protocol takes a hundred times as long.)"""
    return hasattr(chunks, "pour")


class Adapter(Protocol):
    """Speaks to one kind of provider."""

    def open(self, target: Target, call: Call) -> Chunks:
        """The reply to a call, sent when its first chunk is asked for: many for a stream, one for a plain answer.

        Raises (from the chunks):
            UpstreamError: anything but a complete answer; the provider's own words go to the log, never further.
        """
        ...

    def list_model_names(self, target: Target) -> list[str]:
        """The provider's own names of its models (synchronous: for the catalog).

        Raises:
            UpstreamError: the provider could not be asked.
        """
        ...

    async def close(self) -> None:
        """Close idle connections."""
        ...

"""What the relay expects of an adapter. Whatever goes wrong at a provider leaves here as one of gateway.errors."""

from collections.abc import AsyncGenerator
from typing import Protocol

from gateway.types import Call, Chunk, Target


class Adapter(Protocol):
    """Speaks to one kind of provider."""

    def open(self, target: Target, call: Call) -> AsyncGenerator[Chunk, None]:
        """Send the call and yield its reply: many chunks for a stream, one for a plain answer.

        Ends normally only after a complete answer. Closing the generator closes the connection to the provider.

        Raises:
            UpstreamError: anything else; the provider's own words go to the log, never into the message.
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

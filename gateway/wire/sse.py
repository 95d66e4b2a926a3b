"""Server-sent events, framed as OpenAI frames them."""

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"


def event(data: bytes) -> bytes:
    """One event of JSON that fits on a line."""
    return b"data: %b\n\n" % data

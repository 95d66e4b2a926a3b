"""Server-sent events, framed as OpenAI frames them."""

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"


def event(data: bytes, *, name: str = "") -> bytes:
    """One event of JSON that fits on a line, under its name if it has one."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data

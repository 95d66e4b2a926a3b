"""Addresses at which no provider can be spoken to: nobody there, a black hole, a certificate nobody vouches for."""

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ADDRESSES = ("connect-refused", "connect-nowhere", "connect-swallowed", "tls-none", "tls-of-a-stranger")


@contextmanager
def open_addresses(folder: Path) -> Iterator[dict[str, str]]:
    """The base URL of each of ADDRESSES, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        refused = stack.enter_context(_listener())
        swallowed = stack.enter_context(_black_hole())
        plain = stack.enter_context(_greeter(None))
        stranger = stack.enter_context(_greeter(_strangers_certificate(folder)))
        refused_port = refused.getsockname()[1]
        refused.close()
        yield {
            "connect-refused": f"http://127.0.0.1:{refused_port}/v1",
            "connect-nowhere": "http://provider.invalid/v1",
            "connect-swallowed": f"http://127.0.0.1:{swallowed}/v1",
            "tls-none": f"https://127.0.0.1:{plain}/v1",
            "tls-of-a-stranger": f"https://127.0.0.1:{stranger}/v1",
        }


def _listener(backlog: int = 16) -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(backlog)
    return listener


@contextmanager
def _black_hole() -> Iterator[int]:
    """A full queue that nobody empties: the kernel answers no further knock."""
    with _listener(0) as listener, contextlib.ExitStack() as stack:
        for _ in range(4):
            knocker = stack.enter_context(socket.socket())
            knocker.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                knocker.connect(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def _greeter(certificate: ssl.SSLContext | None) -> Iterator[int]:
    """A server that takes connections: with a certificate of its own making, or without TLS at all."""
    with _listener() as listener:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(2)
                    if certificate is None:
                        connection.recv(1024)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                    else:
                        certificate.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=greet, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def make_certificate(folder: Path) -> Path:
    """A certificate of this machine that nobody vouches for, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().issuer_name(name).subject_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    signed = made.sign(key, hashes.SHA256())
    file = folder / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return file


def _strangers_certificate(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(folder))
    return context

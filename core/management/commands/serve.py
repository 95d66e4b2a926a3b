"""`manage.py serve`: the real server, in development too. Pages, API and streams share one ASGI process per worker."""

from contextlib import suppress

import uvicorn
from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, connection

from core.protocol import Protocol

# A typical answer is over by then; longer ones are settled by the lifespan's end and followed from their row.
GRACE_SECONDS = 20

# Longer than a proxy keeps idle connections (deploy/nginx.conf): else one would send a call into a closing one.
KEEP_ALIVE_SECONDS = 75


class Command(BaseCommand):
    help = "Serve pages, API and streams (HOST, PORT and WORKERS, or the options of the same name)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (default: HOST)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on (default: PORT)")
        parser.add_argument("--workers", type=int, default=settings.WORKERS, help="processes (default: WORKERS)")
        parser.add_argument("--grace", type=int, default=GRACE_SECONDS, help="seconds open streams have at the end")

    def handle(self, *, host: str, port: int, workers: int, grace: int, **options: object) -> None:
        self._check_database()
        uvicorn.run(
            "config.asgi:application",
            host=host,
            port=port,
            workers=workers,
            loop="uvloop",
            http=Protocol,
            ws="none",  # nothing here speaks WebSocket
            lifespan="on",
            timeout_graceful_shutdown=grace,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            # Any client can write a forwarding header: believed only from the proxies the operator names.
            proxy_headers=bool(settings.TRUSTED_PROXIES),
            forwarded_allow_ips=settings.TRUSTED_PROXIES,
            server_header=False,
            access_log=False,
            log_config=None,
        )

    def _check_database(self) -> None:
        """Refuse to start on one that may forget (contract, C01). One that is away is waited for: it may be well."""
        with suppress(Error):
            self.check(tags=[Tags.database], databases=[connection.alias])
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()  # type: ignore[attr-defined]  # workers have pools of their own

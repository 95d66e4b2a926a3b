"""One server process of a race: reserves for one person from several threads and prints how many were admitted.

Run as `python -m tests.quotas.racer USER_ID ATTEMPTS`; starts when a line arrives on its standard input.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import django


def main(user_id: int, attempts: int) -> None:
    from django.db import connections  # noqa: PLC0415 (after django.setup)

    from accounts.models import User  # noqa: PLC0415
    from quotas.errors import QuotaExhausted  # noqa: PLC0415
    from tests.quotas.conftest import reserve  # noqa: PLC0415

    user = User.objects.get(pk=user_id)

    def attempt(_: int) -> bool:
        try:
            reserve(user)
        except QuotaExhausted:
            return False
        else:
            return True
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        print(sum(pool.map(attempt, range(attempts))), flush=True)  # noqa: T201


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main(int(sys.argv[1]), int(sys.argv[2]))

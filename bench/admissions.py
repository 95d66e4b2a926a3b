"""`python -m bench.admissions EMAIL MODEL`: calls a second through admission and conclusion, without any provider."""

import sys
import time

import django

from config import env

env.choose_settings()
django.setup()

from accounts.authentication import principal_of  # noqa: E402  # models can be imported only now
from accounts.selectors import get_person  # noqa: E402
from core.ids import new_id  # noqa: E402
from core.types import Operation  # noqa: E402
from gateway.admission import admit, conclude, settle  # noqa: E402
from gateway.types import Call, Ending  # noqa: E402
from usage.types import Outcome  # noqa: E402

CALLS = 300


def main(email: str, model: str) -> None:
    """Admit, settle and conclude one call after the other, each a transaction on the disk."""
    principal = principal_of(get_person(email))
    began = time.monotonic()
    for _ in range(CALLS):
        admission = admit(principal, Call(id=new_id(), operation=Operation.CHAT, model=model, body={}))
        settle(admission)
        conclude(admission, Ending(Outcome.SERVED))
    print(f"{CALLS / (time.monotonic() - began):.0f} a second")


if __name__ == "__main__":
    main(*sys.argv[1:])

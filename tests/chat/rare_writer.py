"""`manage.py serve` that writes into the row of an answer only when it has ended: who knows it before has heard it."""

from datetime import timedelta

import django

from config import env

env.choose_settings()
django.setup()

from django.core.management import execute_from_command_line  # noqa: E402

from chat import answering  # noqa: E402
from chat.services import conversations  # noqa: E402

answering.SAVE_EVERY = 3600.0
conversations.LEASE = timedelta(hours=2)
execute_from_command_line(["manage.py", "serve"])

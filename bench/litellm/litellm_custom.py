"""What LiteLLM is measured with where its database cannot be installed: a key with limits and a budget, a log line.

Runs inside LiteLLM's own environment; this understates what its keys in PostgreSQL would cost.
"""

import json
import os
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth


async def authenticate(request: Any, api_key: str) -> UserAPIKeyAuth:
    """The one user there is."""
    if api_key != "sk-bench":
        raise PermissionError
    return UserAPIKeyAuth(
        api_key=api_key, user_id="bench", rpm_limit=10_000_000, tpm_limit=10**10, max_budget=1e9, spend=0.0
    )


class _LinePerCall(CustomLogger):
    def __init__(self) -> None:
        super().__init__()
        self._log = Path(os.environ["BENCH_LOG"]).open("a", buffering=1)  # noqa: SIM115  as long as the process

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        usage = getattr(response_obj, "usage", None)
        self._log.write(json.dumps({"model": kwargs.get("model"), "usage": str(usage), "at": str(end_time)}) + "\n")


line_per_call = _LinePerCall()

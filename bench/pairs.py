"""A plain call beside nginx, turn about each second, so that a machine that changes its pace changes it for both.

What `python -m bench http` says of a plain call, in runs of five seconds a minute apart, differs by a third where other
machines share the processor; the median of many short pairs does not.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

from bench.http import Drivers, Target, gateway_in, nginx_in, plain_calls, provider_in, versions

_CONNECTIONS = 128
_WARM = 4  # seconds before the first pair


def main(options: argparse.Namespace) -> None:
    """Measure, and print the quartiles of both and of their ratio."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        drivers = Drivers(folder)
        provider = f"http://127.0.0.1:{stack.enter_context(provider_in(folder, drivers))}"
        targets = [stack.enter_context(nginx_in(folder, provider)), stack.enter_context(gateway_in(folder, provider))]
        for target in targets:
            _cost(drivers, target, _WARM)
        pairs = [[_cost(drivers, target, 1) for target in targets] for _ in range(max(2, options.pairs))]
    print(f"\n{versions()}\n{len(pairs)} pairs of seconds, {_CONNECTIONS} connections\n")
    print("| CPU of a plain call | least | quartile | median | quartile | most |\n|---|---|---|---|---|---|")
    nginx, ours = zip(*pairs, strict=True)
    ratios = [one / other for other, one in pairs]
    for label, values in (("nginx, us", nginx), ("this gateway, us", ours), ("x nginx", ratios)):
        figures = (min(values), *quantiles(values, n=4), max(values))
        print(f"| {label} | {' | '.join(f'{figure:.1f}' for figure in figures)} |")


def _cost(drivers: Drivers, target: Target, seconds: int) -> float:
    cost, found = plain_calls(drivers, target, seconds, "-c", str(_CONNECTIONS))
    if refused := found["bad_status"] + found["errors"]:
        sys.exit(f"{target.name} did not answer {refused} calls.")
    return cost

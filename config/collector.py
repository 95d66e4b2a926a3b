"""How often a server looks for cycles (docs/decisions/0008)."""

import gc

_YOUNG = 10_000  # new objects between two looks
_OLDER, _OLDEST = 100, 20  # looks at the new between two at what has stayed, and of those between two at everything


def spare() -> None:
    """Leave what is loaded alone from now on, and look at what is new as seldom as makes nobody wait for it.

    Code and settings stay, and calls leave no cycles: at its usual pace the collector would take a quarter of a busy
    process to find nothing. The more seldom it comes, the longer each look stops everybody.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDEST)

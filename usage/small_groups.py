"""Which groups of people an aggregate must not show, so that no number describes a few."""

from collections.abc import Hashable, Mapping, Set
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def groups_to_hide(people: Mapping[Key, Set[int]], *, least: int) -> set[Key]:
    """The groups whose numbers stay hidden, given who is in each.

    A group of fewer than `least` people is hidden. Where the totals of all groups are shown too, whoever subtracts
    the shown rows from them learns the sum of the hidden ones: so the smallest shown groups are hidden with them, until
    that sum is about `least` people and at least two groups, or nothing is left to show (complementary suppression).

    Args:
        people: group -> the ids of its people; empty groups tell nothing and are never hidden.
        least: how many people make a group large enough.
    """
    peopled = {key: members for key, members in people.items() if members}
    hidden = {key for key, members in peopled.items() if len(members) < least}
    if not hidden:
        return hidden
    for key in sorted(peopled.keys() - hidden, key=lambda key: (len(peopled[key]), str(key))):
        if len(hidden) > 1 and len(set().union(*(peopled[small] for small in hidden))) >= least:
            break
        hidden.add(key)
    return hidden

"""Who may pass which door: every route of the URL configuration and of the router, for seven kinds of people (C27).

The table is matrix.txt beside this file. Its words:

    yes     let in: shown, done, sent on, or asked to mend the (empty) form
    login   sent to the sign-in page, or told to sign in
    403     told that it is for others
    404     not told that it is there

`student` asks for what is Sara's as Sara, `instructor` teaches her course, the `other` ones have nothing to do with it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from django.urls import URLPattern, URLResolver, get_resolver

from tests.authorization.conftest import PEOPLE, World

TABLE = Path(__file__).parent / "matrix.txt"
WIDTH = 66  # of the first column
METHODS = ("GET", "POST", "PATCH", "DELETE")
_PARAMETER = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>|\(\?P<(?P<regex>\w+)>[^)]*\)+\*?")
_NOWHERE = {"uuid": "00000000-0000-0000-0000-000000000000", "int": "9", "str": "nothing"}


def list_routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Every route below `patterns`, as it is written in the URL configuration."""
    for pattern in patterns:
        route = before + str(pattern.pattern).lstrip("^").removesuffix("$").removesuffix("\\Z").replace("\\.", ".")
        if isinstance(pattern, URLResolver):
            yield from list_routes(pattern.url_patterns, route)
        else:
            yield "/" + route


def address_of(route: str, world: World) -> str:
    """The address of something of Sara's; of nothing where `world` has no such thing."""
    resource = route.split("/")[2] if route.startswith("/api/") else ""

    def value(found: re.Match[str]) -> str:
        name = found["name"] or found["regex"]
        thing = world.things.get(f"{resource}/{name}", world.things.get(name))
        return str(_NOWHERE[found["kind"] or "str"] if thing is None else thing)

    return _PARAMETER.sub(value, route)


def shown(route: str) -> str:
    """The route as the table has it: parameters by name."""
    return _PARAMETER.sub(lambda found: f"<{found['name'] or found['regex']}>", route)


def word_of(world: World, who: str, method: str, address: str) -> str:
    """What becomes of one request, in a word of the table."""
    status = world.ask(who, method, address)
    if who == "anonymous" and status in (302, 401):
        return "login"
    return "yes" if status < 400 or status in (400, 409, 415) else str(status)


def words_of(world: World, method: str, address: str) -> list[str]:
    """What becomes of the seven; nothing where the method is not offered to the two who may come closest to it."""
    closest = {who: word_of(world, who, method, address) for who in ("administrator", "instructor")}
    if "405" in closest.values():
        return []
    return [closest.get(who) or word_of(world, who, method, address) for who in PEOPLE]


def rows(world: World, routes: list[str]) -> dict[str, str]:
    """Every route and method that is offered, and what becomes of the seven."""
    found = {}
    for route in routes:
        address = address_of(route, world)
        for method in METHODS if route.startswith("/api/") else METHODS[:2]:
            if words := words_of(world, method, address):
                found[f"{method:6} {shown(route)}"] = "".join(f"{word:17}" for word in words).rstrip()
    return found


def written() -> dict[str, str]:
    """The table as it stands in the file."""
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return {line[:WIDTH].rstrip(): line[WIDTH:].rstrip() for line in lines}


def line_of(key: str, words: str) -> str:
    return f"{key:{WIDTH}}{words}"


def test_every_route_has_a_stated_result_for_everybody(world: World, spared_turn: None) -> None:
    routes = sorted({route for route in list_routes(get_resolver().url_patterns) if not route.startswith("/admin/")})
    actual, stated = rows(world, routes), written()
    missing = [line_of(key, words) for key, words in actual.items() if stated.get(key) != words]
    gone = [line_of(key, words) for key, words in stated.items() if key not in actual]
    said = ["The table of who may do what and the program differ. Think about each line, then"]
    if missing:
        said += [f"put into {TABLE.name}, in place of the line of the same route if there is one:", *missing]
    if gone:
        said += [f"take out of {TABLE.name}:", *gone]
    assert len(said) == 1, "\n".join(said)


def test_djangos_admin_is_for_administrators_alone(world: World) -> None:
    routes = {route for route in list_routes(get_resolver().url_patterns) if route.startswith("/admin/")}
    plain = sorted(route for route in routes if "<" not in route and "/log" not in route and "jsi18n" not in route)
    let_in = [
        (who, route) for route in plain for who in PEOPLE[:-1] if world.ask(who, "GET", route) not in (302, 403, 404)
    ]
    assert let_in == []
    assert len(plain) > 20

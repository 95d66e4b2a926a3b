"""Which pages there are, read from the URL configuration: a new page is looked at without anybody's adding it here."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from django.db import connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User

Places = list[tuple[User | None, list[str]]]

# Django's own pages for administrators, machines' answers, and what leads elsewhere.
_NOT_OURS = ("/admin/", "/api/", "/readyz", "/metrics", "/static/")
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)+\*?")


def list_routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Every route below `patterns`, as it is written in the URL configuration."""
    for pattern in patterns:
        route = before + str(pattern.pattern).lstrip("^").removesuffix("$").removesuffix("\\Z").replace("\\.", ".")
        if isinstance(pattern, URLResolver):
            yield from list_routes(pattern.url_patterns, route)
        else:
            yield "/" + route


def list_addresses(things: Mapping[str, object], *, of_admin: bool = False) -> list[str]:
    """An address for every route whose parameters have a value in `things`."""
    found = []
    for route in list_routes(get_resolver().url_patterns):
        names = [one or other for one, other in _PARAMETER.findall(route)]
        is_asked_for = route.startswith("/admin/") if of_admin else not route.startswith(_NOT_OURS)
        if is_asked_for and not route.endswith(".csv") and all(name in things for name in names):
            found.append(_PARAMETER.sub(lambda match: str(things[match[1] or match[2]]), route))
    return sorted(set(found))


def list_unknown_parameters(things: Mapping[str, object]) -> set[str]:
    """The parameters of our routes that nothing in `things` is named for: their pages would not be looked at."""
    found = {
        one or other
        for route in list_routes(get_resolver().url_patterns)
        if not route.startswith(_NOT_OURS) and not route.endswith(".csv")
        for one, other in _PARAMETER.findall(route)
    }
    return found - things.keys()


def list_closed(people: list[User | None], things: Mapping[str, object]) -> set[str]:
    """The addresses where each of `people` is told that there is nothing, or nothing for them."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_list_closed, people, things).result()


def _list_closed(people: list[User | None], things: Mapping[str, object]) -> set[str]:
    closed = set(list_addresses(things))
    for person in people:
        client = Client(headers={"accept": "text/html"}, raise_request_exception=False)
        if person:
            client.force_login(person)
        closed = {address for address in closed if not _answers(client, address)}
    connections.close_all()
    return closed


def _answers(client: Client, address: str) -> bool:
    response = client.get(address)
    response.close()
    is_sent_to_sign_in = "/accounts/login/" in response.headers.get("location", "")
    return response.status_code == 405 or (response.status_code < 400 and not is_sent_to_sign_in)


def list_places(people: list[User | None], things: Mapping[str, object]) -> Places:
    """Who opens which pages: each is opened by the first of `people` to whom it is shown."""
    # In a thread of its own: Playwright keeps an event loop in the main one, where no asynchronous view may be called.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_list_places, people, things).result()


def _list_places(people: list[User | None], things: Mapping[str, object]) -> Places:
    addresses = list_addresses(things)
    places: Places = []
    for person in people:
        client = Client(headers={"accept": "text/html"})
        if person:
            client.force_login(person)
        opened = [address for address in addresses if _is_page(client, address)]
        addresses = [address for address in addresses if address not in opened]
        places.append((person, opened))
    connections.close_all()
    return places


def _is_page(client: Client, address: str) -> bool:
    response = client.get(address)
    response.close()
    kind = response.headers.get("content-type", "")
    return response.status_code == 200 and kind.startswith("text/html") and "<html" in response.content.decode()

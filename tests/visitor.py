"""Somebody at the doors of a running server, for tests that read what it answers rather than look at a page."""

import httpx2

from accounts.models import User
from tests.conftest import PASSWORD
from tests.servers import Server

MEANT_FOR_DEVELOPERS = "you have DEBUG = True"  # Django's page of a fault, which tells all there is


class Visitor:
    """Somebody with a browser or a program at the doors, who keeps what was answered to errors."""

    def __init__(self, server: Server, errors: list[str], **headers: str) -> None:
        def keep(answer: httpx2.Response) -> None:
            if answer.status_code >= 400 and MEANT_FOR_DEVELOPERS not in answer.read().decode():
                errors.append(answer.text)

        hooks = {"response": [keep]}
        self.http = httpx2.Client(base_url=server.address, headers=headers, timeout=30, event_hooks=hooks)

    def close(self) -> None:
        """Leave."""
        self.http.close()

    def post_form(self, path: str, **fields: str) -> httpx2.Response:
        """A form of a page, with the token that the page gave."""
        self.http.get(path)
        return self.http.post(path, data={**fields, "csrfmiddlewaretoken": self.http.cookies["csrftoken"]})

    def sign_in(self, person: User) -> str:
        """The key of the session."""
        self.post_form("/accounts/login/", login=person.email, password=PASSWORD)
        self.http.headers |= {"x-csrftoken": self.http.cookies["csrftoken"], "accept": "application/json"}
        return str(self.http.cookies["sessionid"])

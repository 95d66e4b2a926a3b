"""What differs here from django-allauth's own sign-in."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """The university knows its people: nobody registers here."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

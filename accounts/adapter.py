"""What differs here from django-allauth's own sign-in."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from core import credentials


class AccountAdapter(DefaultAccountAdapter):
    """The university knows its people: nobody registers here."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SecondFactorAdapter(DefaultMFAAdapter):
    """Whoever reads the database cannot sign in as somebody else: the secrets in it are encrypted."""

    def encrypt(self, text: str) -> str:
        return credentials.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        # What an earlier version wrote stands there as it is, in letters and digits that no token begins with.
        return credentials.decrypt(encrypted_text) if encrypted_text.startswith("gAAAA") else encrypted_text

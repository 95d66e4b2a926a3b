"""Why a caller is not let in."""

from django.utils.translation import gettext_lazy as _

from core.errors import Refusal
from core.sheets import UnreadableSheet


class InvalidApiKey(Refusal):
    """No key, or one that is unknown, expired or revoked: the four look the same from outside."""

    code = "invalid_api_key"
    status = 401
    message = _("This API key is not valid. Create a new one on the page My keys.")


class AccountSuspended(Refusal):
    """The person exists and may not use the gateway for now."""

    code = "account_suspended"
    message = _("This account is suspended. Ask the service desk of your university.")


class SignInRequired(Refusal):
    """Nobody is signed in, and the caller is a script that cannot be shown the sign-in page."""

    code = "sign_in_required"
    status = 401
    message = _("You are not signed in any more. Sign in again; nothing was charged.")


class LastAdministrator(Refusal):
    """The change would leave the installation without an active administrator."""

    code = "last_administrator"
    status = 409
    message = _("This is the only active administrator. Make another person administrator first.")


class TooManyKeys(Refusal):
    """The person has as many active keys as one may have."""

    code = "too_many_keys"
    status = 409
    message = _("You have as many active keys as one person may have. Revoke one that you no longer use.")


class UnreadablePeople(UnreadableSheet):
    """A file of people has lines that cannot be imported; none of it was."""

    code = "unreadable_people"
    message = _("The file was not imported: some lines need mending.")

"""Why a caller is not let in."""

from django.utils.translation import gettext_lazy as _

from core.errors import Refusal


class InvalidApiKey(Refusal):
    """No key, or one that is unknown, expired or revoked: the four look the same from outside."""

    code = "invalid_api_key"
    status = 401
    message = _("This API key is not valid. Create a new one on the page My keys.")


class AccountSuspended(Refusal):
    """The person exists and may not use the gateway for now."""

    code = "account_suspended"
    message = _("This account is suspended. Ask the service desk of your university.")

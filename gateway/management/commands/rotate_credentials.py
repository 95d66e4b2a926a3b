"""`manage.py rotate_credentials`: after a new CREDENTIAL_KEY, with the former one in CREDENTIAL_KEY_OLD."""

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from gateway.services import rotate_credentials


class Command(BaseCommand):
    help = "Encrypt every credential and second factor under the present key; CREDENTIAL_KEY_OLD may go afterwards."

    def handle(self, *args: object, **options: object) -> None:
        try:
            count = rotate_credentials()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} credentials and second factors are encrypted under the present key.")

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The top floor: wiring, and the commands that need every room."""

    name = "config"

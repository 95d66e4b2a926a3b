from django.apps import AppConfig

from gateway import checks


class GatewayConfig(AppConfig):
    name = "gateway"
    # Naming the check here registers it.
    access_rules_check = checks.check_access_rules

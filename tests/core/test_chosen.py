"""What a call reads of the settings is what they are now."""

import pytest
from django.conf import LazySettings
from django.test import override_settings

from core.chosen import chosen


def test_a_setting_that_changes_is_seen_at_once_and_so_is_its_change_back(settings: LazySettings) -> None:
    before = chosen("MAX_REQUEST_BYTES")
    with override_settings(MAX_REQUEST_BYTES=7):
        assert chosen("MAX_REQUEST_BYTES") == 7
    assert chosen("MAX_REQUEST_BYTES") == before

    settings.MAX_REQUEST_BYTES = 8
    assert chosen("MAX_REQUEST_BYTES") == 8


def test_a_setting_that_nobody_made_is_missed_as_it_is_in_django() -> None:
    with pytest.raises(AttributeError, match="NO_SUCH_SETTING"):
        chosen("NO_SUCH_SETTING")

"""Anchors of one test are no other test's."""

from pathlib import Path

import pytest
from django.conf import LazySettings


@pytest.fixture(autouse=True)
def anchors(settings: LazySettings, tmp_path: Path) -> Path:
    settings.AUDIT_ANCHORS = str(tmp_path / "anchors")
    return tmp_path / "anchors"

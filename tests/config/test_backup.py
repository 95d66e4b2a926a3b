"""A backup holds what cannot be made again, and a restore brings it back."""

import tarfile
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from accounts.models import User


@pytest.fixture
def installation(settings: LazySettings, tmp_path: Path, sara: User) -> Path:
    """Sara's installation: one picture, one key, the database of the test."""
    settings.DATA_DIR = tmp_path / "data"
    settings.MEDIA_ROOT = settings.DATA_DIR / "media"
    settings.MEDIA_ROOT.mkdir(parents=True)
    (settings.MEDIA_ROOT / "picture.png").write_bytes(b"a picture")
    (settings.DATA_DIR / "secret_key").write_text("the key")
    return Path(settings.DATA_DIR)


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_a_backup_brings_back_people_pictures_and_the_key(installation: Path, tmp_path: Path) -> None:
    call_command("backup", tmp_path / "backup.tar")
    User.objects.create_user("late@example.edu", "came after the backup", name="Late Comer")
    (installation / "media" / "picture.png").unlink()
    (installation / "secret_key").write_text("another key")

    call_command("restore", tmp_path / "backup.tar", "--yes")

    assert list(User.objects.values_list("email", flat=True)) == ["sara@example.edu"]
    assert (installation / "media" / "picture.png").read_bytes() == b"a picture"
    assert (installation / "secret_key").read_text() == "the key"


@pytest.mark.django_db(transaction=True)
def test_a_backup_is_for_its_owner_alone(installation: Path, tmp_path: Path) -> None:
    call_command("backup", tmp_path / "backup.tar")
    assert (tmp_path / "backup.tar").stat().st_mode & 0o077 == 0


@pytest.mark.django_db(transaction=True)
def test_a_backup_never_overwrites_a_file(installation: Path, tmp_path: Path) -> None:
    (tmp_path / "backup.tar").write_text("last week's")
    with pytest.raises(CommandError, match="not written"):
        call_command("backup", tmp_path / "backup.tar")
    assert (tmp_path / "backup.tar").read_text() == "last week's"


@pytest.mark.django_db(transaction=True)
def test_a_restore_asks_before_it_replaces_people(installation: Path, tmp_path: Path) -> None:
    call_command("backup", tmp_path / "backup.tar")
    with pytest.raises(CommandError, match="--yes"):
        call_command("restore", tmp_path / "backup.tar")


@pytest.mark.django_db(transaction=True)
@pytest.mark.django_db(transaction=True)
def test_a_file_that_reaches_out_of_its_folder_restores_nothing(installation: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(installation / "secret_key", "database")
        tar.add(installation / "secret_key", "media/../../evil")
    with pytest.raises(CommandError, match="evil"):
        call_command("restore", tmp_path / "evil.tar", "--yes")
    assert not (tmp_path / "evil").exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_no_backup_restores_nothing(installation: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(installation / "media", "media")
    with pytest.raises(CommandError, match="Nothing was restored"):
        call_command("restore", tmp_path / "other.tar", "--yes")
    assert User.objects.filter(email="sara@example.edu").exists()

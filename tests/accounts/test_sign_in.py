"""People sign in with their university address, and out again, on this device or on all."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.hashers import identify_hasher
from django.core import mail
from django.test import Client

from accounts import services
from accounts.models import User
from tests.conftest import PASSWORD

LOGIN = "/accounts/login/"
SESSIONS = "/accounts/sessions/"
NEW_PASSWORD = "seven green ferries at noon"


def sign_in(client: Client, email: str, password: str = PASSWORD) -> int:
    return client.post(LOGIN, {"login": email, "password": password}).status_code


def is_signed_in(client: Client) -> bool:
    return client.get(SESSIONS).status_code == 200


def test_the_form_speaks_as_the_other_pages_do(client: Client) -> None:
    labels = [str(field.label) for field in client.get(LOGIN).context["form"].visible_fields()]
    assert labels == ["E-mail", "Password", "Remember me"]


def test_a_person_signs_in_and_out(client: Client, sara: User) -> None:
    answer = client.post(LOGIN, {"login": "Sara@Example.edu", "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)


def test_the_page_asked_for_comes_after_the_sign_in(client: Client, sara: User) -> None:
    to_sign_in = client.get(SESSIONS)
    assert to_sign_in.headers["Location"] == f"{LOGIN}?next={SESSIONS}"
    answer = client.post(to_sign_in.headers["Location"], {"login": sara.email, "password": PASSWORD})
    assert answer.headers["Location"] == SESSIONS
    elsewhere = Client().post(f"{LOGIN}?next=https://evil.example/", {"login": sara.email, "password": PASSWORD})
    assert elsewhere.headers["Location"] == "/"


def test_a_wrong_password_says_the_same_for_known_and_unknown_people(client: Client, sara: User) -> None:
    known = client.post(LOGIN, {"login": sara.email, "password": "not this one at all"})
    unknown = client.post(LOGIN, {"login": "nobody@example.edu", "password": "not this one at all"})
    assert known.status_code == unknown.status_code == 200
    assert known.context["form"].errors == unknown.context["form"].errors
    assert not is_signed_in(client)


@pytest.mark.parametrize("login", ["", "not an address", "x" * 300 + "@example.edu", "a\x00b@example.edu"])
def test_what_is_no_address_signs_nobody_in(client: Client, sara: User, login: str) -> None:
    assert sign_in(client, login) == 200
    assert not is_signed_in(client)


def test_guessing_ends_after_five_tries_and_the_right_password_does_not_help_then(client: Client, sara: User) -> None:
    for n in range(5):
        assert sign_in(client, sara.email, f"guess number {n} of many") == 200
    last = client.post(LOGIN, {"login": sara.email, "password": PASSWORD})
    assert last.status_code == 200
    assert "Too many failed login attempts" in str(last.context["form"].errors)
    assert not is_signed_in(client)


def test_another_person_is_not_locked_out_by_the_guessing(client: Client, sara: User, omar: User) -> None:
    for n in range(5):
        sign_in(client, sara.email, f"guess number {n} of many")
    assert sign_in(client, omar.email) == 302


def test_a_suspended_person_cannot_sign_in(client: Client, sara: User) -> None:
    services.suspend_person(user_id=sara.id)
    answer = client.post(LOGIN, {"login": sara.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/accounts/inactive/"
    assert client.get("/accounts/inactive/").status_code == 200
    assert not is_signed_in(client)


def test_a_suspension_ends_the_open_session_at_the_next_request(client: Client, sara: User) -> None:
    sign_in(client, sara.email)
    services.suspend_person(user_id=sara.id)
    assert not is_signed_in(client)
    services.restore_person(user_id=sara.id)
    assert not is_signed_in(client), "the old session must not come back to life"


def test_nobody_registers(client: Client, db: None) -> None:
    address = "stranger@example.org"
    answer = client.post("/accounts/signup/", {"email": address, "password1": PASSWORD, "password2": PASSWORD})
    assert answer.status_code == 200
    assert not User.objects.filter(email=address).exists()


def test_nobody_changes_the_address_the_university_gave(client: Client, sara: User) -> None:
    sign_in(client, sara.email)
    for method in (client.get, client.post):
        assert method("/accounts/email/", {"email": "me@elsewhere.example", "action_add": ""}).status_code in (404, 405)


def test_changing_the_password_ends_every_other_session(client: Client, sara: User) -> None:
    phone = Client()
    sign_in(client, sara.email)
    sign_in(phone, sara.email)
    answer = client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )
    assert answer.status_code == 302
    assert is_signed_in(client)
    assert not is_signed_in(phone)
    assert sign_in(phone, sara.email) == 200
    assert sign_in(phone, sara.email, NEW_PASSWORD) == 302


@pytest.mark.parametrize("weak", ["short", "passwordpassword1234"[:14], "sara@example.edu"])
def test_a_weak_new_password_is_refused(client: Client, sara: User, weak: str) -> None:
    sign_in(client, sara.email)
    answer = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": weak, "password2": weak})
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert User.objects.get(id=sara.id).check_password(PASSWORD)


def test_a_forgotten_password_is_reset_by_mail_once(client: Client, sara: User) -> None:
    client.post("/accounts/password/reset/", {"email": sara.email})
    (letter,) = mail.outbox
    assert letter.to == [sara.email]
    assert letter.subject.startswith(f"[{settings.SITE_NAME}]")
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", str(letter.body))
    assert link is not None
    form = client.get(link[1], follow=True)
    where = form.redirect_chain[-1][0]
    assert client.post(where, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}).status_code == 302
    assert sign_in(client, sara.email, NEW_PASSWORD) == 302
    again = Client().get(link[1], follow=True)
    assert again.context["token_fail"]


def test_a_stranger_learns_nothing_and_gets_no_mail(client: Client, sara: User) -> None:
    known = client.post("/accounts/password/reset/", {"email": sara.email})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.edu"})
    assert (known.status_code, known.headers["Location"]) == (unknown.status_code, unknown.headers["Location"])
    assert len(mail.outbox) == 1


def test_imported_people_without_a_password_set_one_by_mail(client: Client, db: None) -> None:
    services.create_person(email="new@example.edu", name="New")
    client.post("/accounts/password/reset/", {"email": "new@example.edu"})
    assert len(mail.outbox) == 1


def test_the_session_list_shows_every_device_and_ends_the_others(client: Client, sara: User) -> None:
    phone = Client(headers={"user-agent": "Phone/1.0"})
    sign_in(phone, sara.email)
    sign_in(client, sara.email)
    assert "Phone/1.0" in client.get(SESSIONS).content.decode()
    client.post(SESSIONS)
    assert is_signed_in(client)
    assert not is_signed_in(phone)


def test_sign_out_everywhere_ends_this_session_too_and_nobody_elses(client: Client, sara: User, omar: User) -> None:
    phone, omars = Client(), Client()
    sign_in(phone, sara.email)
    sign_in(omars, omar.email)
    sign_in(client, sara.email)
    assert client.get("/accounts/sessions/everywhere/").status_code == 405
    assert client.post("/accounts/sessions/everywhere/").headers["Location"] == LOGIN
    assert not is_signed_in(client)
    assert not is_signed_in(phone)
    assert is_signed_in(omars)


def test_passwords_are_kept_with_argon2(sara: User) -> None:
    assert identify_hasher(sara.password).algorithm == "argon2"


def test_the_admin_has_no_door_of_its_own(client: Client, root: User, sara: User) -> None:
    assert client.get("/admin/login/").headers["Location"].startswith(LOGIN)
    sign_in(client, sara.email)
    assert client.get("/admin/login/?next=/admin/").status_code == 403
    administrator = Client()
    sign_in(administrator, root.email)
    assert administrator.get("/admin/").status_code == 200


def test_a_sign_in_without_its_csrf_token_is_refused(sara: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, sara.email) == 403

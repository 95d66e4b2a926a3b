"""A person's language and appearance: kept in the account, followed on every page, and on the next computer."""

import pytest
from django.test import Client

from accounts.models import User
from audit.models import Entry


def test_the_browsers_language_is_followed_until_the_person_chooses(client: Client, db: None) -> None:
    page = client.get("/accounts/login/", headers={"accept-language": "zh-HK,zh;q=0.9"}).content.decode()
    assert '<html lang="zh-Hant"' in page
    assert "登入" in page


@pytest.mark.parametrize(("browser", "tag"), [("zh-TW", "zh-Hant"), ("zh-CN", "zh-Hans"), ("fr", "en")])
def test_a_regions_chinese_is_written_in_its_own_script(client: Client, db: None, browser: str, tag: str) -> None:
    page = client.get("/accounts/login/", headers={"accept-language": browser}).content.decode()
    assert f'<html lang="{tag}"' in page


def test_a_choice_before_the_sign_in_is_kept_by_the_browser(client: Client, db: None) -> None:
    response = client.post("/language/", {"language": "zh-hans", "next": "/accounts/login/"})
    assert response.headers["location"] == "/accounts/login/"
    assert "登录" in client.get("/accounts/login/").content.decode()


def test_a_choice_after_the_sign_in_follows_the_person_to_another_browser(client: Client, sara: User) -> None:
    client.force_login(sara)
    client.post("/language/", {"language": "zh-hant", "next": "/account/"})
    client.post("/appearance/", {"theme": "dark", "next": "/account/"})

    elsewhere = Client(headers={"accept-language": "en"})
    elsewhere.force_login(sara)
    assert '<html lang="zh-Hant" data-theme="dark"' in elsewhere.get("/account/").content.decode()


def test_a_person_can_follow_the_system_again(client: Client, sara: User) -> None:
    client.force_login(sara)
    client.post("/appearance/", {"theme": "dark"})
    client.post("/appearance/", {"theme": ""})
    assert "data-theme" not in client.get("/account/").content.decode()


@pytest.mark.parametrize(("path", "choice"), [("/language/", {"language": "tlh"}), ("/appearance/", {"theme": "pink"})])
def test_an_unknown_choice_changes_nothing(client: Client, sara: User, path: str, choice: dict[str, str]) -> None:
    client.force_login(sara)
    assert client.post(path, choice).status_code == 302
    sara.refresh_from_db()
    assert (sara.language, sara.theme) == ("", "")


def test_a_choice_never_leads_to_another_site(client: Client, db: None) -> None:
    response = client.post("/language/", {"language": "en", "next": "https://example.com/"})
    assert response.headers["location"] == "/"


def test_how_the_chat_page_behaves_is_kept_in_the_account_and_is_no_act_of_an_administrator(
    client: Client, sara: User
) -> None:
    client.force_login(sara)
    client.post("/account/chat/", {"waits_for_all": "on", "next": "/account/"})
    sara.refresh_from_db()
    assert (sara.is_advised, sara.waits_for_all) == (False, True)
    assert not Entry.objects.exists()

"""A university puts its name, color, logo and contact on the product; a phone keeps it as an app and keeps nothing of
anybody's."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client
from PIL import Image

from accounts.models import User


def test_the_color_is_the_one_token_that_is_set(client: Client, db: None, settings: LazySettings) -> None:
    settings.BRAND_COLOR = "#6f2c91"
    style = client.get("/brand.css")
    assert style.content == b":root { --brand: #6f2c91; }\n"
    assert style.headers["content-type"] == "text/css"
    page = client.get("/accounts/login/").content.decode()
    assert page.index("css/app") < page.index("/brand.css?")


def test_another_color_has_another_address_so_that_no_browser_keeps_the_old(
    client: Client, db: None, settings: LazySettings
) -> None:
    assert "/brand.css" not in client.get("/accounts/login/").content.decode()  # ours needs no second file
    settings.BRAND_COLOR = "#c8102e"
    before = client.get("/accounts/login/").content.decode().split("/brand.css?")[1][:8]
    settings.BRAND_COLOR = "#6f2c91"
    assert before != client.get("/accounts/login/").content.decode().split("/brand.css?")[1][:8]


def test_the_logo_is_a_picture_and_nothing_else(
    client: Client, db: None, settings: LazySettings, tmp_path: Path
) -> None:
    assert client.get("/logo").status_code == 404
    logo = tmp_path / "crest.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    settings.LOGO_FILE = str(logo)
    answer = client.get("/logo")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert 'class="logo"' in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize(
    ("contact", "href"), [("help@example.edu", "mailto:help@example.edu"), ("https://it.example.edu/", None)]
)
def test_whom_to_ask_stands_at_the_sign_in(
    client: Client, db: None, settings: LazySettings, contact: str, href: str | None
) -> None:
    assert "Need help?" not in client.get("/accounts/login/").content.decode()
    settings.CONTACT = contact
    assert f'href="{href or contact}"' in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize(("name", "value"), [("BRAND_COLOR", "teal; } body { color"), ("LOGO_FILE", "/nowhere.svg")])
def test_a_face_that_cannot_be_stops_the_start(name: str, value: str, tmp_path: Path) -> None:
    script = "from config import env; env.choose_settings(); import django; django.setup()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={name: value, "DATA_DIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert name in done.stderr


@pytest.mark.parametrize("size", [180, 192, 512])
def test_an_icon_has_the_color_and_its_size(client: Client, db: None, settings: LazySettings, size: int) -> None:
    settings.BRAND_COLOR = "#ffff00"
    with Image.open(io.BytesIO(client.get(f"/icon-{size}.png").content)) as icon:
        assert icon.size == (size, size)
        assert icon.convert("RGB").getpixel((0, 0)) == (255, 255, 0)
    assert client.get("/icon-64.png").status_code == 404


def test_the_manifest_is_enough_to_install(client: Client, db: None, settings: LazySettings) -> None:
    settings.SITE_NAME = "Ask Harbour"
    manifest = json.loads(client.get("/manifest.webmanifest").content)
    assert manifest["short_name"] == "Ask Harbour"
    assert manifest["display"] == "standalone"
    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512"}
    for address in [*(icon["src"] for icon in manifest["icons"]), *(each["url"] for each in manifest["shortcuts"])]:
        assert client.get(address).status_code in (200, 302)


def test_what_the_worker_keeps_is_nobodys(client: Client, sara: User) -> None:
    client.force_login(sara)
    script = client.get("/worker.js").content.decode()
    assert client.get("/worker.js").headers["content-type"] == "text/javascript"
    kept = json.loads("[" + script.split("FILES = [PAGE, ")[1].split("]")[0] + "]")
    assert all(address.startswith(("/static/", "/brand.css")) for address in kept)
    assert script.count("cache.add") == 1
    assert ".put(" not in script
    page = client.get("/offline/").content.decode()
    assert sara.name not in page
    assert "csrf" not in page

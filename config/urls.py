"""Every page of the product, room by room."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from config import brand, pages, probes

# One door with one rate limit and one second factor; signed-in people of other roles get 403.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign, no-untyped-call]

handler500 = "config.middleware.answer_fault"

urlpatterns = [
    path("readyz", probes.ready),
    path("metrics", probes.metrics),
    path("brand.css", brand.style, name="brand-style"),
    path("logo", brand.logo, name="logo"),
    path("icon-<int:size>.png", brand.icon, name="icon"),
    path("manifest.webmanifest", brand.manifest, name="manifest"),
    path("worker.js", brand.worker, name="worker"),
    path("offline/", brand.offline, name="offline"),
    path("account/", pages.account, name="account"),
    path("language/", pages.language, name="language"),
    path("notices/<int:notice_id>/dismiss/", pages.dismiss, name="notice_dismiss"),
    path("appearance/", pages.appearance, name="appearance"),
    path("account/signed-in/", pages.signed_in, name="signed-in"),
    path("account/chat/", pages.chat_habits, name="chat-habits"),
    path("manage/settings/", pages.installation, name="installation"),
    path("", include("accounts.urls")),
    path("", include("courses.urls")),
    path("", include("policies.urls")),
    path("api/", include("config.resources")),
    path("", include("quotas.urls")),
    path("", include("usage.urls")),
    path("", include("review.urls")),
    path("", include("gateway.urls")),
    path("", include("chat.urls")),
    path("admin/", admin.site.urls),
]

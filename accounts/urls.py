"""Pages about oneself, beside django-allauth's own under /accounts/."""

from django.urls import include, path

from accounts import views

urlpatterns = [
    path("keys/", views.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", views.revoke, name="key_revoke"),
    path("accounts/sessions/everywhere/", views.sign_out_everywhere, name="sign_out_everywhere"),
    path("accounts/email/", views.not_offered),
    path("accounts/confirm-email/", views.not_offered),
    path("accounts/", include("allauth.urls")),
]

"""Pages about oneself and the administrators' pages of people, beside django-allauth's own under /accounts/."""

from django.urls import include, path

from accounts import desk, views

urlpatterns = [
    path("keys/", views.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", views.revoke, name="key_revoke"),
    path("accounts/sessions/everywhere/", views.sign_out_everywhere, name="sign_out_everywhere"),
    path("accounts/email/", views.not_offered),
    path("accounts/confirm-email/", views.not_offered),
    path("accounts/", include("allauth.urls")),
    path("manage/people/", desk.people, name="manage_people"),
    path("manage/people/import/", desk.people_import, name="people_import"),
    path("manage/people/<int:user_id>/", desk.person, name="manage_person"),
    path("manage/people/<int:user_id>/suspend/", desk.suspend, name="person_suspend"),
    path("manage/people/<int:user_id>/restore/", desk.restore, name="person_restore"),
    path("manage/people/<int:user_id>/sign-out/", desk.sign_out, name="person_sign_out"),
    path("manage/people/<int:user_id>/keys/", desk.revoke_keys, name="person_revoke_keys"),
]

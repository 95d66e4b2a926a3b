"""Pages of the clauses."""

from django.urls import path

from policies import desk, views

urlpatterns = [
    path("clauses/", views.clauses, name="clauses"),
    path("clauses/versions/<int:version_id>/", views.wording, name="clause_wording"),
    path("clauses/versions/<int:version_id>/changes/", desk.changes, name="clause_changes"),
    path("manage/notices/", desk.notices, name="manage_notices"),
    path("manage/notices/new/", desk.new_notice, name="new_notice"),
    path("manage/notices/<int:notice_id>/", desk.notice, name="manage_notice"),
    path("manage/notices/<int:notice_id>/end/", desk.end_notice, name="notice_end"),
    path("manage/clauses/", desk.clauses, name="manage_clauses"),
    path("manage/clauses/<int:clause_id>/draft/", views.draft, name="clause_draft"),
    path("manage/clauses/<int:clause_id>/accepted/", desk.acceptances, name="clause_acceptances"),
    path("manage/clauses/versions/<int:version_id>/", views.version, name="clause_version"),
    path("manage/clauses/versions/<int:version_id>/publish/", views.publish, name="clause_publish"),
    path("manage/clauses/versions/<int:version_id>/discard/", views.discard, name="clause_discard"),
]

"""Pages that read what happened: a teacher's courses, and the administrators' first page."""

from django.urls import path

from review import desk, mailbox, teaching, views

urlpatterns = [
    path("review/", views.courses, name="review_courses"),
    path("review/<str:code>/", views.course, name="review_course"),
    path("review/<str:code>/weeks.csv", views.weeks_csv, name="review_weeks_csv"),
    path("review/<str:code>/people.csv", views.people_csv, name="review_people_csv"),
    path("review/<str:code>/rule/", teaching.rule, name="review_rule"),
    path("review/<str:code>/rule/<str:assignment>/", teaching.rule, name="review_assignment_rule"),
    path("review/<str:code>/assignments/", teaching.add_assignment, name="review_assignments"),
    path(
        "review/<str:code>/assignments/<str:assignment>/remove/",
        teaching.remove_assignment,
        name="review_assignment_remove",
    ),
    path("review/<str:code>/exams/", teaching.exams, name="review_exams"),
    path("review/<str:code>/exams/<int:exam_id>/end/", teaching.end_exam, name="review_exam_end"),
    path("review/<str:code>/exams/<int:exam_id>/exceptions/", teaching.add_exception, name="review_exceptions"),
    path(
        "review/<str:code>/exceptions/<int:exception_id>/remove/",
        teaching.remove_exception,
        name="review_exception_remove",
    ),
    path("review/<str:code>/permissions/", teaching.permissions, name="review_permissions"),
    path("review/<str:code>/permissions/<int:permission_id>/", teaching.decide_permission, name="review_permission"),
    path("reports/", mailbox.reports, name="reports"),
    path("reports/<uuid:token>/", mailbox.report, name="report"),
    path("manage/audit/", desk.audit, name="manage_audit"),
    path("manage/audit/verify/", desk.verify_audit, name="verify_audit"),
    path("manage/", views.dashboard, name="manage"),
    path("manage/quotas/simulation/", views.simulation, name="quota_simulation"),
]

"""Pages that read what happened: a teacher's courses, and the administrators' first page."""

from django.urls import path

from review import views

urlpatterns = [
    path("review/", views.courses, name="review_courses"),
    path("review/<str:code>/", views.course, name="review_course"),
    path("review/<str:code>/weeks.csv", views.weeks_csv, name="review_weeks_csv"),
    path("review/<str:code>/people.csv", views.people_csv, name="review_people_csv"),
    path("manage/", views.dashboard, name="manage"),
]

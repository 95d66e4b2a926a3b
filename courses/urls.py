"""The administrators' pages of courses; a teacher's are in the room review."""

from django.urls import path

from courses import desk

urlpatterns = [
    path("manage/courses/", desk.courses, name="manage_courses"),
    path("manage/courses/<str:code>/", desk.course, name="manage_course"),
    path("manage/courses/<str:code>/roster/", desk.roster, name="manage_roster"),
]

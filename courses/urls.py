"""A student's pages of courses, and the administrators'; a teacher's are in the room review."""

from django.urls import path

from courses import desk, terms_desk, views

urlpatterns = [
    path("courses/", views.my_courses, name="my_courses"),
    path("courses/<str:code>/", views.my_course, name="my_course"),
    path("courses/<str:code>/accept/", views.accept, name="accept_rule"),
    path("courses/<str:code>/permission/", views.ask_permission, name="ask_permission"),
    path("manage/terms/", terms_desk.terms, name="manage_terms"),
    path("manage/terms/<int:term_id>/", terms_desk.term, name="manage_term"),
    path("manage/terms/<int:term_id>/remove/", terms_desk.remove, name="term_remove"),
    path("manage/courses/", desk.courses, name="manage_courses"),
    path("manage/courses/<str:code>/", desk.course, name="manage_course"),
    path("manage/courses/<str:code>/roster/", desk.roster, name="manage_roster"),
]

"""Pages of usage: my own by model and course, who looked, and the administrator's view of all."""

from django.urls import path

from usage import views

urlpatterns = [
    path("usage/models/", views.summary, name="usage_summary"),
    path("usage/models.csv", views.summary_csv, name="usage_summary_csv"),
    path("usage/who-looked/", views.who_looked, name="who_looked"),
    path("manage/usage/", views.manage_usage, name="manage_usage"),
    path("manage/usage.csv", views.manage_usage_csv, name="manage_usage_csv"),
    path("manage/usage/calls/", views.manage_calls, name="manage_calls"),
    path("manage/usage/calls.csv", views.manage_calls_csv, name="manage_calls_csv"),
]

"""The administrators' pages of the catalog. /v1 has no place here: gateway/asgi.py answers it."""

from django.urls import path

from gateway import alarms_desk, bill_desk, desk

urlpatterns = [
    path("manage/alarms/", alarms_desk.alarms, name="manage_alarms"),
    path("manage/alarms/seen/", alarms_desk.seen, name="alarms_seen"),
    path("manage/alarms/rules/", alarms_desk.rules, name="alarm_rules"),
    path("manage/alarms/mail/", alarms_desk.wish, name="alarm_mail"),
    path("manage/usage/bill/", bill_desk.bill, name="manage_bill"),
    path("manage/models/", desk.models, name="manage_models"),
    path("manage/models/new/", desk.new_model, name="new_model"),
    path("manage/models/<int:model_id>/", desk.model, name="manage_model"),
    path("manage/providers/", desk.providers, name="manage_providers"),
    path("manage/providers/new/", desk.new_provider, name="new_provider"),
    path("manage/providers/<int:provider_id>/", desk.provider, name="manage_provider"),
    path("manage/providers/<int:provider_id>/addresses/new/", desk.new_address, name="new_address"),
    path("manage/providers/addresses/<int:upstream_id>/", desk.address, name="manage_address"),
    path("manage/providers/addresses/<int:upstream_id>/test/", desk.test, name="address_test"),
    path("manage/providers/addresses/<int:upstream_id>/forget/", desk.forget, name="address_forget"),
]

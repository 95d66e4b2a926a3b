"""Pages of the ledger: the statement, the meter, and the rules."""

from django.urls import path

from quotas import views

urlpatterns = [
    path("usage/", views.statement, name="statement"),
    path("usage/statement.csv", views.statement_csv, name="statement_csv"),
    path("usage/meter/", views.meter, name="quota_meter"),
    path("manage/quotas/", views.manage_quotas, name="manage_quotas"),
    path("manage/quotas/<int:quota_id>/withdraw/", views.withdraw, name="quota_withdraw"),
]

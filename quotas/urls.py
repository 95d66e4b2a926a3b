"""Pages of the ledger: the statement, the meter, asking for more, and those who decide."""

from django.urls import path

from quotas import desk, views

urlpatterns = [
    path("usage/", views.statement, name="statement"),
    path("usage/statement.csv", views.statement_csv, name="statement_csv"),
    path("usage/meter/", views.meter, name="quota_meter"),
    path("usage/requests/", views.ask, name="ask"),
    path("usage/requests/<int:request_id>/withdraw/", views.withdraw_request, name="request_withdraw"),
    path("usage/buy/<int:offer_id>/", views.buy, name="buy"),
    path("payments/notification/", views.payment_notification, name="payment_notification"),
    path("payments/test/<uuid:reference>/", views.test_payment, name="test_payment"),
    path("review/requests/", desk.requests, name="review_requests"),
    path("manage/requests/", desk.all_requests, name="manage_requests"),
    path("manage/requests/limits/", desk.approver_limits, name="approver_limits"),
    path("requests/<int:request_id>/", desk.decide, name="request_decide"),
    path("manage/pools/", desk.pools, name="manage_pools"),
    path("manage/offers/", desk.offers, name="manage_offers"),
    path("manage/quotas/", views.manage_quotas, name="manage_quotas"),
    path("manage/quotas/import/", views.import_quotas, name="quotas_import"),
    path("manage/quotas/<int:quota_id>/undo/", views.undo, name="quota_undo"),
    path("manage/quotas/<int:quota_id>/withdraw/", views.withdraw, name="quota_withdraw"),
]

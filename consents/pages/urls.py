"""Addresses of people's pages about choices."""

from django.urls import path
from django.views.generic import RedirectView

from consents.pages import receipts, views

urlpatterns = [
    path("", views.home, name="home"),
    path("choices/", views.choices, name="choices"),
    path("choices/choose/", views.choose, name="choose"),
    path("history/", views.history, name="history"),
    path("receipts/", RedirectView.as_view(pattern_name="history"), name="receipts"),
    path("receipts/<str:reference>/", receipts.receipt, name="receipt"),
    path("receipts/<str:reference>/<str:form>/", receipts.download, name="receipt-download"),
    path("verify/", receipts.verify, name="verify"),
    path("notices/", views.notices, name="notices"),
    path("notices/<slug:slug>/<int:version>/", views.notice, name="notice"),
]

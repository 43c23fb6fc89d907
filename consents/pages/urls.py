"""Addresses of people's pages about choices."""

from django.urls import path
from django.views.generic import RedirectView

from consents.pages import gpc, notices, objecting, receipts, views
from consents.vocabulary import Action

urlpatterns = [
    path("", views.home, name="home"),
    path("choices/", views.choices, name="choices"),
    path("choices/choose/", views.choose, name="choose"),
    path("history/", views.history, name="history"),
    path("receipts/", RedirectView.as_view(pattern_name="history"), name="receipts"),
    path("receipts/<str:reference>/", receipts.receipt, name="receipt"),
    path("receipts/<str:reference>/<str:form>/", receipts.download, name="receipt-download"),
    path("verify/", receipts.verify, name="verify"),
    path("object/", objecting.ask, {"action": Action.OBJECT}, name="object"),
    path("object/undo/", objecting.ask, {"action": Action.GRANT}, name="object-undo"),
    path("object/code/", objecting.code, name="object-code"),
    path("object/done/", objecting.done, name="object-done"),
    path("signal/", gpc.signal, name="signal"),
    path("signal/say/", gpc.say, name="signal-say"),
    path(".well-known/gpc.json", gpc.support, name="gpc-support"),
    path("notices/", notices.notices, name="notices"),
    path("notices/<slug:slug>/<int:version>/", notices.notice, name="notice"),
    path("notices/<slug:slug>/<int:before>/<int:after>/", notices.difference, name="notice-difference"),
]

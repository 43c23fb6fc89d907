"""Addresses of people's pages about choices."""

from django.urls import path

from consents.pages import notices, views

urlpatterns = [
    path("", views.home, name="home"),
    path("choices/", views.choices, name="choices"),
    path("choices/choose/", views.choose, name="choose"),
    path("history/", views.history, name="history"),
    path("receipts/<str:reference>/", views.receipt, name="receipt"),
    path("notices/", notices.notices, name="notices"),
    path("notices/<slug:slug>/<int:version>/", notices.notice, name="notice"),
    path("notices/<slug:slug>/<int:before>/<int:after>/", notices.difference, name="notice-difference"),
]

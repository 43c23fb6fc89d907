"""Addresses of people's pages about choices."""

from django.urls import path

from consents.pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("choices/", views.choices, name="choices"),
    path("choices/choose/", views.choose, name="choose"),
    path("history/", views.history, name="history"),
    path("receipts/<str:reference>/", views.receipt, name="receipt"),
    path("notices/", views.notices, name="notices"),
    path("notices/<slug:slug>/<int:version>/", views.notice, name="notice"),
]

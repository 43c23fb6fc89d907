"""Addresses of people's pages about requests."""

from django.urls import path

from requests_app.pages import files, packages, views

urlpatterns = [
    path("requests/", views.listing, name="requests"),
    path("requests/new/", views.new, name="request-new"),
    path("requests/<str:reference>/", views.detail, name="request-detail"),
    path("requests/<str:reference>/answer.zip", packages.fetch, name="request-answer"),
    path("requests/<str:reference>/withdraw/", views.withdraw, name="request-withdraw"),
    path("requests/<str:reference>/files/<uuid:file_id>/", files.download, name="request-file"),
]

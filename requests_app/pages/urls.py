"""Addresses of people's pages about requests."""

from django.urls import path

from requests_app.pages import asking, codes, confirming, conversing, files, packages, views

urlpatterns = [
    path("requests/", views.listing, name="requests"),
    path("requests/new/", asking.what, name="request-new"),
    path("requests/new/details/", asking.details, name="request-details"),
    path("requests/new/who/", asking.who, name="request-who"),
    path("requests/new/check/", asking.check, name="request-check"),
    path("requests/code/", codes.code, name="request-code"),
    path("requests/sent/", asking.sent, name="request-sent"),
    path("requests/<str:reference>/", views.detail, name="request-detail"),
    path("requests/<str:reference>/confirm/", confirming.confirm, name="request-confirm"),
    path("requests/<str:reference>/withdraw/", views.withdraw, name="request-withdraw"),
    path("requests/<str:reference>/appeal/", views.appeal, name="request-appeal"),
    path("requests/<str:reference>/messages/", conversing.write, name="request-message"),
    path("requests/<str:reference>/proof/", conversing.prove, name="request-proof"),
    path("requests/<str:reference>/code/", conversing.second_code, name="request-second-code"),
    path("requests/<str:reference>/files/<uuid:file_id>/", files.download, name="request-file"),
    path("requests/<str:reference>/answer.zip", packages.fetch, name="request-answer"),
    path("requests/<str:reference>/answer/delete/", packages.let_go, name="request-answer-delete"),
]

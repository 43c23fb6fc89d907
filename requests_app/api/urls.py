"""Addresses of the API of requests, below /api/v1/."""

from django.urls import path

from requests_app.api import answers, views

urlpatterns = [
    path("requests", views.Requests.as_view(), name="api-requests"),
    path("requests/<str:reference>", views.OneRequest.as_view(), name="api-request"),
    path("requests/<str:reference>/messages", answers.Messages.as_view(), name="api-request-messages"),
    path("requests/<str:reference>/package", answers.AnswerPackage.as_view(), name="api-request-package"),
]

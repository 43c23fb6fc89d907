"""Addresses of OpenDSR 2.0, below /opendsr/v2/."""

from django.urls import path

from requests_app.api import opendsr

urlpatterns = [
    path("discovery", opendsr.Discovery.as_view(), name="opendsr-discovery"),
    path("certificate.pem", opendsr.Certificate.as_view(), name="opendsr-certificate"),
    path("requests", opendsr.Requests.as_view(), name="opendsr-requests"),
    path("requests/<str:request_id>", opendsr.OneRequest.as_view(), name="opendsr-request"),
    path("requests/<str:request_id>/results", opendsr.Results.as_view(), name="opendsr-results"),
]

"""Addresses of the Data Rights Protocol, below /drp/v1/."""

from django.urls import path

from requests_app.api import drp

urlpatterns = [
    path("agent/<str:agent_id>", drp.OneAgent.as_view(), name="drp-agent"),
    path("data-rights-request", drp.DataRightsRequests.as_view(), name="drp-requests"),
    path("data-rights-request/", drp.DataRightsRequests.as_view()),
    path("data-rights-request/<str:request_id>", drp.OneDataRightsRequest.as_view(), name="drp-request"),
]

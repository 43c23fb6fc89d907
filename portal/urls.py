"""All addresses. The roof: it knows every app's pages and APIs."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from downstream.api import opendsr
from portal import pages, token_endpoint
from requests_app.admin import reports

handler404 = "portal.pages.not_found"
handler500 = "portal.pages.failed"

urlpatterns = [
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
    path("dev/mail/", pages.dev_mail, name="dev-mail"),
    path(".well-known/jwks.json", pages.jwks, name="jwks"),
    path("log/", include("consents.pages.log_urls")),
    path("admin/reports/", admin.site.admin_view(reports.page), name="reports"),
    path("admin/reports/<str:name>", admin.site.admin_view(reports.download), name="reports-file"),
    path("admin/", admin.site.urls),
    path("account/", include("portal.account_urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("o/token/", token_endpoint.TokenView.as_view(), name="token"),
    path("o/revoke_token/", token_endpoint.RevokeTokenView.as_view(), name="revoke-token"),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("api/v1/", include("consents.api.urls")),
    path("api/v1/", include("downstream.api.urls")),
    path("api/v1/", include("requests_app.api.urls")),
    path("drp/v1/", include("requests_app.api.drp_urls")),
    path("opendsr/v2/", include("requests_app.api.opendsr_urls")),
    path("opendsr/callbacks", opendsr.Callbacks.as_view(), name="opendsr-callbacks"),
    path("", include("requests_app.pages.urls")),
    path("", include("downstream.pages.urls")),
    path("", include("consents.pages.urls")),
]

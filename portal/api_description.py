"""What the API says of itself: its scopes in words, and the head of its OpenAPI document."""

from typing import Any

SCOPES = {
    "choices:write": "Record choices",
    "decisions:read": "Ask for decisions",
    "changes:read": "Follow the change feed",
    "choices:read": "Read choices and their receipts",
    "datasets:read": "See datasets, their versions and what changed in them",
    "datasets:write": "Register datasets",
    "suppression:read": "Pull lists of people whose data must not be used",
    "training:read": "See what has become of training permits",
    "training:write": "Ask for training permits and complete runs",
    "lineage:write": "Report lineage",
    "propagations:read": "See which datasets await a removal, and whose rows have to go",
    "propagations:ack": "Say that rows were removed",
    "webhooks:manage": "Subscribe to webhooks",
    "requests:read": "Follow data subject requests that you sent",
    "requests:write": "Send data subject requests, messages about them, and take them back",
    "requests:vouch": "Say that who asks was verified, and hand them what we answer",
    "opendsr": "Instruct us as the controller whose processor we are (OpenDSR)",
}
OPENAPI: dict[str, Any] = {
    "TITLE": "Heed",
    "DESCRIPTION": "Choices about the use of people's data, decisions that explain themselves, and the log of both.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "OAUTH2_FLOWS": ["clientCredentials"],
    "OAUTH2_TOKEN_URL": "/o/token/",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {
        "RightEnum": "requests_app.states.Right",
        "CapacityEnum": "requests_app.states.Capacity",
        "AsksAsEnum": "requests_app.states.BY_WHOM",
        "RequestStatusEnum": "requests_app.states.Status",
        "TaskStatusEnum": "requests_app.states.TaskStatus",
    },
}

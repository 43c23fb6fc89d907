"""Every setting, in one file, from the environment; `environment` looks at those that may be wrong.

HEED_ENV is `local` (try-out, tests: embedded engines and secrets under `.heed/`) or `production`
(everything must be given).
"""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from portal import (
    api_description,
    beat_schedule,
    crypto,
    embedded,
    environment,
    local_secrets,
    logs,
    signing,
    staff_theme,
)
from portal.environment import env, required

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL = environment.is_local()
DATA_DIR = Path(env.str("HEED_DATA", str(BASE_DIR / ".heed"))).resolve()
DEMO_MODE = env.bool("HEED_DEMO", False)

if LOCAL:
    for _name, _value in local_secrets.load_or_make(DATA_DIR).items():
        os.environ.setdefault(_name, _value)


SECRET_KEY = required("HEED_SECRET_KEY", "Set it to 50 or more random characters.")
FIELD_KEYS = crypto.parse_ring(
    required("HEED_FIELD_KEYS", "Set it to id:base64 of 32 random bytes."), name="HEED_FIELD_KEYS"
)
INDEX_KEYS = crypto.parse_ring(
    required("HEED_INDEX_KEYS", "Set it to id:base64 of 32 random bytes."), name="HEED_INDEX_KEYS"
)
SIGNING_KEYS = signing.parse_ring(
    required("HEED_SIGNING_KEYS", "Set it to id:base64 of 32 random bytes, the seed of an Ed25519 key."),
    retired=env.str("HEED_RETIRED_SIGNING_KEYS", ""),
)
# Names the log in its checkpoints for as long as it lives: a host and path of your own, without a scheme.
LOG_ORIGIN = (
    env.str("HEED_LOG_ORIGIN", "heed.local/log")
    if LOCAL
    else required("HEED_LOG_ORIGIN", "Set it to the log's name in its checkpoints, such as privacy.example.com/log.")
)
DEBUG = False
ALLOWED_HOSTS = env.list("HEED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if LOCAL else [])
CSRF_TRUSTED_ORIGINS = env.list("HEED_ORIGINS", default=[])
SITE_NAME = env.str("HEED_SITE_NAME", "Linkwell")
# Under which people reach these pages: what mail links to.
SITE_URL = env.str(
    "HEED_URL", f"http://localhost:{env.int('PORT', 8000)}" if LOCAL else f"https://{next(iter(ALLOWED_HOSTS), '')}"
).rstrip("/")
STAFF_MFA = env.bool("HEED_STAFF_MFA", True)
# So many proxies of yours stand before the web process; only what they say of a caller's address is believed, and
# limits per caller count that address.
PROXIES = env.int("HEED_PROXIES", 0 if LOCAL else 1)

# --- engines -------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
if LOCAL:
    DATABASE_URL = DATABASE_URL or embedded.database_url(data=DATA_DIR)
    REDIS_URL = REDIS_URL or embedded.redis_url(data=DATA_DIR)
elif not (DATABASE_URL and REDIS_URL):
    raise ImproperlyConfigured("In production, DATABASE_URL and REDIS_URL name your PostgreSQL and Redis.")

DATABASES = {"default": environment.database(DATABASE_URL)}
CACHES = {
    "default": {
        "BACKEND": "portal.cache.Cache",
        "LOCATION": REDIS_URL,
        # one that hangs is as good as away
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- applications --------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "portal.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "pgtrigger",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_structlog",
    "portal.apps.PortalConfig",
    "consents",
    "downstream",
    "requests_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.pages_only.ContentSecurityPolicy",
    "portal.pages_only.StaticFiles",
    "portal.pages_only.Sessions",
    "portal.pages_only.Languages",
    "django.middleware.common.CommonMiddleware",
    "portal.pages_only.Forms",
    "portal.pages_only.Authentication",
    "portal.pages_only.Messages",
    "portal.pages_only.Frames",
    "allauth.account.middleware.AccountMiddleware",
    "portal.pages_only.Htmx",
    "consents.pages.gpc.RecordsSignal",
    "portal.request_log.RequestLog",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.site",
                "consents.pages.gpc.in_templates",
            ],
        },
    }
]

# --- who may come in -----------------------------------------------------------------------------
AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "choices"
ACCOUNT_ADAPTER = "portal.accounts.AccountAdapter"
ACCOUNT_FORMS = {"request_login_code": "consents.pages.sign_in.RequestCodeForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = False
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_SESSION_REMEMBER = False
ALLAUTH_TRUSTED_PROXY_COUNT = PROXIES
MFA_ADAPTER = "portal.accounts.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = f"Heed at {SITE_NAME}"

SESSION_ENGINE = "portal.sessions"
SESSION_COOKIE_AGE = 60 * 60 * 12
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if not LOCAL:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.bool("HEED_SSL_REDIRECT", True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

# The admin theme and the API documentation page run scripts of their own kind.
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/", "/api/v1/docs/"],
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    },
}

UNFOLD = staff_theme.settings(site=SITE_NAME)

# --- REST ----------------------------------------------------------------------------------------
OAUTH2_PROVIDER_APPLICATION_MODEL = "oauth2_provider.Application"
OAUTH2_PROVIDER = {
    "SCOPES_BACKEND_CLASS": "consents.api.scopes.PartnerScopes",
    "SCOPES": api_description.SCOPES,
    "DEFAULT_SCOPES": [],
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "ALLOWED_GRANT_TYPES": ["client_credentials"],
}
# Of a JSON call too: 10,000 ids of 255 letters fit in.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
# No plain copy of anybody's passport on a disk, not even on its way.
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "portal.uploads.SealedUploadHandler",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api_tokens.BearerTokens"],
    "DEFAULT_PERMISSION_CLASSES": ["portal.api_access.PartnerHasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.api_bodies.JSONBody"],
    "DEFAULT_THROTTLE_CLASSES": ["portal.api_access.ClientThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "client": env.str("HEED_RATE", "6000/min"),
        "address": env.str("HEED_VERIFY_RATE", "60/min"),
        "token": env.str("HEED_TOKEN_RATE", "60/min"),
    },
    "NUM_PROXIES": PROXIES,
    "DEFAULT_SCHEMA_CLASS": "portal.api_schema.PartnerSchema",
    "EXCEPTION_HANDLER": "portal.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = api_description.OPENAPI

# --- signals -------------------------------------------------------------------------------------
# Whether the answers to a content's host hold AIPREF's header: the standard is still a draft of the IETF.
AIPREF = env.bool("HEED_AIPREF", True)
TDM_POLICY = environment.mining_policy()

# --- datasets and training -----------------------------------------------------------------------
DATASET_ROOTS = environment.dataset_roots()
# What says which files may hold whom: made by reading, safe to delete, one on each worker's machine.
SUBJECT_INDEX_DIR = Path(env.str("HEED_INDEX", str(DATA_DIR / "index")))
# How often a dataset is read whole when it is verified, whatever its index knows.
FULL_LOOK_EVERY = timedelta(days=env.int("HEED_FULL_LOOK_DAYS", 7))
PERMIT_LASTS = environment.permit_lasts()

# --- workers -------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
# A person waits while their nudge is sent: a broker that is away is found out at once, and beat turns anyway.
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0, "socket_connect_timeout": 1}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
# How often datasets are looked at for files that others have brought in or changed.
LOOK_AROUND_SECONDS = env.float("HEED_LOOK_AROUND_SECONDS", 300.0)
CELERY_BEAT_SCHEDULE = beat_schedule.turns(look_around=LOOK_AROUND_SECONDS)
# How long work that was handed to the broker may stay unclaimed before it is handed over again.
REQUEUE_AFTER = timedelta(seconds=env.int("HEED_REQUEUE_SECONDS", 15))
LEASE = timedelta(seconds=env.int("HEED_LEASE_SECONDS", 30))

# --- others whom Heed calls ----------------------------------------------------------------------
# A PEM file of the authorities that are trusted instead of the usual ones: for TLS to webhooks and holders, and for
# what OpenDSR processors sign with.
OUTBOUND_TRUST = env.str("HEED_OUTBOUND_TRUST", "")

# --- mail, language, files -----------------------------------------------------------------------
MAIL_DIR = DATA_DIR / "log" / "mail"
if LOCAL:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(MAIL_DIR)
else:
    EMAIL_CONFIG = env.email_url("EMAIL_URL", default="smtp://localhost:25")
    vars().update(EMAIL_CONFIG)
# A mail server that says nothing must not hold a letter longer than its lease.
EMAIL_TIMEOUT = LEASE.total_seconds() / 2
DEFAULT_FROM_EMAIL = env.str("HEED_MAIL_FROM", "privacy@linkwell.example")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
# "24 Nov 2026" in English, which reads the same on both sides of the Atlantic
FORMAT_MODULE_PATH = ["portal.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
if LOCAL:
    # files come from the packages then, but whitenoise warns of a folder that is missing
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = LOCAL
WHITENOISE_AUTOREFRESH = False

# --- requests ------------------------------------------------------------------------------------
# Encrypted files of requests: attachments and answer packages. Web and worker processes must reach the same folder.
FILES_DIR = Path(env.str("HEED_FILES", str(DATA_DIR / "files")))
# How large one uploaded file may be, and how many megabytes all files of one request together.
LARGEST_FILE = env.int("HEED_LARGEST_FILE_MB", 10) * 1024 * 1024
LARGEST_FILES_OF_REQUEST = env.int("HEED_LARGEST_FILES_MB", 100) * 1024 * 1024
CLAMAV = environment.virus_scanner()
# How long an answer package can be downloaded before it is deleted.
PACKAGE_KEPT = timedelta(days=env.int("HEED_PACKAGE_DAYS", 30))
# How many packages are built at once, by all workers together: a no must never wait for a free worker.
PACKAGE_BUILDERS = env.int("HEED_PACKAGE_BUILDERS", 1)
# How long somebody has to show who they are before a request expires.
PROOF_WITHIN = timedelta(days=env.int("HEED_PROOF_DAYS", 14))
# What agents of the Data Rights Protocol call this business; empty: the protocol is not spoken.
DRP_BUSINESS_ID = env.str("HEED_DRP_BUSINESS_ID", "linkwell" if LOCAL else "")
# Under which domain controllers send us OpenDSR requests, and what they get back is signed; empty: it is not spoken.
OPENDSR_DOMAIN = env.str("HEED_OPENDSR_DOMAIN", (urlsplit(SITE_URL).hostname or "") if LOCAL else "").lower()
OPENDSR_CERTIFICATE, OPENDSR_KEY = environment.opendsr_files()
CONTROLLER = environment.controller(local=LOCAL, email=DEFAULT_FROM_EMAIL)

# --- logs ----------------------------------------------------------------------------------------
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
LOGGING = logs.settings(level=env.str("HEED_LOG_LEVEL", "INFO" if not LOCAL else "WARNING"))
logs.configure_structlog()

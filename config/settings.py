"""The one settings file: read from the environment through config.env, loud when something is wrong."""

import sys
from pathlib import Path
from typing import Any

from config import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent

# ---- where a run writes: everything lies under DATA_DIR ------------------------------------------
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
# Where every process keeps what it counted. The library looks for the name when it is imported.
METRICS_DIR = DATA_DIR / "metrics"
METRICS_DIR.mkdir(exist_ok=True)
env.export("PROMETHEUS_MULTIPROC_DIR", str(METRICS_DIR))
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000, least=1)
WORKERS = env.number("WORKERS", 1, least=1)

SECRET_KEY = env.secret("SECRET_KEY") or env.kept_secret("SECRET_KEY", DATA_DIR / "secret_key")
DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", HOST])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [])
# Addresses of the reverse proxies whose forwarding headers are believed; none by default.
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES", [])
BEHIND_TLS = env.flag("BEHIND_TLS", default=False)
SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_REDIRECT_EXEMPT = [r"^readyz$", r"^metrics$"]  # probes come from inside
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
# W005, W021: whether the university's other hosts speak TLS only is not this product's promise to make.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
OPERATOR_TOKEN = env.secret("OPERATOR_TOKEN")

# ---- what a browser may load: nothing inline, nothing foreign (docs/rules.md, C30) -------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

LOGGING = logs.configure(env.one_of("LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR")))

# ---- the university ------------------------------------------------------------------------------------
SITE_NAME = env.text("SITE_NAME", "Campus AI")
SITE_URL = env.address("SITE_URL")
UNIVERSITY_NAME = env.text("UNIVERSITY_NAME", "Harbour University")
# Its color; the pages' tones follow with their contrast kept. Its sign, a picture's file. Whom to ask, an address.
BRAND_COLOR = env.color("BRAND_COLOR", "#0e5a6d")
LOGO_FILE = env.file("LOGO_FILE")
CONTACT = env.text("CONTACT")
# Numbers about fewer people are not shown in tables and pictures of groups; 0 shows them all.
SMALLEST_GROUP = env.number("SMALLEST_GROUP", 10)

# ---- rooms --------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "config",
    "core",
    "audit",
    "accounts",
    "courses",
    "policies",
    "quotas",
    "usage",
    "gateway",
    "chat",
    "review",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "csp",
    "django_structlog",
]

MIDDLEWARE = [
    "django_structlog.middlewares.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.middleware.LateMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.LanguageMiddleware",
    "config.middleware.acting_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.MaintenanceMiddleware",
    "config.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.pages.frame",
            ],
        },
    },
]

# ---- database: SQLite in DATA_DIR, or PostgreSQL by DATABASE_URL ------------------------------------
_connections = env.number("DATABASE_POOL", 10, least=2)
_database: dict[str, Any] = env.database("DATABASE_URL", f"sqlite:///{DATA_DIR / 'gateway.sqlite3'}")
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: a committed admission survives power loss, as the contract promises (C01).
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
else:
    # Persistent connections leak under ASGI (Django docs, "Persistent connections"); psycopg's pool does not.
    _database["CONN_MAX_AGE"] = 0
    _database.setdefault("OPTIONS", {}).update(
        # A server that went away without a word is found out in seconds, not in the kernel's quarter of an hour.
        connect_timeout=2,
        tcp_user_timeout=5000,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=2,
        # The ledger's statements, which come again and again, are planned once per connection (core.rows).
        prepare_threshold=2,
    )
    _database["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": _connections,
        "timeout": 2,
        "reconnect_timeout": 2,  # then a new try begins afresh: after a long outage none waits out a long pause
    }
DATABASES = {"default": _database}
# Threads must see the same rows in tests, so the test database is a file too.
_database["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")} if _database["ENGINE"].endswith("sqlite3") else {}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# SQLite has one writer: a queue in front of it is fairer and faster than threads that wait for its lock.
HOP_THREADS = env.number("HOP_THREADS", 1 if _database["ENGINE"].endswith("sqlite3") else 8, least=1)

# ---- Redis is optional: it speeds up and is never the truth (D17) ------------------------------------
REDIS_URL = env.secret("REDIS_URL")
CACHES = {
    "default": (
        {"BACKEND": "core.cache.SharedCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# ---- people and sessions ---------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    # NIST 800-63B-4: 15 characters where the password stands alone, no composition rules, a blocklist.
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_AGE = 14 * 24 * 3600

# ---- sign-in (django-allauth) ------------------------------------------------------------------------
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "accounts.forms.SignInForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # the university has vouched for the address
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no mail to addresses that strangers type
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
MFA_ADAPTER = "accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = SITE_NAME

# ---- mail: by EMAIL_URL, or as files that an operator of a small installation can read ---------------------
vars().update(env.mail("EMAIL_URL", DATA_DIR / "mail"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "campus-ai@localhost")

# ---- resource API (/api/) ----------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.api.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api.Body"],
    "DEFAULT_PAGINATION_CLASS": "config.api.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.answer_error",
}
SPECTACULAR_SETTINGS = {
    "TITLE": SITE_NAME,
    "DESCRIPTION": "People, keys, quotas, usage and rules. The OpenAI-compatible API stands beside it under /v1/.",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {"RoleEnum": "accounts.types.Role", "CourseRoleEnum": "courses.types.CourseRole"},
}

# ---- languages and time ----------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hant", "繁體中文"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "Asia/Hong_Kong")
CURRENCY = env.text("CURRENCY", "HKD").upper()

# ---- units for sale: nothing is, unless a payment service is named ----------------------------------
PAYMENT_SERVICE = env.text("PAYMENT_SERVICE")
PAYMENT_SECRET = env.secret("PAYMENT_SECRET")

# ---- static files and media -------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [
    path for path in (BASE_DIR / "frontend" / "static", BASE_DIR / "build" / "frontend") if path.is_dir()
]
STATIC_ROOT = BASE_DIR / "build" / "static"
MEDIA_ROOT = DATA_DIR / "media"
# Names with hashes once `collectstatic` has run (./scripts/run does); straight from the sources before, and in DEBUG.
_collected = not DEBUG and (STATIC_ROOT / "staticfiles.json").is_file()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if _collected or "collectstatic" in sys.argv
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not _collected
# No minutes spent on squeezing what only a debugger reads.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("map", "png", "jpg", "gif", "woff", "woff2", "gz", "br")
# esbuild's chunks carry their hash in their own name: name-1A2B3C4D.js
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.+[.-]([0-9a-f]{12}|[0-9A-Z]{8})\..+$"

# ---- limits and providers ----------------------------------------------------------------------------
MAX_PARALLEL_CALLS = env.number("MAX_PARALLEL_CALLS", 4)
MAX_ATTEMPTS_PER_HOUR = env.number("MAX_ATTEMPTS_PER_HOUR", 60)
MAX_REQUEST_BYTES = env.number("MAX_REQUEST_BYTES", 10 * 1024 * 1024, least=1024)
RETENTION_DAYS = env.number("RETENTION_DAYS", 180, least=1)  # D15
# Files given with a question (docs/decisions/0043): how many, 0 for none, and how much of each.
ATTACHMENTS = env.number("ATTACHMENTS", 5)
ATTACHMENT_BYTES = env.number("ATTACHMENT_BYTES", 10 * 1024 * 1024, least=1024)
ATTACHMENT_CHARACTERS = env.number("ATTACHMENT_CHARACTERS", 100_000, least=1000)
ATTACHMENT_PAGES = env.number("ATTACHMENT_PAGES", 200, least=1)
ATTACHMENT_PIXELS = env.number("ATTACHMENT_PIXELS", 50_000_000, least=1_000_000)
OPENAI_API_KEY = env.secret("OPENAI_API_KEY")
OPENAI_BASE_URL = env.text("OPENAI_BASE_URL")
LOCAL_MODEL = env.flag("LOCAL_MODEL", default=True)
# The supervisor picks the port.
LOCAL_MODEL_URL = env.text("LOCAL_MODEL_URL", env.noted(DATA_DIR / "local_model"))
# Deadlines for providers (contract C11), in seconds. "First byte" counts until the first piece of content.
UPSTREAM_CONNECT_SECONDS = env.number("UPSTREAM_CONNECT_SECONDS", 5, least=1)
UPSTREAM_FIRST_BYTE_SECONDS = env.number("UPSTREAM_FIRST_BYTE_SECONDS", 60, least=1)
UPSTREAM_BETWEEN_SECONDS = env.number("UPSTREAM_BETWEEN_SECONDS", 30, least=1)
UPSTREAM_TOTAL_SECONDS = env.number("UPSTREAM_TOTAL_SECONDS", 300, least=1)
UPSTREAM_AWAY_SECONDS = env.number("UPSTREAM_AWAY_SECONDS", 300, least=60)  # then administrators are told
UPSTREAM_CA_FILE = env.text("UPSTREAM_CA_FILE")
UPSTREAM_PROXY = env.text("UPSTREAM_PROXY")
PING_SECONDS = env.number("PING_SECONDS", 15, least=1)  # a silent stream says that it is alive
# A call whose process died is given back one lease and one sweep later (contract C05).
LEASE_SECONDS = env.number("LEASE_SECONDS", 60, least=3)
SWEEP_SECONDS = env.number("SWEEP_SECONDS", 30, least=1)
# Encrypts the credentials of providers; a former value opens them until `rotate_credentials` has run.
CREDENTIAL_KEY = env.secret("CREDENTIAL_KEY") or SECRET_KEY
CREDENTIAL_KEY_OLD = env.secret("CREDENTIAL_KEY_OLD")
CREDENTIAL_KEY_FILE = env.text("CREDENTIAL_KEY_FILE")  # read again whenever it changes
# Seals the audit log; its anchors lie where the database's owner cannot reach them, or are copied there.
AUDIT_KEY = env.secret("AUDIT_KEY") or env.kept_secret("AUDIT_KEY", DATA_DIR / "audit_key")
AUDIT_ANCHORS = env.text("AUDIT_ANCHORS", str(DATA_DIR / "audit"))
DEMO = env.flag("DEMO", default=True)
DEMO_PASSWORD = env.secret("DEMO_PASSWORD")

"""Every setting, read once from the environment. Each one is listed with its default in docs/configuration.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# Where things live ------------------------------------------------------------------------------------------------

DATA_DIR = Path(env.str("LASTGOOD_DATA_DIR", default=str(BASE_DIR / ".data")))
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
DEMO = env.bool("LASTGOOD_DEMO", default=False)
MAILBOX = env.str("LASTGOOD_MAILBOX", default="")

# Security ---------------------------------------------------------------------------------------------------------

DEBUG = env.bool("LASTGOOD_DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if any(word in sys.argv for word in ("check", "makemigrations", "collectstatic")) or "mypy" in sys.modules:
        SECRET_KEY = "not-a-secret-only-for-commands-that-sign-nothing"  # noqa: S105
    else:
        raise environ.ImproperlyConfigured("Set SECRET_KEY to a long random value (docs/configuration.md).")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
HTTPS = PUBLIC_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if HTTPS else []
SECURE_SSL_REDIRECT = HTTPS and env.bool("LASTGOOD_REDIRECT_HTTPS", default=True)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("LASTGOOD_BEHIND_PROXY", default=False) else None
)
# Probes of the process itself speak plain HTTP, also where people are redirected.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("LASTGOOD_HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.int("LASTGOOD_SESSION_HOURS", default=12) * 3600
SESSION_IDLE_SECONDS = env.int("LASTGOOD_SESSION_IDLE_MINUTES", default=30) * 60
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "frame-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}

# Applications -----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # First, so that the portal's admin can take theirs out of the back office.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "portal",
    "portal.accounts",
    "comms",
    "incidents",
    "guardian",
    "ninja",
    "csp",
    "django_htmx",
    "django_prometheus",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
]
MIDDLEWARE = [
    "portal.gate.FreezeGate",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.requests.RequestLog",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.requests.FormLimit",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.accounts.session_age.SessionAge",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.accounts.second_factor.Required",
    "portal.accounts.step_up.StepUp",
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
                "portal.context.frame",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Sign-in ----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "guardian.backends.ObjectPermissionBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "incidents:board"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "portal.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "portal.accounts.forms.SignInForm", "change_password": "portal.accounts.forms.PasswordForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if SECURE_PROXY_SSL_HEADER else 0
# `portal.accounts.throttle` bounds tries: allauth's own limits stand in a cache of each process, and lock owners out.
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = False
USERSESSIONS_ADAPTER = "portal.accounts.sessions.Adapter"
MFA_ADAPTER = "portal.accounts.second_factor.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "authenticate": "portal.accounts.forms.CodeForm",
    "activate_totp": "portal.accounts.forms.ActivateAppForm",
    "login_webauthn": "portal.accounts.passkeys.SignInForm",
    "authenticate_webauthn": "portal.accounts.passkeys.SecondStepForm",
    "add_webauthn": "portal.accounts.passkeys.AddForm",
    "edit_webauthn": "portal.accounts.passkeys.RenameForm",
}
# Who must have a second factor: none, staff or all.
REQUIRE_MFA = env.str("LASTGOOD_REQUIRE_MFA", default="staff" if HTTPS and not DEMO else "none")
if REQUIRE_MFA not in ("none", "staff", "all"):
    raise environ.ImproperlyConfigured("LASTGOOD_REQUIRE_MFA is none, staff or all (docs/configuration.md).")
# What encrypts the secrets of second factors: the first key encrypts, each of them decrypts.
FACTOR_KEYS = env.list("LASTGOOD_FACTOR_KEYS", default=[SECRET_KEY])
ANONYMOUS_USER_NAME = None
GUARDIAN_RAISE_403 = True

# Single sign-on ---------------------------------------------------------------------------------------------------

OIDC_SERVER = env.str("LASTGOOD_OIDC_SERVER", default="").rstrip("/")
OIDC_NAME = env.str("LASTGOOD_OIDC_NAME", default="Single sign-on")
OIDC_CREATE = env.bool("LASTGOOD_OIDC_CREATE", default=False)
OIDC_TRUST_EMAILS = env.bool("LASTGOOD_OIDC_TRUST_EMAILS", default=False)
# A sign-in counts as a proof of the person for ten minutes, so the provider asks the person, not its cookie.
OIDC_PROMPT = env.str("LASTGOOD_OIDC_PROMPT", default="login")
SOCIALACCOUNT_ADAPTER = "portal.accounts.single_sign_on.Adapter"
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_QUERY_EMAIL = False
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "AUTH_PARAMS": {"prompt": OIDC_PROMPT} if OIDC_PROMPT else {},
        "APPS": [
            {
                "provider_id": "oidc",
                "name": OIDC_NAME,
                "client_id": env.str("LASTGOOD_OIDC_CLIENT_ID", default=""),
                "secret": env.str("LASTGOOD_OIDC_CLIENT_SECRET", default=""),
                "settings": {"server_url": OIDC_SERVER},
            }
        ]
        if OIDC_SERVER
        else [],
    }
}

# Database ---------------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'lastgood.sqlite3'}")}
_database = DATABASES["default"]
_database["CONN_MAX_AGE"] = env.int("LASTGOOD_CONN_MAX_AGE", default=600)
_database["CONN_HEALTH_CHECKS"] = True
# How long a write waits for somebody else's. On PostgreSQL a transaction that stands still is ended after half of it: a
# process that is stopped in the middle of one holds nobody up for longer.
_patience = env.int("LASTGOOD_DATABASE_PATIENCE_SECONDS", default=20)
if _database["ENGINE"].endswith("sqlite3"):
    # DEFERRED transactions lose nine of ten concurrent appends to "database is locked"; IMMEDIATE loses none.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": _patience or 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
    }
    _database["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
elif _patience:
    _limits = f"-c lock_timeout={_patience}s -c idle_in_transaction_session_timeout={_patience * 500}ms"
    _given = _database.setdefault("OPTIONS", {})
    _given["options"] = f"{_limits} {_given.get('options', '')}".strip()

# Celery: messages are doorbells, the database row is the truth ----------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # KiB; a new process keeps what comes next waiting
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
CELERY_TASK_ROUTES = {
    "incidents.tasks.run_attempt": {"queue": "actions"},
    "incidents.tasks.run_gate": {"queue": "actions"},
    "incidents.tasks.run_rehearsal": {"queue": "actions"},
    "incidents.tasks.follow": {"queue": "actions"},
    "comms.tasks.deliver": {"queue": "mail"},
    "comms.tasks.render_report": {"queue": "reports"},
}
SWEEP_SECONDS = env.int("LASTGOOD_SWEEP_SECONDS", default=10)
RING_AGAIN_SECONDS = env.int("LASTGOOD_RING_AGAIN_SECONDS", default=20)
FOLLOW_SECONDS = env.int("LASTGOOD_FOLLOW_SECONDS", default=2)
CELERY_BEAT_SCHEDULER = "portal.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep-actions": {"task": "incidents.tasks.sweep", "schedule": SWEEP_SECONDS},
    # A round that waited is overtaken by the next one.
    "follow-actions": {
        "task": "incidents.tasks.follow_all",
        "schedule": FOLLOW_SECONDS,
        "options": {"expires": 5 * FOLLOW_SECONDS},
    },
    "sweep-mail": {"task": "comms.tasks.sweep", "schedule": SWEEP_SECONDS},
    "sign-checkpoints": {"task": "incidents.tasks.sign_all_checkpoints", "schedule": 3600},
}

# Mail -------------------------------------------------------------------------------------------------------------

vars().update(env.email_url("EMAIL_URL", default="smtp://127.0.0.1:25"))
EMAIL_TIMEOUT = env.int("LASTGOOD_EMAIL_TIMEOUT", default=20)
MAIL_SENDERS = env.int("LASTGOOD_MAIL_SENDERS", default=4)
MAIL_LEASE_SECONDS = env.int("LASTGOOD_MAIL_LEASE_SECONDS", default=30)
MAIL_RETRY_SECONDS = env.int("LASTGOOD_MAIL_RETRY_SECONDS", default=15)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("LASTGOOD_MAIL_FROM", default="Lastgood <lastgood@localhost>")
MAIL_DOMAIN = env.str("LASTGOOD_MAIL_DOMAIN", default=DEFAULT_FROM_EMAIL.rstrip(">").rpartition("@")[2])

# What may leave the portal ----------------------------------------------------------------------------------------

OUTBOUND_HOSTS = env.list("LASTGOOD_OUTBOUND_HOSTS", default=[])
OUTBOUND_PRIVATE_HOSTS = env.list("LASTGOOD_OUTBOUND_PRIVATE_HOSTS", default=[])
COMMANDS = json.loads(env.str("LASTGOOD_COMMANDS", default="{}"))
DISPATCH_ENABLED = env.bool("LASTGOOD_DISPATCH_ENABLED", default=True)
ATTEMPT_LEASE_SECONDS = env.int("LASTGOOD_ATTEMPT_LEASE_SECONDS", default=30)

# Runbook and evidence ---------------------------------------------------------------------------------------------

REVIEW_PATH = env.str("LASTGOOD_REVIEW_PATH", default="docs/review/")
OVERDUE_GRACE_SECONDS = env.int("LASTGOOD_OVERDUE_GRACE_SECONDS", default=120)
# Outside the database, best on another disk: the key that signs checkpoints, and what was last signed of each log.
KEY_DIR = Path(env.str("LASTGOOD_KEY_DIR", default=str(DATA_DIR / "keys")))
WITNESS_DIR = Path(env.str("LASTGOOD_WITNESS_DIR", default=str(DATA_DIR / "witness")))
UPLOAD_MAX_BYTES = env.int("LASTGOOD_UPLOAD_MAX_BYTES", default=25 * 1024 * 1024)
UPLOAD_TYPES = ["." + ending.strip().lstrip(".").lower() for ending in env.list("LASTGOOD_UPLOAD_TYPES", default=[])]
CLAMD = env.str("LASTGOOD_CLAMD", default="")
CLAMD_SECONDS = env.int("LASTGOOD_CLAMD_SECONDS", default=20)
CLAMD_MAX_BYTES = env.int("LASTGOOD_CLAMD_MAX_BYTES", default=25 * 1024 * 1024)
SCAN_REQUIRED = env.bool("LASTGOOD_SCAN_REQUIRED", default=False)
REPORT_SECONDS = env.int("LASTGOOD_REPORT_SECONDS", default=60)
REPORT_MEMORY_BYTES = env.int("LASTGOOD_REPORT_MEMORY_BYTES", default=1024**3)

# Files ------------------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = env.bool("LASTGOOD_STATIC_FROM_SOURCE", default=True)
MEDIA_ROOT = DATA_DIR / "files"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000
FILE_UPLOAD_PERMISSIONS = 0o600

# Time and language ------------------------------------------------------------------------------------------------

TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-gb"
USE_I18N = True
FORMAT_MODULE_PATH = ["portal.formats"]

# Logs -------------------------------------------------------------------------------------------------------------

LOGGING_CONFIG = "portal.logs.configure"
LOGGING = {"level": env.str("LASTGOOD_LOG_LEVEL", default="INFO"), "json": env.bool("LASTGOOD_LOG_JSON", default=True)}

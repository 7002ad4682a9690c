"""`manage.py holodrive_check` against the real server."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import override_settings
from live import free_port

from holodrive import tokens
from holodrive.environment import dotenv, quoted, redis_url, variables
from holodrive.postgres import postgres_url


def check(capsys, *arguments, **changed):
    """What the command prints, and whether it fails."""
    with override_settings(**changed):
        try:
            call_command("holodrive_check", *arguments, no_color=True)
            error = ""
        except CommandError as failure:
            error = str(failure)
    return capsys.readouterr().out, error


def verdict(report, text):
    [line] = [line for line in report.splitlines() if text in line]
    return line[:12].strip()


def holodrive(**changed):
    return {"HOLODRIVE": {**settings.HOLODRIVE, **changed}}


def test_all_is_well(capsys, user):
    report, error = check(capsys, "--user", user.get_username(), "--origin", "http://127.0.0.1:8000")
    assert error == "" and "failed" not in report, report
    for text in ("is alive", "is ready", "API key", "the server accepts ours", "origins", "holodrive_order", "user model:"):
        assert {line[:12].strip() for line in report.splitlines() if text in line} == {"ok"}, (text, report)
    assert verdict(report, "same HOOKS_SECRET") == "not checked"


@pytest.mark.parametrize(("changed", "text"), [
    (holodrive(API_KEY="another"), "API key:"),
    (holodrive(HOOKS_SECRET=""), "hooks:"),
    ({"ALLOWED_HOSTS": ["example.com"]}, "ALLOWED_HOSTS"),
    ({"SECURE_SSL_REDIRECT": True}, "SECURE_REDIRECT_EXEMPT"),
    (holodrive(URL=f"http://127.0.0.1:{free_port()}"), "server:"),
    ({"SESSION_ENGINE": "django.contrib.sessions.backends.file"}, "sessions:"),
])
def test_each_difference_is_found(capsys, user, changed, text):
    report, error = check(capsys, "--origin", "http://127.0.0.1", **changed)
    assert error and verdict(report, text) == "failed", report


def test_a_missing_migration_of_this_package_is_found(capsys):
    call_command("migrate", "holodrive", "0001", fake=True, verbosity=0)
    report, error = check(capsys)
    call_command("migrate", "holodrive", verbosity=0)
    assert error and verdict(report, "migrate holodrive") == "failed", report
    assert check(capsys)[1] == ""


def test_another_key_is_found(capsys, user, monkeypatch):
    # SimpleJWT keeps the key of its first import, so the token is made without it.
    monkeypatch.setattr("holodrive.probes.access_token", tokens._default_token)
    report, error = check(capsys, SECRET_KEY="x" * 50)
    assert error and verdict(report, "tokens:") == "failed" and "SECRET_KEY" in report


def test_a_session_is_shown_and_deleted(capsys, user):
    from django.contrib.sessions.models import Session

    before = Session.objects.count()
    report, error = check(capsys, "--session", "--user", user.get_username())
    assert error == "" and verdict(report, "sessions: the server accepts") == "ok"
    report, error = check(capsys, "--session", SECRET_KEY="x" * 50)
    assert error and verdict(report, "sessions: the server refuses") == "failed"
    assert Session.objects.count() == before


def test_an_origin_that_is_not_allowed(capsys, user):
    report, error = check(capsys, "--origin", "https://evil.example", "--origin", "http://127.0.0.1")
    assert error and verdict(report, "evil.example") == "failed" and verdict(report, "127.0.0.1 may connect") == "ok"


def test_what_cannot_be_checked_is_said(capsys):
    report, _ = check(capsys, "--user", "nobody")
    assert verdict(report, "no active user") == "not checked"
    report, error = check(capsys, **holodrive(URL=f"http://127.0.0.1:{free_port()}"))
    assert verdict(report, "the server does not answer") == "not checked" and error


def test_the_environment_names_djangos_tables(capsys):
    report, _ = check(capsys, "--env")
    lines = dict(line.split("=", 1) for line in report.splitlines() if not line.startswith("#"))
    model = get_user_model()
    assert lines["AUTH_USER_TABLE"] == model._meta.db_table and lines["AUTH_LOGIN_FIELD"] == model.USERNAME_FIELD
    assert lines["AUTH_USER_GROUPS_TABLE"] == f"{model._meta.db_table}_groups"
    assert lines["AUTH_USER_GROUPS_USER_COLUMN"] == f"{model._meta.model_name}_id"
    assert lines["HOOKS_URL"] == "http://127.0.0.1:8000/holodrive/hooks/"
    assert lines["API_KEYS"] == "package-api-key" and lines["JWT_ALGORITHM"] == "HS256"


@pytest.mark.parametrize("secret", ["a$b#c d", "it's", 'quo"te', "back\\slash", "two\nlines", "'", "plain"])
def test_the_server_reads_what_is_written(server, tmp_path, secret):
    with override_settings(HOLODRIVE={"API_KEY": secret, "URL": "http://127.0.0.1:9000"}, SECRET_KEY=secret):
        (tmp_path / ".env").write_text(dotenv("http://127.0.0.1:8000"))
    run = subprocess.run([server.program, "config"], cwd=tmp_path, env={}, text=True, capture_output=True, timeout=30)
    assert run.returncode == 0, run.stderr
    assert "AUTH_USER_TABLE" in run.stdout and ".env" in run.stdout
    (tmp_path / ".env").write_text(f"DRIVER_GROUP={quoted(secret)}")
    run = subprocess.run([server.program, "config"], cwd=tmp_path, env={}, text=True, capture_output=True, timeout=30)
    assert run.returncode == 0 and secret.splitlines()[0] in run.stdout, run.stdout + run.stderr


LAYER = {
    "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "CONFIG": {"hosts": [("cache", 6380)], "prefix": "rides", "capacity": 5, "expiry": 6, "group_expiry": 7,
               "serializer_format": "json", "symmetric_encryption_keys": [b"first", "sec,ond", "third"]},
}
POSTGRES = {"ENGINE": "django.db.backends.postgresql", "NAME": "rides", "USER": "web", "PASSWORD": "p@ss/1", "HOST": "db"}


def test_every_name_that_is_written_is_a_setting_of_the_server(monkeypatch):
    from rest_framework_simplejwt.settings import APISettings, DEFAULTS, IMPORT_STRINGS

    jwt = {"AUDIENCE": ["a"], "ISSUER": "i", "JWK_URL": "https://i/jwks", "VERIFYING_KEY": "k", "SIGNING_KEY": "s" * 32}
    monkeypatch.setattr("rest_framework_simplejwt.settings.api_settings", APISettings(jwt, DEFAULTS, IMPORT_STRINGS))
    reference = (Path(__file__).parents[3] / "docs/configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", reference, re.MULTILINE))
    in_schema = {"options": "-c search_path=public,holodrive"}
    monkeypatch.setitem(settings.DATABASES, "default", {**POSTGRES, "OPTIONS": in_schema})
    with override_settings(CHANNEL_LAYERS={"default": LAYER}):
        names = [name for name, _ in variables("http://127.0.0.1:8000")]
    assert len(names) == len(set(names)) and set(names) <= documented
    assert {name for name in documented if name.startswith("JWT_")} <= set(names)
    layer = {name for name in documented if name.startswith("CHANNEL_LAYER_")}
    own = {"CHANNEL_LAYER_GROUPS", "CHANNEL_LAYER_RENAMES", "CHANNEL_LAYER_QUEUES", "CHANNEL_LAYER_OUT"}
    assert layer - own <= set(names)
    assert {"DATABASE_SCHEMA", "SESSION_ENGINE", "HOOKS_URL", "HOOKS_SECRET"} <= set(names)


def test_what_has_a_comma_is_left_out_with_a_warning(capsys):
    with override_settings(HOLODRIVE=holodrive(API_KEY="one,two")["HOLODRIVE"], SECRET_KEY_FALLBACKS=["old", "old,er"],
                           CHANNEL_LAYERS={"default": LAYER}):
        found = dict(variables("http://127.0.0.1:8000"))
        call_command("holodrive_check", "--env", no_color=True)
    assert (found["API_KEYS"], found["SECRET_KEY_FALLBACKS"]) == ("", "old")
    assert found["CHANNEL_LAYER_ENCRYPTION_KEYS"] == "first,third"
    warnings = [line for line in capsys.readouterr().err.splitlines() if "holodrive.W004" in line]
    assert [line.split()[2] for line in warnings] == [
        "HOLODRIVE['API_KEY']", "SECRET_KEY_FALLBACKS", "symmetric_encryption_keys"]


def test_on_postgresql_a_role_and_a_schema_are_suggested(monkeypatch):
    monkeypatch.setitem(settings.DATABASES, "default", POSTGRES)
    text = dotenv("http://127.0.0.1:8000")
    assert "DATABASE_SCHEMA" not in dict(variables("http://127.0.0.1:8000"))
    comments = "\n".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))
    assert 'CREATE SCHEMA "holodrive" AUTHORIZATION "holodrive";' in comments
    assert f'GRANT SELECT ON "public"."{get_user_model()._meta.db_table}"' in comments
    assert "'-c search_path=public,holodrive'" in comments and "p@ss" not in comments


def test_other_sessions_are_not_named_to_the_server():
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.cache"):
        assert "SESSION_ENGINE" not in dict(variables("http://127.0.0.1:8000"))


def test_other_databases_layers_and_origins():
    postgres = {"NAME": "rides", "USER": "web", "PASSWORD": "p@ss/1", "HOST": "db.internal", "PORT": "5433"}
    assert postgres_url(postgres) == "postgres://web:p%40ss%2F1@db.internal:5433/rides"
    tls = {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "connect_timeout": 5}
    assert postgres_url({"NAME": "a b", "HOST": "db", "OPTIONS": tls}) == (
        "postgres://db/a%20b?sslmode=verify-full&sslrootcert=/etc/ca.pem")
    assert postgres_url({"NAME": "rides", "HOST": "/run/postgresql"}) == "postgres:///rides?host=/run/postgresql"
    layers = {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                          "CONFIG": {"hosts": [("cache", 6380)], "prefix": "rides"}}}
    with override_settings(CHANNEL_LAYERS=layers, ALLOWED_HOSTS=["*", ".example.com"],
                           CSRF_TRUSTED_ORIGINS=["https://*.example.org"]):
        found = dict(variables("http://django:8000"))
    assert found["CHANNEL_LAYER_URL"] == "redis://cache:6380/0" and found["CHANNEL_LAYER_BACKEND"] == "pubsub"
    assert found["CHANNEL_LAYER_PREFIX"] == "rides"
    assert found["ALLOWED_ORIGINS"] == ".example.com,https://.example.org"
    assert redis_url({"address": "rediss://a:1/2"}) == "rediss://a:1/2"

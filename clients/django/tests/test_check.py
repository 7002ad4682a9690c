"""`manage.py holodrive_check` against the real server."""

import subprocess

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import override_settings
from live import free_port

from holodrive import tokens
from holodrive.environment import dotenv, postgres_url, quoted, redis_url, variables


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


def test_another_key_is_found(capsys, user, monkeypatch):
    # SimpleJWT keeps the key of its first import, so the token is made without it.
    monkeypatch.setattr("holodrive.comparison.access_token", tokens._default_token)
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


def test_other_databases_layers_and_origins():
    postgres = {"NAME": "rides", "USER": "web", "PASSWORD": "p@ss/1", "HOST": "db.internal", "PORT": "5433"}
    assert postgres_url(postgres) == "postgres://web:p%40ss%2F1@db.internal:5433/rides"
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

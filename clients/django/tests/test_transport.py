"""Retries, kept connections and errors, against a server whose answers are written down."""

import json
import time

import pytest
from django.test import override_settings
from live import Script, free_port

import holodrive
from holodrive import HoloDriveError, transport

CREATED = (201, {}, b'{"ids": [1]}')
BUSY = (503, {}, b'{"code": "unavailable", "detail": "later"}')


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """What would be slept, in order."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def settings(script, **more):
    return override_settings(HOLODRIVE={"URL": script.url, "API_KEY": "k", "TIMEOUT": 5, **more})


def keys(script):
    return [headers["Idempotency-Key"] for _, _, headers, _ in script.asked]


@pytest.mark.parametrize("trouble", [BUSY, None, (500, {}, b"<html>"), (408, {}, b"{}")])
def test_what_failed_is_tried_again_with_the_same_key(trouble):
    with Script(trouble, trouble, CREATED) as script, settings(script):
        assert holodrive.notify(5, title="t", message="m") == [1]
    assert len(script.asked) == 3 and len(set(keys(script))) == 1
    method, path, headers, body = script.asked[0]
    assert (method, path, headers["Authorization"]) == ("POST", "/api/notifications/", "Api-Key k")
    assert json.loads(body)["user_id"] == 5


def test_it_is_given_up_after_the_last_retry():
    with Script(BUSY, BUSY) as script, settings(script, RETRIES=1), pytest.raises(HoloDriveError) as error:
        holodrive.notify(5, title="t", message="m")
    assert (error.value.status, error.value.code, error.value.detail) == (503, "unavailable", "later")


def test_a_refusal_is_not_tried_again():
    refusal = (400, {}, b'{"code": "invalid", "detail": "no", "errors": {"title": ["why"]}}')
    with Script(refusal) as script, settings(script), pytest.raises(HoloDriveError) as error:
        holodrive.notify(5, title="t", message="m")
    assert error.value.errors == {"title": ["why"]} and len(script.asked) == 1


def test_retry_after_is_honoured_within_reason(no_waiting):
    limited = [(429, {"Retry-After": seconds}, b"{}") for seconds in ("3", "86400", "Wed, 21 Oct")]
    with Script(*limited, CREATED) as script, settings(script, RETRIES=3):
        holodrive.notify(5, title="t", message="m")
    assert no_waiting[:2] == [3, transport.RETRY_AFTER_MAX_SECONDS]
    assert 0 <= no_waiting[2] <= transport.BACKOFF_SECONDS * 4


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_costs_no_retry(no_waiting):
    closing = (201, {"X-Then": "close"}, CREATED[2])
    with Script(CREATED, closing, CREATED) as script, settings(script, RETRIES=0):
        for _ in range(3):
            holodrive.notify(5, title="t", message="m")
    assert len(script.asked) == 3 and len(script.connections) == 2 and no_waiting == []


def test_nobody_there():
    gone = f"http://127.0.0.1:{free_port()}"
    with override_settings(HOLODRIVE={"URL": gone, "API_KEY": "k"}), pytest.raises(HoloDriveError) as error:
        holodrive.notify(5, title="t", message="m")
    assert error.value.code == "unreachable" and gone in error.value.detail and error.value.status is None


def test_many_users_are_told_in_parts_with_keys_of_their_own(monkeypatch):
    monkeypatch.setattr("holodrive.api.RECIPIENTS_MAX", 2)
    with Script(CREATED, CREATED) as script, settings(script):
        assert holodrive.notify([1, 2, 3], title="t", message="m", idempotency_key="k") == [1, 1]
    assert [json.loads(body)["user_ids"] for *_, body in script.asked] == [[1, 2], [3]]
    assert keys(script) == ["k:0", "k:1"]


def test_an_answer_that_is_no_json_is_an_error():
    with Script((201, {}, b"<html>")) as script, settings(script), pytest.raises(HoloDriveError) as error:
        holodrive.notify(5, title="t", message="m")
    assert error.value.code == "bad_answer"

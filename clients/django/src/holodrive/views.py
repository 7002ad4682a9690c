"""The views behind `HOOKS_URL`: who may ask, what was asked before, and what is answered."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, RequestDataTooBig, ValidationError
from django.db import IntegrityError, router, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from .conf import config
from .dispatch import ROUTES, Route, encoded, moment
from .hooks import Handlers, Hook, Refused
from .models import HookAnswer
from .signatures import problem

logger = logging.getLogger("holodrive.hooks")

KEPT: Final = timedelta(days=1)
ID_LENGTH_MAX: Final = 64
ONE_IN: Final = 200


@csrf_exempt
def hook(request: HttpRequest, name: str) -> HttpResponse:
    """Answers one hook. The signature says that the server asks; there is neither a session nor a CSRF token."""
    try:
        return _answer(request, name)
    except Refused as refused:
        return _response(*_refusal(refused))
    except Exception:
        logger.exception("The hook %s failed; the server asks again", name)
        return _error(500, "error", "this hook failed; the log of the back end says why")


def _answer(request: HttpRequest, name: str) -> HttpResponse:
    if request.method != "POST":
        response = _error(405, "method_not_allowed", "hooks are sent by POST")
        response["Allow"] = "POST"
        return response
    if not config.hooks_secret:
        return _error(503, "not_configured", "HOLODRIVE['HOOKS_SECRET'] is not set")
    try:
        body = request.body
    except RequestDataTooBig:
        return _error(413, "too_long", "see DATA_UPLOAD_MAX_MEMORY_SIZE")
    headers = request.headers
    wrong = problem(headers.get("X-HoloDrive-Timestamp", ""), headers.get("X-HoloDrive-Signature", ""), body)
    if wrong is not None:
        return _error(401, "unauthorized", wrong)
    route = ROUTES.get(name)
    if route is None:
        return _error(404, "not_found", f"there is no hook {name!r}")
    return _dispatch(route, _parsed(body, name, headers.get("Idempotency-Key", "")))


def _parsed(body: bytes, name: str, key: str) -> Hook:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON", "invalid_json", 400) from None
    if not isinstance(asked, dict) or not isinstance(asked.get("data"), dict):
        raise Refused("the body is no object with data", "invalid", 400)
    id = asked.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= ID_LENGTH_MAX or id != key:
        raise Refused("id and Idempotency-Key must be the same text", "invalid", 400)
    if asked.get("hook") != name:
        raise Refused("this is the address of another hook", "invalid", 400)
    sent_at = asked.get("sent_at")
    return Hook(id, name, None if sent_at is None else moment(sent_at), asked["data"])


def _dispatch(route: Route, hook: Hook) -> HttpResponse:
    handlers: Handlers = import_string(config.handlers)(hook)
    if not route.stores:
        return _response(*_outcome(lambda: route.answer(handlers, hook.data)))
    try:
        return _once(route, handlers, hook)
    except IntegrityError:
        answered = HookAnswer.objects.filter(pk=hook.id).first()
        if answered is None:
            raise
        if answered.hook != hook.name:
            raise Refused("this id was another hook's", "idempotency_conflict", 409) from None
        return _response(answered.status, answered.body)


def _once(route: Route, handlers: Handlers, hook: Hook) -> HttpResponse:
    """The note goes first: it is what the same request at the same moment waits for."""
    database = router.db_for_write(HookAnswer)
    with transaction.atomic(using=database):
        note = HookAnswer(id=hook.id, hook=hook.name)
        note.save(using=database, force_insert=True)
        note.status, note.body = _outcome(lambda: _stored(route, handlers, hook, database))
        note.save(using=database)
    if secrets.randbelow(ONE_IN) == 0:
        HookAnswer.objects.using(database).filter(created_at__lt=timezone.now() - KEPT).delete()
    return _response(note.status, note.body)


def _stored(route: Route, handlers: Handlers, hook: Hook, database: str) -> dict[str, Any]:
    """What a handler that refuses has stored before goes; the note with its refusal stays."""
    with transaction.atomic(using=database):
        return route.answer(handlers, hook.data)


def _outcome(work: Callable[[], dict[str, Any]]) -> tuple[int, str]:
    """Status and body: Django's own ways to say no are refusals, everything else that is raised is a failure."""
    try:
        return 200, encoded(work())
    except Refused as refused:
        return _refusal(refused)
    except PermissionDenied as denied:
        return _refusal(Refused(str(denied) or "Permission denied."))
    except (Http404, ObjectDoesNotExist) as missing:
        return _refusal(Refused(str(missing) or "There is no such thing.", "not_found", 404))
    except ValidationError as wrong:
        return _refusal(Refused(" ".join(wrong.messages), "invalid", 400))


def _refusal(refused: Refused) -> tuple[int, str]:
    return refused.status, encoded({"code": refused.code, "detail": refused.detail})


def _error(status: int, code: str, detail: str) -> HttpResponse:
    return _response(status, encoded({"code": code, "detail": detail}))


def _response(status: int, body: str) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json")

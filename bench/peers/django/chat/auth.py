"""Puts the user of `?token=` into the scope."""

from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

authentication = JWTAuthentication()


@database_sync_to_async
def user_of(token):
    try:
        return authentication.get_user(authentication.get_validated_token(token))
    except (InvalidToken, AuthenticationFailed):
        return AnonymousUser()


class TokenAuth(BaseMiddleware):
    async def __call__(self, scope, receive, send):
        tokens = parse_qs(scope["query_string"].decode()).get("token", [""])
        scope["user"] = await user_of(tokens[0])
        return await super().__call__(scope, receive, send)

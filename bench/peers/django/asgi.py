"""The ASGI application: both sockets, behind SimpleJWT."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
http = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from chat.auth import TokenAuth  # noqa: E402
from chat.consumers import ChatConsumer, NotificationConsumer  # noqa: E402

routes = [
    path("ws/notifications/", NotificationConsumer.as_asgi()),
    path("ws/chat/<int:conversation_id>/", ChatConsumer.as_asgi()),
]
application = ProtocolTypeRouter({"http": http, "websocket": TokenAuth(URLRouter(routes))})

"""Users as Django stores them, their tokens as SimpleJWT makes them, and what they can do over HTTP."""

import base64
import hashlib
import itertools
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone

import httpx
import jwt

SECRET_KEY = "acceptance-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"
API_KEY = "acceptance-api-key"
PASSWORD = "correct horse battery"

_numbers = itertools.count(1)


def access_token(user_id, /, lifetime: float = 300, key: str = SECRET_KEY, **claims) -> str:
    """What SimpleJWT's AccessToken writes; `claims` replaces or adds, None removes."""
    now = int(time.time())
    payload = {
        "token_type": "access", "exp": int(now + lifetime), "iat": now, "jti": uuid.uuid4().hex,
        "user_id": str(user_id), **claims,
    }
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, key, "HS256")


def password_hash(password: str) -> str:
    """Django's PBKDF2 format, with few iterations so that a login in a test takes no time."""
    salt, iterations = "acceptancesalt", 10
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return f"pbkdf2_sha256${iterations}${salt}${base64.b64encode(digest).decode()}"


@dataclass
class User:
    """A stored user, with the requests he makes."""

    server: object = field(repr=False)
    id: int
    username: str
    first_name: str
    last_name: str

    @property
    def token(self) -> str:
        return access_token(self.id)

    @property
    def display_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.username

    def connect(self, path: str, **options):
        return self.server.connect(path, self, **options)

    def request(self, method: str, path: str, json=None, headers=None, **options) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if json is not None:
            options["json"] = json
        return self.server.http.request(method, path, headers=headers, **options)

    def get(self, path: str, **options) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, json=None, **options) -> httpx.Response:
        return self.request("POST", path, json={} if json is None else json, **options)

    def put(self, path: str, json=None, **options) -> httpx.Response:
        return self.request("PUT", path, json=json, **options)

    def move_to(self, latitude, longitude):
        response = self.put("/api/driver/location/", {"latitude": latitude, "longitude": longitude})
        assert response.status_code == 204, response.text

    def set_status(self, status: str):
        response = self.put("/api/driver/status/", {"status": status})
        assert response.status_code == 204, response.text


def insert_user(server, database, name=None, *, groups=(), is_staff=False, is_active=True,
                first_name="", last_name="", password=PASSWORD) -> User:
    name = name or f"user{next(_numbers)}"
    joined = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    (user_id,) = database.execute(
        "INSERT INTO auth_user (password, is_superuser, username, last_name, email, is_staff, is_active,"
        " date_joined, first_name) VALUES (?, FALSE, ?, ?, '', ?, ?, ?, ?) RETURNING id",
        (password_hash(password), name, last_name, is_staff, is_active, joined, first_name),
    ).fetchone()
    for group in groups:
        add_to_group(database, user_id, group)
    return User(server, user_id, name, first_name, last_name)


def add_to_group(database, user_id: int, group: str):
    database.execute("INSERT INTO auth_group (name) VALUES (?) ON CONFLICT DO NOTHING", (group,))
    database.execute(
        "INSERT INTO auth_user_groups (user_id, group_id) SELECT ?, id FROM auth_group WHERE name = ?",
        (user_id, group),
    )

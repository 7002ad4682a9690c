"""Google, as far as a server that sends by Firebase Cloud Messaging sees it: OAuth 2.0 for service accounts, and HTTP v1.

After developers.google.com/identity/protocols/oauth2/service-account and firebase.google.com/docs/reference/fcm/rest/v1."""

import json
import re
import secrets
import time
from pathlib import Path
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from certificates import Authority, pem
from services import HttpService

PROJECT = "ride-hailing-1"
EMAIL = f"push@{PROJECT}.iam.gserviceaccount.com"
KEY_ID = "0123456789abcdef0123456789abcdef01234567"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST_ASSERTION = 3600
LONGEST_TTL = 28 * 24 * 3600
MESSAGE_BYTES_MAX = 4096
TYPE = "type.googleapis.com/google."

MESSAGE = {"name", "data", "notification", "android", "webpush", "apns", "fcm_options", "token", "topic", "condition"}
ANDROID = {
    "collapse_key", "priority", "ttl", "restricted_package_name", "data", "notification", "fcm_options", "direct_boot_ok",
}
APNS = {"headers", "payload", "fcm_options", "live_activity_token"}
RESERVED = re.compile(r"^(from|message_type|notification|google\..*|gcm\..*)$")


class Refused(Exception):
    """An error as Google writes it."""

    def __init__(self, code: int, status: str, message: str, *details: dict):
        super().__init__(message)
        self.code = code
        self.error = {"code": code, "message": message, "status": status, "details": list(details)}


def fcm_error(code: str) -> dict:
    return {"@type": f"{TYPE}firebase.fcm.v1.FcmError", "errorCode": code}


def invalid(field: str, problem: str, *details: dict) -> Refused:
    violations = {"@type": f"{TYPE}rpc.BadRequest", "fieldViolations": [{"field": field, "description": problem}]}
    return Refused(400, "INVALID_ARGUMENT", problem, violations, *details)


def unregistered() -> Refused:
    return Refused(404, "NOT_FOUND", "Requested entity was not found.", fcm_error("UNREGISTERED"))


def unauthenticated() -> Refused:
    message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
    reason = {"@type": f"{TYPE}rpc.ErrorInfo", "reason": "ACCESS_TOKEN_EXPIRED", "domain": "googleapis.com"}
    return Refused(401, "UNAUTHENTICATED", message, reason)


def third_party_refuses() -> Refused:
    """Apple does not take the key that the project has for it."""
    message = "Auth error from APNS or Web Push Service"
    return Refused(401, "UNAUTHENTICATED", message, fcm_error("THIRD_PARTY_AUTH_ERROR"))


class OAuthServer(HttpService):
    """The token endpoint: signs in the one service account there is."""

    def __init__(self, context=None):
        super().__init__(context)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens = {}
        self.lifetime = 3599

    @property
    def token_uri(self) -> str:
        return f"{self.url}/token"

    def write_credentials(self, folder: Path, **changes) -> Path:
        """The key file, as the Google console hands it out."""
        fields = {
            "type": "service_account", "project_id": PROJECT, "private_key_id": KEY_ID,
            "private_key": pem(self.key).decode(), "client_email": EMAIL, "client_id": "1",
            "auth_uri": f"{self.url}/auth", "token_uri": self.token_uri, "universe_domain": "googleapis.com", **changes,
        }
        file = folder / "service-account.json"
        file.write_text(json.dumps(fields))
        return file

    def answer(self, path, headers, body):
        deviation = self.next_deviation()
        if deviation:
            return deviation.status, json.dumps(deviation.body).encode(), deviation.headers
        try:
            self.check(path, headers, body)
        except (AssertionError, KeyError, jwt.PyJWTError) as problem:
            denied = {"error": "invalid_grant", "error_description": f"Invalid JWT: {problem!r}"}
            return 400, json.dumps(denied).encode(), {}
        token = f"ya29.{secrets.token_urlsafe(40)}"
        with self.lock:
            self.tokens[token] = time.time() + self.lifetime
        granted = {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}
        self.accept(granted)
        return 200, json.dumps(granted).encode(), {}

    def check(self, path, headers, body):
        assert path == "/token" and headers["Content-Type"] == "application/x-www-form-urlencoded"
        form = parse_qs(body.decode(), strict_parsing=True)
        assert form["grant_type"] == [GRANT] and set(form) == {"grant_type", "assertion"}
        [assertion] = form["assertion"]
        assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        required = {"require": ["iss", "scope", "aud", "iat", "exp"]}
        claims = jwt.decode(
            assertion, self.key.public_key(), ["RS256"], audience=self.token_uri, issuer=EMAIL, options=required, leeway=2)
        assert claims["scope"] == SCOPE and set(claims) == set(required["require"])
        assert 0 < claims["exp"] - claims["iat"] <= LONGEST_ASSERTION

    def revoke_all(self):
        with self.lock:
            self.tokens.clear()

    def is_valid(self, token: str) -> bool:
        with self.lock:
            return self.tokens.get(token, 0) > time.time()


class FcmServer(HttpService):
    """`projects.messages.send`, strict about every field; knows the devices in `devices`."""

    def __init__(self, oauth: OAuthServer, context=None):
        super().__init__(context)
        self.oauth = oauth
        self.devices = set()
        self.has_key_of_apple = True
        self.apple_devices = set()

    def device(self) -> str:
        """The registration token of a new installation of the app."""
        token = f"{secrets.token_urlsafe(16)}:APA91b{secrets.token_urlsafe(100)}"
        self.devices.add(token)
        return token

    def answer(self, path, headers, body):
        deviation = self.next_deviation()
        try:
            message = self.check(path, headers, body)
        except Refused as refused:
            return refused.code, json.dumps({"error": refused.error}).encode(), {}
        if deviation:
            return deviation.status, json.dumps(deviation.body).encode(), deviation.headers
        self.accept(message)
        return 200, json.dumps({"name": f"projects/{PROJECT}/messages/{secrets.token_hex(8)}"}).encode(), {}

    def check(self, path, headers, body) -> dict:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.oauth.is_valid(token):
            raise unauthenticated()
        if path != f"/v1/projects/{PROJECT}/messages:send":
            raise Refused(403, "PERMISSION_DENIED", "Permission denied on the project.", fcm_error("SENDER_ID_MISMATCH"))
        request = json.loads(body)
        only_known(request, {"message", "validate_only"}, "")
        message = request["message"]
        check_message(message, len(body))
        if not re.fullmatch(r"[\w-]{10,}:APA91b[\w-]{100,}", message["token"]):
            raise invalid("message.token", "Invalid registration token", fcm_error("INVALID_ARGUMENT"))
        if message["token"] not in self.devices:
            raise unregistered()
        if message["token"] in self.apple_devices and not self.has_key_of_apple:
            raise third_party_refuses()
        return message


def only_known(value: dict, known: set, where: str):
    for name in value:
        if name not in known:
            at = f" at '{where}'" if where else ""
            raise invalid(where, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')


def check_message(message: dict, size: int):
    only_known(message, MESSAGE, "message")
    if len({"token", "topic", "condition"} & set(message)) != 1:
        raise invalid("message", "Recipient of the message is not set.", fcm_error("INVALID_ARGUMENT"))
    check_texts(message.get("data", {}), "message.data")
    for name in message.get("data", {}):
        if RESERVED.match(name):
            raise invalid("message.data", f"Invalid data payload key: {name}", fcm_error("INVALID_ARGUMENT"))
    if size > MESSAGE_BYTES_MAX:
        raise invalid("message", "Message payload is too large.", fcm_error("INVALID_ARGUMENT"))
    check_android(message.get("android", {}))
    check_apns(message.get("apns", {}))


def check_texts(values: dict, where: str):
    for number, value in enumerate(values.values()):
        if not isinstance(value, str):
            raise invalid(f"{where}[{number}].value", f"Invalid value at '{where}[{number}].value' (TYPE_STRING), {value}")


def check_android(android: dict):
    only_known(android, ANDROID, "message.android")
    if android.get("priority", "NORMAL") not in ("NORMAL", "HIGH"):
        raise invalid("message.android.priority", f"Invalid value at 'message.android.priority': {android['priority']}")
    ttl = android.get("ttl", "0s")
    if not isinstance(ttl, str) or not re.fullmatch(r"\d+(\.\d{1,9})?s", ttl) or float(ttl[:-1]) > LONGEST_TTL:
        raise invalid("message.android.ttl", f"Invalid value at 'message.android.ttl' (type.googleapis.com/Duration), {ttl}")


def check_apns(apns: dict):
    only_known(apns, APNS, "message.apns")
    check_texts(apns.get("headers", {}), "message.apns.headers")
    if not isinstance(apns.get("payload", {}).get("aps", {}), dict):
        raise invalid("message.apns.payload", "aps is no object", fcm_error("INVALID_ARGUMENT"))


class Google:
    """Both servers, under an authority of the tests' own."""

    def __init__(self, authority: Authority):
        self.oauth = OAuthServer(authority.server_context("http/1.1"))
        self.fcm = FcmServer(self.oauth, authority.server_context("http/1.1"))

    def settings(self, folder: Path, **changes) -> dict:
        return {"FCM_CREDENTIALS": self.oauth.write_credentials(folder, **changes), "FCM_URL": self.fcm.url}

    def stop(self):
        self.fcm.stop()
        self.oauth.stop()

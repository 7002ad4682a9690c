"""SimpleJWT under other settings: it issues and judges tokens through its own code, and the server must judge alike."""

import contextlib
import http.server
import json
import threading
from dataclasses import dataclass, field

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from django_site import PASSWORD, QUICK_PASSWORDS, Django, SqliteFile, bearer
from holodrive import Server
from users import SECRET_KEY

KEY_ID = "the-current-key"

# Runs in Django. Prints [[what is odd about it, token, whether SimpleJWT lets it authenticate], …].
ISSUE_AND_JUDGE = """
import json, time, jwt
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken

def judge(token):
    judge = JWTAuthentication()
    try:
        return judge.get_user(judge.get_validated_token(token.encode())).pk == user.pk
    except AuthenticationFailed:
        return False

def forge(headers=headers, key=None, algorithm=api_settings.ALGORITHM, **changes):
    claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return jwt.encode(claims, key or api_settings.SIGNING_KEY, algorithm, headers=headers)

user, now, claim = User.objects.get(pk=pk), int(time.time()), api_settings.USER_ID_CLAIM
access, refresh = AccessToken.for_user(user), RefreshToken.for_user(user)
good = jwt.decode(str(access), options={"verify_signature": False})
audience = api_settings.AUDIENCE
first = audience if isinstance(audience, str) else (audience or ["anybody"])[0]
tokens = {
    "as it is": str(access), "refresh": str(refresh), "of a refresh token": str(refresh.access_token),
    "same claims": forge(), "lately expired": forge(exp=now - 20), "long expired": forge(exp=now - 3600),
    "soon valid": forge(iat=now + 20), "valid later": forge(iat=now + 3600), "not before": forge(nbf=now + 3600),
    "no audience": forge(aud=None), "another audience": forge(aud="other"), "several audiences": forge(aud=["other", first]),
    "no issuer": forge(iss=None), "another issuer": forge(iss="other"), "no type": forge(token_type=None),
    "type refresh": forge(token_type="refresh"), "no id": forge(jti=None), "number": forge(**{claim: user.pk}),
    "no user": forge(**{claim: None}), "unknown user": forge(**{claim: "999999"}),
    "no password": forge(hash_password=None), "another password": forge(hash_password="0" * 32),
    "another key": forge(key=other_key), "secret key": forge(key=secret_key, algorithm="HS256"),
    "no key id": forge(headers=None), "unknown key id": forge(headers={"kid": "unknown"}),
    "sliding": str(SlidingToken.for_user(user)), "none": jwt.encode(good, None, "none"), "garbage": "garbage", "cut": forge()[:-2],
}
print(json.dumps([[what, token, judge(token)] for what, token in tokens.items()]))
"""


def pem_pair(private) -> tuple[str, str]:
    no_password = serialization.NoEncryption()
    secret = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return secret.decode(), public.decode()


def make_key(algorithm: str):
    match algorithm[:2]:
        case "ES":
            return ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())
        case "Ed":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


@dataclass
class Profile:
    """`SIMPLE_JWT`, and the variables that say the same to the server."""

    simple_jwt: dict
    variables: dict
    other_key: str = "a-key-of-somebody-else-0123456789-abcdefghijklmnopqrstuvwxyz-0123"
    headers: dict | None = None
    #: What this profile must let in, and must keep out.
    good: set = field(default_factory=lambda: {"as it is", "of a refresh token", "same claims", "number"})
    bad: set = field(default_factory=set)


ALWAYS_BAD = {"refresh", "type refresh", "long expired", "valid later", "not before", "no type", "no id", "no user",
              "unknown user", "another key", "none", "garbage", "cut"}


def shared(algorithm: str) -> Profile:
    key = f"the-signing-key-for-{algorithm}-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789"
    return Profile({"ALGORITHM": algorithm, "SIGNING_KEY": key},
                   {"JWT_ALGORITHM": algorithm, "JWT_SIGNING_KEY": key}, bad={"secret key"})


def asymmetric(algorithm: str) -> Profile:
    private, public = pem_pair(make_key(algorithm))
    return Profile({"ALGORITHM": algorithm, "SIGNING_KEY": private, "VERIFYING_KEY": public},
                   {"JWT_ALGORITHM": algorithm, "JWT_SIGNING_KEY": private, "JWT_VERIFYING_KEY": public},
                   other_key=pem_pair(make_key(algorithm))[0], bad={"secret key"})


PROFILES = {
    "defaults": lambda: Profile({}, {}, bad={"lately expired", "soon valid", "sliding"}, good={"secret key", "several audiences"}),
    **{name: lambda name=name: shared(name) for name in ("HS256", "HS384", "HS512")},
    **{name: lambda name=name: asymmetric(name) for name in ("RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA")},
    "audience": lambda: Profile(
        {"AUDIENCE": "riders"}, {"JWT_AUDIENCE": "riders"}, bad={"no audience", "another audience"},
        good={"as it is", "several audiences"}),
    "audiences": lambda: Profile(
        {"AUDIENCE": ["riders", "drivers"]}, {"JWT_AUDIENCE": "riders,drivers"}, bad={"no audience", "another audience"},
        good={"as it is", "several audiences"}),
    "issuer": lambda: Profile({"ISSUER": "https://id.example"}, {"JWT_ISSUER": "https://id.example"},
                              bad={"no issuer", "another issuer"}),
    "leeway": lambda: Profile({"LEEWAY": 60}, {"JWT_LEEWAY": "60"}, good={"as it is", "lately expired", "soon valid"}),
    "revocable": lambda: Profile({"CHECK_REVOKE_TOKEN": True}, {"JWT_CHECK_REVOKE_TOKEN": "true"},
                                 bad={"no password", "another password"}),
    "claim": lambda: Profile({"USER_ID_CLAIM": "sub", "USER_ID_FIELD": "username"},
                             {"JWT_USER_ID_CLAIM": "sub", "JWT_USER_ID_FIELD": "username"}, bad={"number"},
                             good={"as it is", "of a refresh token"}),
    "sliding": lambda: Profile({"AUTH_TOKEN_CLASSES": ["rest_framework_simplejwt.tokens.SlidingToken"]},
                               {"JWT_AUTH_TOKEN_CLASSES": "SlidingToken"}, good={"sliding"}, bad={"as it is", "secret key"}),
    "pk": lambda: Profile({"USER_ID_FIELD": "pk"}, {"JWT_USER_ID_FIELD": "pk"}),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A migrated database with one user: (its folder, his key)."""
    directory = tmp_path_factory.mktemp("tokens")
    django = Django(SqliteFile(directory), **QUICK_PASSWORDS)
    django.manage("migrate", "-v0")
    yield directory, django.create_user("user1")
    django.stop()


@contextlib.contextmanager
def both(site, profile: Profile):
    """Django and the server under the settings of a profile."""
    directory, _ = site
    shared = SqliteFile(directory)
    django = Django(shared, **QUICK_PASSWORDS, SIMPLE_JWT=profile.simple_jwt, ROOT_URLCONF="project.token_urls")
    server = Server(directory, RECHECK_INTERVAL=0.2, **shared.server_env, **profile.variables).start()
    try:
        yield django, server
    finally:
        django.stop()
        server.finish()


def issue_and_judge(django, key, profile: Profile) -> list:
    given = {"pk": key, "other_key": profile.other_key, "secret_key": SECRET_KEY, "headers": profile.headers}
    return json.loads(django.run("".join(f"{name} = {value!r}\n" for name, value in given.items()) + ISSUE_AND_JUDGE))


def assert_judged_alike(server, key, judged: list, profile: Profile):
    verdicts = {what: verdict for what, _, verdict in judged}
    assert {what for what in profile.good if not verdicts[what]} == set(), "SimpleJWT's own verdict"
    assert {what for what in profile.bad | ALWAYS_BAD if verdicts[what]} == set(), "SimpleJWT's own verdict"
    for what, token, verdict in judged:
        answer = server.http.get("/api/me/", headers=bearer(token))
        assert answer.status_code == (200 if verdict else 401), (what, answer.text)
    good = next(token for _, token, verdict in judged if verdict)
    assert server.connect(f"/ws/notifications/?token={good}").receive()["user_id"] == str(key)


@pytest.mark.parametrize("name", PROFILES)
def test_tokens_are_judged_as_simplejwt_judges_them(site, name):
    profile, (_, key) = PROFILES[name](), site
    with both(site, profile) as (django, server):
        assert_judged_alike(server, key, issue_and_judge(django, key, profile), profile)
        ours = server.http.post("/api/token/", json={"username": "user1", "password": PASSWORD}).json()
        again = server.http.post("/api/token/refresh/", json={"refresh": ours["refresh"]}).json()["access"]
        verified = django.run(
            "from django.test import Client\nclient = Client(headers={'host': '127.0.0.1'})\n"
            f"print([client.post('/api/token/verify/', {{'token': token}}).status_code for token in {[*ours.values(), again]}])")
        assert verified == "[200, 200, 200]"


def test_keys_come_from_an_identity_provider(site):
    algorithm, (_, key) = "RS256", site
    private = make_key(algorithm)
    public_set = [{**jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": KEY_ID,
                   "use": "sig", "alg": algorithm}]
    with key_server(public_set) as url:
        signing = pem_pair(private)[0]
        profile = Profile(
            {"ALGORITHM": algorithm, "SIGNING_KEY": signing, "JWK_URL": url},
            {"JWT_ALGORITHM": algorithm, "JWT_JWK_URL": url}, other_key=pem_pair(make_key(algorithm))[0],
            headers={"kid": KEY_ID}, good={"same claims", "number"}, bad={"as it is", "of a refresh token", "no key id", "unknown key id"})
        with both(site, profile) as (django, server):
            assert_judged_alike(server, key, issue_and_judge(django, key, profile), profile)


@contextlib.contextmanager
def key_server(keys: list):
    """Publishes a JWK set; gives its address."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"keys": keys}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
        server.shutdown()


def test_a_changed_password_ends_the_connection_where_tokens_can_be_revoked(site):
    profile = PROFILES["revocable"]()
    with both(site, profile) as (django, server):
        user = django.create_user("changer1")
        token = django.access_token(user)
        socket = server.connect(f"/ws/notifications/?token={token}")
        socket.expect("connection_established")
        django.run(f"user = User.objects.get(pk={user})\nuser.set_password('another')\nuser.save()")
        socket.refused(4401, "unauthorized")
        server.connect(f"/ws/notifications/?token={token}").refused(4401, "unauthorized")
        server.connect(f"/ws/notifications/?token={django.access_token(user)}").expect("connection_established")


def test_a_changed_password_does_not_end_tokens_by_itself(site):
    with both(site, PROFILES["defaults"]()) as (django, server):
        user, canary = django.create_user("changer2"), django.create_user("canary2")
        token = django.access_token(user)
        socket = server.connect(f"/ws/notifications/?token={token}")
        other = server.connect(f"/ws/notifications/?token={django.access_token(canary)}")
        for each in (socket, other):
            each.expect("connection_established")
        django.run(f"user = User.objects.get(pk={user})\nuser.set_password('another')\nuser.save()")
        django.run(f"User.objects.get(pk={canary}).delete()")
        other.refused(4401, "unauthorized")
        assert socket.so_far() == []
        server.connect(f"/ws/notifications/?token={token}").expect("connection_established")


@pytest.mark.parametrize("variables, named", [
    ({"JWT_ALGORITHM": "ES512"}, "JWT_ALGORITHM"), ({"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM"),
    ({"JWT_ALGORITHM": "RS256"}, "JWT_VERIFYING_KEY"), ({"JWT_ALGORITHM": "RS256", "JWT_VERIFYING_KEY": "x"}, "JWT_VERIFYING_KEY"),
    ({"JWT_ALGORITHM": "RS256", "JWT_JWK_URL": "ftp://x"}, "JWT_JWK_URL"),
])
def test_keys_that_cannot_be_used_stop_the_start(tmp_path, variables, named):
    result = Server(tmp_path, LOG_LEVEL="error", **variables).cli("serve", check=False)
    assert result.returncode != 0
    assert len(result.stderr.strip().splitlines()) == 1 and named in result.stderr, result.stderr

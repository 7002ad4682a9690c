"""Apple, as far as a server that sends by APNs sees it: HTTP/2 over TLS, provider tokens, and an opinion on every header.

After developer.apple.com/documentation/usernotifications."""

import json
import queue
import re
import secrets
import select
import socket
import threading
import time
import uuid
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from certificates import Authority, pem
from services import Service

KEY_ID = "ABC123DEFG"
TEAM_ID = "DEF123GHIJ"
TOPIC = "com.example.driver"
LONGEST_TOKEN = 3600
PAYLOAD_BYTES_MAX = 4096
COLLAPSE_BYTES_MAX = 64
PUSH_TYPES = {"alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity", "pushtotalk"}
REQUIRED = {":method", ":scheme", ":authority", ":path", "authorization", "apns-topic", "apns-push-type"}
KNOWN = REQUIRED | {
    "apns-id", "apns-expiration", "apns-priority", "apns-collapse-id", "content-type", "content-length", "accept",
    "accept-encoding", "user-agent",
}


class Refused(Exception):
    """An error as Apple writes it."""

    def __init__(self, status: int, reason: str, **more):
        super().__init__(reason)
        self.status, self.body = status, {"reason": reason, **more}


class ApnsServer(Service):
    """Knows the devices in `devices`; those in `gone` are so since a moment, in milliseconds."""

    def __init__(self, authority: Authority):
        super().__init__()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.devices = set()
        self.gone = {}
        self.expired = set()
        self.connections = 0
        self.provider_tokens = []
        self.context = authority.server_context("h2")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self.listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.listener.getsockname()[1]}"

    def settings(self, folder: Path) -> dict:
        file = folder / f"AuthKey_{KEY_ID}.p8"
        file.write_bytes(pem(self.key))
        return {
            "APNS_KEY": file, "APNS_KEY_ID": KEY_ID, "APNS_TEAM_ID": TEAM_ID, "APNS_TOPIC": TOPIC, "APNS_URL": self.url,
        }

    def device(self) -> str:
        """The token of a new installation of the app."""
        token = secrets.token_hex(32)
        self.devices.add(token)
        return token

    def forget(self, token: str, at: float):
        self.devices.discard(token)
        self.gone[token] = int(at * 1000)

    def expire_provider_tokens(self):
        with self.lock:
            self.expired.update(self.provider_tokens)

    def stop(self):
        self.listener.close()

    def listen(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket):
        try:
            with self.context.wrap_socket(client, server_side=True) as tls:
                assert tls.selected_alpn_protocol() == "h2"
                with self.lock:
                    self.connections += 1
                Connection(self, tls).run()
        except OSError:
            client.close()

    def answer(self, headers: dict, body: bytes, provider: list) -> tuple[int, dict | None, dict]:
        deviation = self.next_deviation()
        try:
            request = self.check(headers, body, provider)
        except Refused as refused:
            return refused.status, refused.body, {}
        if deviation:
            return deviation.status, deviation.body, deviation.headers
        self.accept(request)
        return 200, None, {}

    def check(self, headers: dict, body: bytes, provider: list) -> dict:
        if headers[":method"] != "POST":
            raise Refused(405, "MethodNotAllowed")
        path = re.fullmatch(r"/3/device/([^/]*)", headers[":path"])
        if not path:
            raise Refused(404, "BadPath")
        self.check_provider(headers.get("authorization", ""), provider)
        check_headers(headers)
        payload = check_payload(body, headers["apns-push-type"])
        token = path[1]
        if token in self.gone:
            raise Refused(410, "Unregistered", timestamp=self.gone[token])
        if token not in self.devices:
            raise Refused(400, "BadDeviceToken")
        return {"token": token, "headers": headers, "payload": payload}

    def check_provider(self, authorization: str, before: list):
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(403, "MissingProviderToken")
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, self.key.public_key(), ["ES256"], options={"require": ["iss", "iat"]}, leeway=2)
        except jwt.PyJWTError:
            raise Refused(403, "InvalidProviderToken") from None
        if (header["alg"], header.get("kid"), claims["iss"]) != ("ES256", KEY_ID, TEAM_ID):
            raise Refused(403, "InvalidProviderToken")
        if token in self.expired or not -2 <= time.time() - claims["iat"] <= LONGEST_TOKEN:
            raise Refused(403, "ExpiredProviderToken")
        self.remember_provider(token, before)

    def remember_provider(self, token: str, before: list):
        """Another token on a connection while the one before it is still good comes too soon: each is to be used for twenty minutes
        at least."""
        with self.lock:
            if token not in before:
                if before and before[-1] not in self.expired:
                    raise Refused(429, "TooManyProviderTokenUpdates")
                before.append(token)
                self.provider_tokens.append(token)


def check_headers(headers: dict):
    assert set(headers) <= KNOWN, set(headers) - KNOWN
    topic = headers.get("apns-topic")
    if topic != TOPIC:
        raise Refused(400, "TopicDisallowed" if topic else "MissingTopic")
    if headers.get("apns-push-type") not in PUSH_TYPES:
        raise Refused(400, "InvalidPushType")
    if headers.get("apns-priority", "10") not in ("1", "5", "10"):
        raise Refused(400, "BadPriority")
    if not re.fullmatch(r"\d{1,10}", headers.get("apns-expiration", "0")):
        raise Refused(400, "BadExpirationDate")
    if len(headers.get("apns-collapse-id", "").encode()) > COLLAPSE_BYTES_MAX:
        raise Refused(400, "BadCollapseId")
    if "apns-id" in headers:
        try:
            uuid.UUID(headers["apns-id"])
        except ValueError:
            raise Refused(400, "BadMessageId") from None


def check_payload(body: bytes, push_type: str) -> dict:
    if not body:
        raise Refused(400, "PayloadEmpty")
    if len(body) > PAYLOAD_BYTES_MAX:
        raise Refused(413, "PayloadTooLarge")
    payload = json.loads(body)
    assert isinstance(payload["aps"], dict)
    assert push_type != "background" or set(payload["aps"]) == {"content-available"}
    return payload


class Connection:
    """One HTTP/2 connection. What is to be answered is thought over by a thread for each request, so that one that hangs holds up
    nobody; one thread reads and writes."""

    def __init__(self, server: ApnsServer, tls):
        self.server, self.tls = server, tls
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests = {}
        self.provider = []
        self.answers = queue.SimpleQueue()
        self.wake, self.waker = socket.socketpair()

    def run(self):
        self.http.initiate_connection()
        with self.wake, self.waker:
            while not self.http_is_over():
                self.tls.sendall(self.http.data_to_send())
                readable, _, _ = select.select([self.tls, self.wake], [], [])
                if self.wake in readable:
                    self.wake.recv(1)
                    self.respond(*self.answers.get())
                if self.tls in readable and not self.receive():
                    return

    def http_is_over(self) -> bool:
        return self.http.state_machine.state == h2.connection.ConnectionState.CLOSED

    def receive(self) -> bool:
        """Takes in what there is; false at the end."""
        data = self.tls.recv(65536)
        while self.tls.pending():
            data += self.tls.recv(65536)
        for event in self.http.receive_data(data):
            self.handle(event)
        return bool(data)

    def handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            headers = dict(event.headers)
            assert len(headers) == len(event.headers), "a header was sent twice"
            self.requests[event.stream_id] = (headers, bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id][1].extend(event.data)
            self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            request = self.requests.pop(event.stream_id)
            threading.Thread(target=self.consider, args=(event.stream_id, *request), daemon=True).start()
        elif isinstance(event, h2.events.StreamReset):
            self.requests.pop(event.stream_id, None)

    def consider(self, stream_id: int, headers: dict, body: bytearray):
        self.answers.put((stream_id, *self.server.answer(headers, bytes(body), self.provider)))
        try:
            self.waker.send(b".")
        except OSError:
            """The connection is over."""

    def respond(self, stream_id: int, status: int, answer: dict | None, more: dict):
        head = [(":status", str(status)), ("apns-id", str(uuid.uuid4()).upper()), *more.items()]
        try:
            self.http.send_headers(stream_id, head, end_stream=answer is None)
            if answer is not None:
                self.http.send_data(stream_id, json.dumps(answer).encode(), end_stream=True)
        except h2.exceptions.ProtocolError:
            """The client has given up."""

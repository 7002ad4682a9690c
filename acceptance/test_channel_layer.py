"""What Django code sends with `group_send`, through both layers of the real channels_redis, reaches our sockets."""

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import connect

from channels_project import ChannelsProject, layer_settings
from django_site import Browser, Django, SqliteFile
from holodrive import Server, wait_until
from orders import online_driver, open_driver_socket, place_order
from redis_server import RedisServer
from sockets import Socket

BOTH = pytest.mark.parametrize("backend", ["pubsub", "core"])
EVENT = {
    "type": "ride.update", "ride_id": 42, "fare": "12.50", "paid": False, "note": None, "eta": 1.5, "big": 2**40,
    "driver": {"id": 7, "name": "Алишер 🚕"}, "tags": ["a", "ü", []], "negative": -33000,
}


class Site:
    """Redis servers, Django with a layer on them, and our server beside it."""

    def __init__(self, directory, start_server, backend: str, hosts: int = 1, config: dict | None = None,
                 certificates=None, **env):
        self.backend = backend
        self.redis = [RedisServer(certificates).start() for _ in range(hosts)]
        self.django = ChannelsProject(directory, backend, self.redis, **(config or {}))
        urls = ",".join(redis.url for redis in self.redis)
        self.server = start_server(CHANNEL_LAYER_URL=urls, CHANNEL_LAYER_BACKEND=backend, **env)
        self.wait_until_connected()

    def wait_until_connected(self, hosts: int | None = None):
        wanted = len(self.redis) if hosts is None else hosts
        connected = lambda: self.server.metric("holodrive_channel_layer_connected") == wanted
        wait_until(connected, f"{wanted} servers of the layer are listened to", seconds=20)

    def listener(self, user=None):
        """An open notifications socket, and its user."""
        user = user or self.server.user()
        socket = user.connect("/ws/notifications/")
        socket.expect("connection_established")
        return user, socket

    def tell(self, user, message: dict):
        self.django.group_send(f"notifications_{user.id}", message)

    def finish(self):
        self.django.finish()
        for redis in self.redis:
            redis.finish()


@pytest.fixture
def site(tmp_path, start_server):
    sites = []

    def start(backend: str, **options) -> Site:
        sites.append(Site(tmp_path, start_server, backend, **options))
        return sites[-1]

    yield start
    for each in sites:
        each.finish()


@BOTH
def test_a_group_send_reaches_every_endpoint_as_it_is(site, backend):
    site = site(backend)
    user, notifications = site.listener()
    _, second = site.listener(user)
    driver = site.server.driver()
    orders = open_driver_socket(driver)
    conversation = user.post("/api/conversations/", {"kind": "support"}).json()["id"]
    chat = user.connect(f"/ws/chat/{conversation}/")
    chat.expect("connection_established")
    for group, sockets in (
        (f"notifications_{user.id}", [notifications, second]), (f"driver_orders_{driver.id}", [orders]),
        (f"chat_{conversation}", [chat]),
    ):
        site.django.group_send(group, EVENT)
        for socket in sockets:
            assert socket.receive() == EVENT
    site.django.group_send(f"chat_{conversation}", {"type": "typing_indicator", "user_id": 5, "is_typing": True})
    assert chat.receive() == {"type": "typing", "user_id": 5, "is_typing": True}
    for socket in (notifications, second, orders, chat):
        assert socket.kinds_so_far() == []


@BOTH
def test_others_hear_nothing(site, backend):
    site = site(backend)
    user, socket = site.listener()
    other, listening = site.listener()
    stranger = site.server.user()
    conversation = user.post("/api/conversations/", {"kind": "support"}).json()["id"]
    stranger.connect(f"/ws/chat/{conversation}/").refused(4403, "forbidden")
    assert site.server.metric("holodrive_channel_layer_groups") == 2
    site.tell(user, EVENT)
    assert socket.receive() == EVENT
    assert listening.kinds_so_far() == []


@BOTH
def test_patterns_renames_and_prefix_are_settings(site, backend):
    site = site(
        backend, config={"prefix": "ride"}, CHANNEL_LAYER_PREFIX="ride",
        CHANNEL_LAYER_GROUPS="notifications=user.{id},notifications=everybody",
        CHANNEL_LAYER_RENAMES="ride.update=order_update",
    )
    user, socket = site.listener()
    site.tell(user, {"type": "nobody.listens"})
    for group in (f"user.{user.id}", "everybody"):
        site.django.group_send(group, EVENT)
        assert socket.receive() == {**EVENT, "type": "order_update"}


@BOTH
@pytest.mark.parametrize("serializer", ["msgpack", "json"])
def test_encryption_with_several_keys(site, backend, serializer):
    config = {"symmetric_encryption_keys": ["old key"], "serializer_format": serializer}
    site = site(backend, config=config, CHANNEL_LAYER_ENCRYPTION_KEYS="new key,old key",
                CHANNEL_LAYER_SERIALIZER=serializer)
    user, socket = site.listener()
    site.tell(user, EVENT)
    assert socket.receive() == EVENT


@BOTH
def test_what_cannot_be_read_is_counted_and_harms_nothing(site, backend):
    site = site(backend, CHANNEL_LAYER_SERIALIZER="json")
    user, socket = site.listener()
    site.tell(user, EVENT)
    counted = lambda: site.server.metric("holodrive_channel_layer_messages_undecodable_total") == 1
    wait_until(counted, "the message is counted")
    assert socket.kinds_so_far() == []


@BOTH
def test_several_hosts(site, backend):
    site = site(backend, hosts=2)
    listeners = [site.listener() for _ in range(8)]
    for user, _ in listeners:
        site.tell(user, EVENT)
    assert [socket.receive() for _, socket in listeners] == [EVENT] * 8
    commands = [redis.client.info("commandstats") for redis in site.redis]
    sent = "cmdstat_publish" if backend == "pubsub" else "cmdstat_zadd"
    assert all(sent in stats for stats in commands), "the groups should be on both"


@BOTH
def test_redis_over_tls(site, backend, tmp_path):
    site = site(backend, certificates=tmp_path, SSL_CERT_FILE=tmp_path / "authority.pem")
    user, socket = site.listener()
    site.tell(user, EVENT)
    assert socket.receive() == EVENT
    assert f"ok    channel layer   127.0.0.1:{site.redis[0].port} answers" in site.server.cli("check", check=False).stdout
    del site.server.env["SSL_CERT_FILE"]
    assert "warn  channel layer" in site.server.cli("check", check=False).stdout


@BOTH
def test_names_longer_than_a_channel_may_be(site, backend):
    long = "a-rather-long-name-of-a-group-that-leaves-no-room-for-more"
    site = site(backend, CHANNEL_LAYER_GROUPS=f"notifications={long}.{{id}}")
    (user, socket), (other, listening) = site.listener(), site.listener()
    site.django.group_send(f"{long}.{user.id}", EVENT)
    assert socket.receive() == EVENT
    site.django.group_send(f"{long}.{other.id}", EVENT)
    assert listening.receive() == EVENT
    assert socket.kinds_so_far() == []


def test_a_message_to_one_channel_of_ours(site):
    """`send` where `group_send` would do: the channel is a name and no list then."""
    site = site("core")
    user, socket = site.listener()
    channel, = site.redis[0].client.zrange(f"asgi:group:notifications_{user.id}", 0, -1)
    assert channel.decode().endswith(f"!notifications_{user.id}")
    site.django.send(channel.decode(), EVENT)
    assert socket.receive() == EVENT


@BOTH
def test_redis_is_restarted_and_messages_come_again(site, backend):
    site = site(backend)
    user, socket = site.listener()
    site.redis[0].kill()
    site.wait_until_connected(0)
    late, listening = site.listener()
    assert site.server.notify(user_id=late.id, title="T", message="M", notification_type="t").status_code == 201
    assert listening.expect("notification")["notification"]["title"] == "T"
    assert site.server.http.get("/readyz").status_code == 200
    assert "channel layer   127.0.0.1" in site.server.cli("check").stdout
    site.redis[0].start()
    site.wait_until_connected()
    for user, socket in ((user, socket), (late, listening)):
        site.tell(user, EVENT)
        assert socket.receive() == EVENT
    assert site.server.metric("holodrive_channel_layer_reconnects_total") > 0


@BOTH
def test_a_frozen_redis_holds_nobody_up_for_long(site, backend):
    site = site(backend)
    user, socket = site.listener()
    site.redis[0].freeze()
    late, listening = site.listener()
    site.wait_until_connected(0)
    site.redis[0].thaw()
    site.wait_until_connected()
    for user, socket in ((user, socket), (late, listening)):
        site.tell(user, EVENT)
        assert socket.receive() == EVENT


@BOTH
def test_a_server_that_comes_before_redis(site, backend, start_server, tmp_path):
    site = site(backend)
    redis = RedisServer()
    site.server = start_server(CHANNEL_LAYER_URL=redis.url, CHANNEL_LAYER_BACKEND=backend)
    user, socket = site.listener()
    site.redis.append(redis.start())
    site.wait_until_connected(1)
    site.django.finish()
    site.django = ChannelsProject(tmp_path, backend, [redis])
    site.tell(user, EVENT)
    assert socket.receive() == EVENT


@pytest.fixture
def beside(tmp_path):
    """Django's own pages and our server on one database, with a layer: starts (django, server)."""
    started = []

    def start(backend: str):
        redis, directory = RedisServer().start(), tmp_path / "beside"
        directory.mkdir()
        shared = SqliteFile(directory)
        django = Django(shared)
        django.env["CHANNEL_LAYER"] = layer_settings(backend, [redis])
        server = Server(directory, ALLOWED_ORIGINS="127.0.0.1", RECHECK_INTERVAL=0.3, CHANNEL_LAYER_URL=redis.url,
                        CHANNEL_LAYER_BACKEND=backend, **shared.server_env)
        started.extend([server.finish, django.stop, redis.finish])
        django.manage("migrate", "-v0")
        django.serve()
        return django, server.start()

    yield start
    for end in started:
        end()


@BOTH
def test_whoever_logs_in_at_django_hears_group_send_until_he_logs_out(beside, backend):
    django, server = beside(backend)
    admin = django.create_user("admin", staff=True)
    browser = Browser(django.url)
    session = browser.log_in("admin")
    socket = server.connect("/ws/notifications/", cookie=f"sessionid={session}", origin=django.url)
    socket.expect("connection_established")
    django.run(
        "from asgiref.sync import async_to_sync\n"
        "from channels.layers import get_channel_layer\n"
        f"print(async_to_sync(get_channel_layer().group_send)('notifications_{admin}', {EVENT!r}))"
    )
    assert socket.receive() == EVENT
    assert browser.submit("/admin/logout/").status_code == 200
    socket.refused(4401, "unauthorized")


def members(redis) -> int:
    return sum(redis.client.zcard(key) for key in redis.client.keys("asgi:group:*"))


def test_a_server_that_stops_leaves_nothing_behind(site):
    site = site("core")
    listeners = [site.listener() for _ in range(5)]
    assert members(site.redis[0]) == 5
    for user, _ in listeners:
        site.tell(user, EVENT)
    site.server.stop()
    assert site.redis[0].client.keys() == []


def test_a_killed_server_leaves_nothing_that_hurts(site):
    """Its members stay for a day; the next server has other ones, and hears everything once."""
    site = site("core")
    user, _ = site.listener()
    site.server.kill()
    for number in range(150):
        site.tell(user, {"type": "unheard", "number": number})
    assert max(site.redis[0].client.zcard(key) for key in site.redis[0].client.keys("asgispecific.*")) <= 100
    site.server.start()
    site.wait_until_connected()
    _, socket = site.listener(user)
    site.tell(user, EVENT)
    assert socket.receive() == EVENT
    assert socket.kinds_so_far() == []


def test_memberships_are_renewed_and_end(site):
    """Django drops members that are older than `group_expiry` at each group_send."""
    site = site("core", config={"group_expiry": 6}, CHANNEL_LAYER_GROUP_EXPIRY=6)
    user, socket = site.listener()
    key = f"asgi:group:notifications_{user.id}"
    score = lambda: site.redis[0].client.zrange(key, 0, -1, withscores=True)[0][1]
    first = score()
    wait_until(lambda: score() > first, "the membership is renewed", seconds=20)
    site.tell(user, EVENT)
    assert socket.receive() == EVENT
    socket.close()
    wait_until(lambda: not site.redis[0].client.exists(key), "the membership ends", seconds=20)
    assert site.server.metric("holodrive_channel_layer_groups") == 0


def test_malformed_settings_stop_the_start_with_one_line(start_server, tmp_path):
    server = start_server()
    for name, value, line in (
        ("CHANNEL_LAYER_URL", "localhost:6379", "must be redis://"),
        ("CHANNEL_LAYER_URL", "redis://:hunter2@", "must be redis://"),
        ("CHANNEL_LAYER_BACKEND", "rabbitmq", "must be core or pubsub"),
        ("CHANNEL_LAYER_GROUPS", "nothing=x", "must be endpoint=group"),
        ("CHANNEL_LAYER_RENAMES", "typing", "must be from=to"),
    ):
        server.env[name] = value
        result = server.cli("serve", check=False)
        assert result.returncode != 0
        assert name in result.stderr and line in result.stderr and "hunter2" not in result.stderr, result.stderr
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        del server.env[name]


@BOTH
def test_our_events_reach_djangos_consumers_and_nobody_twice(site, backend, tmp_path, start_server):
    """With two nodes of ours on the database, and a consumer under Daphne in each group."""
    site = site(backend, hosts=2, config={"symmetric_encryption_keys": ["key"]}, CHANNEL_LAYER_OUT="true",
                CHANNEL_LAYER_ENCRYPTION_KEYS="key")
    url = ",".join(redis.url for redis in site.redis)
    other = start_server(CHANNEL_LAYER_URL=url, CHANNEL_LAYER_BACKEND=backend, CHANNEL_LAYER_OUT="true",
                         CHANNEL_LAYER_ENCRYPTION_KEYS="key", DATABASE_URL=f"sqlite://{site.server.database}")
    daphne = site.django.serve()

    def consumer(group: str) -> Socket:
        socket = Socket.open(f"{daphne}/ws/groups/{group}/")
        socket.expect("connection_established")
        site.server.sockets.append(socket)
        return socket

    user, here = site.listener()
    elsewhere = other.connect("/ws/notifications/", user)
    elsewhere.expect("connection_established")
    bell = consumer(f"notifications_{user.id}")
    assert site.server.notify(user_id=user.id, title="T", message="M", notification_type="t").status_code == 201
    stored = here.expect("notification")
    assert elsewhere.receive() == stored and bell.receive() == stored
    here.send({"type": "mark_as_read", "notification_id": stored["notification"]["id"]})
    read = here.expect("notification_read")
    assert elsewhere.receive() == read and bell.receive() == read

    conversation = user.post("/api/conversations/", {"kind": "support"}).json()["id"]
    chat, room = user.connect(f"/ws/chat/{conversation}/"), consumer(f"chat_{conversation}")
    chat.expect("connection_established")
    chat.send({"type": "typing", "is_typing": True})
    assert room.expect("typing")["user"] == user.id
    chat.send({"type": "chat_message", "message": "Assalomu alaykum"})
    message = chat.expect("chat_message")
    assert room.receive() == message
    chat.send({"type": "read_message", "message_id": message["message_id"]})
    assert chat.expect("message_read") == room.receive()

    driver, orders = online_driver(site.server)
    screen = consumer(f"driver_orders_{driver.id}")
    order = place_order(site.server.user())
    offered, told = orders.until("new_order"), screen.expect("new_order")
    assert (offered["order"]["id"], told["order"]["id"]) == (order["id"], order["id"])
    site.tell(user, EVENT)
    assert [socket.receive() for socket in (here, elsewhere, bell)] == [EVENT] * 3
    for socket in (here, elsewhere, chat, orders):
        assert socket.kinds_so_far() == []
    assert site.server.metric("holodrive_channel_layer_messages_dropped_total") == 0


@BOTH
def test_events_for_django_wait_for_nobody(site, backend):
    """While Redis is away they are dropped and counted, and our own clients get theirs."""
    site = site(backend, CHANNEL_LAYER_OUT="true")
    user, socket = site.listener()
    site.redis[0].kill()
    for _ in range(20):
        assert site.server.notify(user_id=user.id, title="T", message="M", notification_type="t").status_code == 201
        socket.expect("notification")
    dropped = lambda: site.server.metric("holodrive_channel_layer_messages_dropped_total") == 20
    wait_until(dropped, "what could not be sent is counted")


def test_a_consumer_that_is_behind_loses_events_and_nothing_grows(site):
    """`core` lets only so many wait; `channels_redis` has the same limit."""
    site = site("core", CHANNEL_LAYER_OUT="true", CHANNEL_LAYER_CAPACITY=10)
    user, socket = site.listener()
    redis = site.redis[0].client
    redis.zadd(f"asgi:group:notifications_{user.id}", {"specific.0123456789abcdef0123456789abcdef!x": time.time()})
    for _ in range(15):
        assert site.server.notify(user_id=user.id, title="T", message="M", notification_type="t").status_code == 201
        socket.expect("notification")
    counted = lambda: site.server.metric("holodrive_channel_layer_messages_sent_total") == 15
    wait_until(counted, "all are sent")
    assert site.server.metric("holodrive_channel_layer_messages_dropped_total") == 5
    assert redis.zcard("asgispecific.0123456789abcdef0123456789abcdef!") == 10


class Crowd:
    """Many sockets in one event loop, and what each of them hears."""

    def __init__(self):
        self.heard = {}
        self.tasks = []

    async def join(self, name, url: str):
        socket = await connect(url, compression=None, max_queue=None, proxy=None, ping_interval=None)
        assert json.loads(await socket.recv())["type"] == "connection_established"
        self.heard[name] = []
        self.tasks.append(asyncio.create_task(self._listen(socket, self.heard[name])))

    @staticmethod
    async def _listen(socket, heard: list):
        async for message in socket:
            heard.append(json.loads(message)["number"])

    def count(self) -> int:
        return sum(map(len, self.heard.values()))

    async def until(self, wanted: int, quiet: float):
        """Waits for so many messages, as long as some come."""
        before, since = -1, time.monotonic()
        while self.count() < wanted and time.monotonic() - since < quiet:
            if self.count() != before:
                before, since = self.count(), time.monotonic()
            await asyncio.sleep(0.02)

    def leave(self):
        for task in self.tasks:
            task.cancel()


@BOTH
@pytest.mark.timeout(180)
def test_a_burst_arrives_whole(site, backend, record_property):
    """10,000 in one burst to 100 users who are connected here and, side by side, to a consumer under Daphne."""
    site = site(backend)
    users, each = [site.server.user() for _ in range(100)], 100
    messages = [(f"notifications_{user.id}", {"type": "burst.event", "number": number})
                for number in range(each) for user in users]

    async def run() -> tuple[Crowd, Crowd, float]:
        ours, theirs = Crowd(), Crowd()
        daphne = await asyncio.to_thread(site.django.serve)
        for user in users:
            await ours.join(user.id, f"ws://{site.server.authority}/ws/notifications/?token={user.token}")
            await theirs.join(user.id, f"{daphne}/ws/groups/notifications_{user.id}/")
        began = time.monotonic()
        await asyncio.to_thread(site.django.burst, messages)
        took = time.monotonic() - began
        await ours.until(len(messages), quiet=10)
        await theirs.until(len(messages), quiet=3)
        for crowd in (ours, theirs):
            crowd.leave()
        return ours, theirs, took

    ours, theirs, took = asyncio.run(run())
    record_property("measured", f"{backend}: {len(messages)} sent in {took:.1f} s; here {ours.count()} arrived, at Channels "
                                f"under Daphne {theirs.count()}")
    for heard in ours.heard.values():
        assert sorted(heard) == list(range(each))

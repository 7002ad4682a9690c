"""The hooks while Django is slow, down, or talks nonsense: who waits is told so, and nothing is lost or stored twice."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from live import DjangoProcess, NO_PROXY, wait_until
from project.models import ChatLine, Reading
from proxy import answer, comes_twice, is_answered_twice, is_late, is_lost, is_silent, says
from sockets import Socket, in_room
from test_hooks import key, lines

import holodrive

ATTEMPTS = 3
# Messages of each sender in the storm.
EACH = 20
HUGE = b'{"message_id": 1, "message": "' + b"x" * 2_000_000 + b'"}'
RUBBISH = {
    "no HTTP": b"\x00\xff rubbish\r\n\r\n",
    "nothing": b"",
    "no JSON": answer(200, b"<html>It works!</html>", kind="text/html"),
    "half an answer": answer(200, b'{"message_id": ', length=400),
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a page with an error": answer(500, b"<h1>Server Error (500)</h1>", kind="text/html"),
    "nginx without Django": answer(502, b"<html>502 Bad Gateway</html>", kind="text/html"),
    "an empty body": answer(200, b""),
    "no id": answer(200, b"{}"),
    "an id that is none": answer(200, b'{"message_id": "seven"}'),
    "a list": answer(200, b"[1]"),
    "no text": answer(200, b'{"message_id": 5, "message": 5}'),
    "bytes that are no text": answer(200, b'{"message_id": 5, "message": "\xff"}'),
    "a huge body": answer(200, HUGE),
    "a redirect": answer(302, b"").replace(b"\r\n\r\n", b"\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
}


@pytest.fixture
def chat(server, proxy, room, members):
    """Both members in their conversation."""
    with in_room(server, room, members) as both:
        yield both
        proxy.heal()


def say(socket, text, client_id=None):
    socket.send("chat_message", message=text, **({"client_id": client_id} if client_id else {}))


def fails(socket):
    assert socket.until("error")["code"] == "unavailable"


def both_hear(chat, text):
    """The message as both were told, which Django must have stored under that id."""
    told = [socket.expect("chat_message") for socket in chat]
    assert told[0] == told[1] and told[0]["message"] == text
    assert ChatLine.objects.get(pk=told[0]["message_id"]).text == text
    return told[0]


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_asked_again_and_then_unavailable(proxy, chat, members, rubbish):
    before = len(proxy.asked("chat_message"))
    proxy.spoil_all("chat_message", says(rubbish))
    say(chat[0], "in vain", "v")
    fails(chat[0])
    keys = proxy.keys("chat_message")[before:]
    assert len(set(keys)) == 1 and len(keys) == ATTEMPTS and lines(members[0]) == []
    proxy.heal()
    say(chat[0], "in vain", "v")
    both_hear(chat, "in vain")
    assert lines(members[0]) == ["in vain"]


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_once_is_not_noticed(proxy, chat, members, rubbish):
    proxy.spoil("chat_message", says(rubbish))
    say(chat[0], "on the second attempt")
    both_hear(chat, "on the second attempt")
    assert lines(members[0]) == ["on the second attempt"]


@pytest.mark.parametrize("fault", [is_lost, is_late, comes_twice, is_answered_twice])
def test_what_django_has_done_is_done_once(proxy, chat, members, fault):
    before = len(proxy.asked("chat_message"))
    proxy.spoil("chat_message", fault)
    say(chat[0], "once")
    both_hear(chat, "once")
    assert lines(members[0]) == ["once"]
    assert len(set(proxy.keys("chat_message")[before:])) == 1
    # What stands behind the first answer is nobody's answer.
    say(chat[1], "next")
    both_hear(chat, "next")
    assert [socket.so_far() for socket in chat] == [[], []]


def test_an_answer_that_is_lost_for_good_is_told_when_the_sender_comes_again(proxy, chat, members):
    proxy.spoil("chat_message", *[is_lost] * ATTEMPTS)
    say(chat[0], "stored", "s")
    fails(chat[0])
    assert lines(members[0]) == ["stored"] and chat[1].so_far() == []
    say(chat[1], "meanwhile")
    later = both_hear(chat, "meanwhile")
    say(chat[0], "stored", "s")
    assert both_hear(chat, "stored")["message_id"] < later["message_id"]
    assert lines(members[0]) == ["stored"]


def test_a_slow_django_is_not_waited_for_longer_than_said(proxy, chat, members):
    proxy.spoil_all("chat_message", is_silent)
    say(chat[0], "too slow", "t")
    # Others go on meanwhile.
    chat[1].send("read_message", message_id=10**9)
    assert chat[1].until("error")["code"] == "not_found"
    fails(chat[0])
    proxy.heal()
    say(chat[0], "too slow", "t")
    both_hear(chat, "too slow")
    assert lines(members[0]) == ["too slow"]


def test_nobody_listens_and_then_somebody_does(proxy, chat, members):
    proxy.stop()
    say(chat[0], "down", "d")
    fails(chat[0])
    proxy.start()
    say(chat[0], "down", "d")
    both_hear(chat, "down")
    assert lines(members[0]) == ["down"]


@pytest.mark.parametrize(("moment", "stored"), [("before the commit", []), ("after the commit", ["killed"])])
def test_django_is_killed_in_the_middle_of_a_request(proxy, site, chat, members, tmp_path, moment, stored):
    django = DjangoProcess(tmp_path)
    django.start()
    proxy.upstream = django.url
    try:
        say(chat[0], "well")
        both_hear(chat, "well")
        django.dies.write_text(moment)
        say(chat[0], "killed", "k")
        fails(chat[0])
        assert django.process.wait(timeout=20) < 0 and lines(members[0]) == ["well", *stored]
        django.start()
        say(chat[0], "killed", "k")
        both_hear(chat, "killed")
        assert lines(members[0]) == ["well", "killed"]
    finally:
        proxy.upstream = site.url
        django.kill()


def test_a_driver_and_a_newcomer_are_told_to_come_back(server, proxy, room, members, make_user):
    proxy.spoil_all("driver_orders", says(answer(200, b'{"orders": 5}')))
    proxy.spoil_all("chat_access", says(answer(200, b'{"allowed": ["yes"]}')))
    driver = make_user(groups=["Driver"])
    for path, who in (("driver/orders", driver), (f"chat/{room}", members[0])):
        with Socket(server, path, who) as socket:
            refused = socket.until("error")
            assert (refused["code"], refused["reconnect"]) == ("unavailable", True) and socket.code() == 1011
    proxy.heal()
    for path, who in (("driver/orders", driver), (f"chat/{room}", members[0])):
        Socket.let_in(server, path, who).connection.close()


def test_who_is_in_stays_while_nobody_knows_whether_he_may(proxy, chat):
    proxy.spoil_all("chat_access", says(answer(200, b'{"allowed": []}')))
    before = len(proxy.asked("chat_access"))
    wait_until(lambda: len(proxy.asked("chat_access")) >= before + ATTEMPTS, "all attempts were made")
    say(chat[0], "still here")
    both_hear(chat, "still here")


def test_what_was_read_is_stored_once(server, proxy, chat, members):
    say(chat[0], "read me")
    message = both_hear(chat, "read me")["message_id"]
    proxy.spoil("read_message", is_lost, comes_twice)
    chat[1].send("read_message", message_id=message)
    assert [socket.expect("message_read")["read_by"] for socket in chat] == [key(members[1])] * 2
    [notification] = holodrive.notify(members[1], title="t", message="m")
    with Socket(server, "notifications", members[1]) as socket:
        proxy.spoil("mark_as_read", *[is_lost] * ATTEMPTS)
        socket.send("mark_as_read", notification_id=notification)
        fails(socket)
        proxy.spoil("mark_as_read", says(answer(500, b"")), is_lost)
        socket.send("mark_as_read", notification_id=notification)
        assert socket.until("notification_read")["notification_id"] == notification
    assert Reading.objects.filter(what="message", key=message).count() == 1
    # Asked for twice by the user, each of them once.
    assert Reading.objects.filter(what="notification", key=notification).count() == 2


def test_who_came_and_went_is_told_when_django_is_back(server, proxy, user, received):
    def told():
        return [name for name, what in received if what["user"] == user]

    proxy.spoil_all("connected", says(answer(503, b"")))
    before = len(proxy.asked("connected"))
    with Socket.let_in(server, "notifications", user):
        wait_until(lambda: len(proxy.asked("connected")) > before, "it was tried")
    assert told() == []
    proxy.heal()
    wait_until(lambda: len(told()) == 2, "both were told", 30)
    assert told() == ["user_connected", "user_disconnected"]


def breaker(server, hook):
    with NO_PROXY.open(f"{server.url}/metrics", timeout=10) as metrics:
        [line] = [line for line in metrics.read().decode().splitlines() if f'hook_breaker{{hook="{hook}"}}' in line]
    return int(line.rpartition(" ")[2])


def test_a_django_that_is_down_is_left_in_peace_and_found_again(server, proxy, chat, members):
    proxy.stop()
    for number in range(5):
        say(chat[0], f"lost {number}")
        fails(chat[0])
    assert breaker(server, "chat_message") == 2 and breaker(server, "read_message") == 0
    proxy.start()
    before = len(proxy.asked("chat_message"))
    say(chat[0], "too early")
    fails(chat[0])
    assert proxy.asked("chat_message")[before:] == []
    # Another hook is not held back by this one.
    chat[1].send("read_message", message_id=10**9)
    assert chat[1].until("error")["code"] == "not_found"

    def is_heard():
        say(chat[0], "again", "a")
        return chat[0].receive()["type"] == "chat_message"

    wait_until(is_heard, "the breaker lets one try", 30, 0.2)
    assert breaker(server, "chat_message") == 0 and lines(members[0]) == ["again"]
    assert chat[1].expect("chat_message")["message"] == "again"


def test_in_a_storm_nothing_is_lost_nothing_comes_twice_and_ids_grow(server, proxy, room, members):
    """Every request of both senders meets a fault or none, by chance; who is told `unavailable` says it again."""
    faults = [None, None, is_lost, comes_twice, is_answered_twice, says(RUBBISH["no JSON"]), says(RUBBISH["nothing"]),
              says(RUBBISH["a page with an error"]), says(RUBBISH["half an answer"])]
    chance = random.Random(5)

    def any_fault(exchange):
        fault = chance.choice(faults)
        fault(exchange) if fault else exchange.say(exchange.ask())

    proxy.spoil_all("chat_message", any_fault)
    again = set()

    def talk(user):
        with Socket.let_in(server, f"chat/{room}", user) as socket:
            for number in range(EACH):
                text = f"{user.pk} {number}"
                say(socket, text, text)
                while (told := socket.receive())["type"] != "chat_message" or told.get("client_id") != text:
                    if told["type"] == "error":
                        assert told["code"] == "unavailable", told
                        again.add(text)
                        say(socket, text, text)

    with Socket.let_in(server, f"chat/{room}", members[0]) as listener:
        with ThreadPoolExecutor() as threads:
            list(threads.map(talk, members))
        proxy.heal()
        heard = [message for message in listener.so_far() if message["type"] == "chat_message"]
    expected = sorted(f"{user.pk} {number}" for user in members for number in range(EACH))
    assert again and sorted(message["message"] for message in heard) == expected
    stored = dict(ChatLine.objects.filter(conversation_id=room).values_list("text", "pk"))
    assert sorted(stored) == expected and ChatLine.objects.filter(conversation_id=room).count() == len(expected)
    assert all(stored[message["message"]] == message["message_id"] for message in heard)
    in_order = [message["message_id"] for message in heard if message["message"] not in again]
    assert in_order == sorted(in_order)

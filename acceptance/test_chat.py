"""`/ws/chat/{conversation_id}/` and the notifications that it causes."""

import pytest

from orders import ISO_WITH_OFFSET, accepted_order

TITLE = "New message from {}"


def direct(server, *users) -> int:
    response = server.with_key("POST", "/api/conversations/", json={"participant_ids": [user.id for user in users]})
    assert response.status_code in (200, 201), response.text
    return response.json()["id"]


def support(user) -> int:
    response = user.post("/api/conversations/", {"kind": "support"})
    assert response.status_code in (200, 201), response.text
    return response.json()["id"]


def enter(user, conversation_id: int, query=""):
    socket = user.connect(f"/ws/chat/{conversation_id}/{query}")
    socket.expect("connection_established")
    return socket


def say(socket, text: str, **fields):
    socket.send({"type": "chat_message", "message": text, **fields})


def listen(user):
    socket = user.connect("/ws/notifications/")
    socket.expect("connection_established")
    return socket


@pytest.fixture
def pair(server):
    """Two people in one conversation: (first, second, conversation id)."""
    first = server.user(first_name="Sobirjon", last_name="Bobojonov")
    second = server.user(first_name="Ali", last_name="Valiyev")
    return first, second, direct(server, first, second)


def test_established(pair):
    first, _, conversation_id = pair
    assert first.connect(f"/ws/chat/{conversation_id}/").receive() == {
        "type": "connection_established", "message": "Connected to chat", "conversation_id": conversation_id,
    }


def test_message_has_the_shape_of_the_document(pair):
    first, second, conversation_id = pair
    sender, receiver = enter(first, conversation_id), enter(second, conversation_id)
    say(sender, "Hello, how can I help you?")
    for socket in (sender, receiver):
        message = socket.expect("chat_message")
        assert message.pop("message_id") > 0
        assert ISO_WITH_OFFSET.match(message.pop("created_at"))
        assert message == {
            "type": "chat_message", "message": "Hello, how can I help you?", "sender_id": first.id,
            "sender_name": "Sobirjon Bobojonov", "is_from_support": False, "conversation_id": conversation_id,
        }


def test_name_falls_back_to_the_username(server):
    nameless, other = server.user(), server.user()
    socket = enter(nameless, direct(server, nameless, other))
    say(socket, "hi")
    assert socket.expect("chat_message")["sender_name"] == nameless.username


def test_a_message_is_stored_before_it_is_sent(pair):
    first, second, conversation_id = pair
    socket = enter(first, conversation_id)
    say(socket, "stored?")
    pushed = socket.expect("chat_message")
    del pushed["type"]
    assert second.get(f"/api/conversations/{conversation_id}/messages/").json()["results"] == [pushed]


def test_a_message_sent_over_http_reaches_the_sockets(pair):
    first, second, conversation_id = pair
    socket = enter(second, conversation_id)
    response = first.post(f"/api/conversations/{conversation_id}/messages/", {"message": "by http"})
    assert response.status_code == 201, response.text
    assert socket.expect("chat_message") == {"type": "chat_message", **response.json()}


@pytest.mark.parametrize("conversation", ["another's", 10**9, 0, 2**63, "abc"])
def test_strangers_and_unknown_conversations_look_the_same(server, pair, conversation):
    stranger = server.user()
    conversation_id = pair[2] if conversation == "another's" else conversation
    if conversation == "abc":
        path_answer = stranger.request("GET", f"/ws/chat/{conversation}/")
        assert path_answer.status_code in (404, 426)
        return
    error = stranger.connect(f"/ws/chat/{conversation_id}/").refused(4403, "forbidden")
    unknown = stranger.connect("/ws/chat/987654321/").refused(4403, "forbidden")
    assert error["message"] == unknown["message"]


def test_staff_may_enter_every_conversation_and_speaks_for_support(server, pair):
    first, _, conversation_id = pair
    staff = server.staff(first_name="Help", last_name="Desk")
    customer, desk = enter(first, conversation_id), enter(staff, conversation_id)
    say(desk, "Support here")
    message = customer.expect("chat_message")
    assert (message["is_from_support"], message["sender_id"], message["sender_name"]) == (True, staff.id, "Help Desk")


def test_client_id_comes_back_and_makes_sending_idempotent(pair):
    first, second, conversation_id = pair
    sender, receiver = enter(first, conversation_id), enter(second, conversation_id)
    say(sender, "once", client_id="a-1")
    original = sender.expect("chat_message")
    assert original["client_id"] == "a-1"
    say(sender, "once", client_id="a-1")
    assert sender.expect("chat_message")["message_id"] == original["message_id"]
    say(sender, "after", client_id="a-2")
    texts = [message["message"] for message in receiver.collect_until("chat_message")]
    while texts[-1] != "after":
        texts.append(receiver.expect("chat_message")["message"])
    assert texts == ["once", "after"]
    stored = first.get(f"/api/conversations/{conversation_id}/messages/").json()["results"]
    assert [message["message"] for message in stored] == ["after", "once"]


def test_client_id_is_the_senders_own(pair):
    first, second, conversation_id = pair
    sockets = [enter(first, conversation_id), enter(second, conversation_id)]
    say(sockets[0], "mine", client_id="same")
    one = sockets[0].expect("chat_message")["message_id"]
    sockets[1].expect("chat_message")
    say(sockets[1], "yours", client_id="same")
    two = sockets[1].expect("chat_message")
    assert two["message"] == "yours"
    assert two["message_id"] != one


@pytest.mark.parametrize("length, code", [(64, None), (65, "error")])
def test_length_of_client_id(pair, length, code):
    first, _, conversation_id = pair
    socket = enter(first, conversation_id)
    say(socket, "x", client_id="c" * length)
    message = socket.receive()
    if code is None:
        assert message["client_id"] == "c" * length
    else:
        assert message["type"] == "error"
        assert message["code"] in ("too_long", "invalid_message")


@pytest.mark.parametrize("text", ["x", "x" * 4000, "\U0001f697" * 4000, "  kept\n as sent \t", " "])
def test_text_is_kept_as_sent(pair, text):
    first, _, conversation_id = pair
    socket = enter(first, conversation_id)
    say(socket, text)
    assert socket.expect("chat_message")["message"] == text


@pytest.mark.parametrize("text, code", [("", "invalid_message"), ("x" * 4001, "too_long")])
def test_text_outside_the_limits_is_refused(pair, text, code):
    first, _, conversation_id = pair
    socket = enter(first, conversation_id)
    say(socket, text)
    assert socket.expect("error")["code"] == code
    say(socket, "still open")
    assert socket.expect("chat_message")["message"] == "still open"


def test_all_connections_see_the_same_order(pair):
    first, second, conversation_id = pair
    writers = [enter(first, conversation_id), enter(second, conversation_id), enter(first, conversation_id)]
    watcher = enter(second, conversation_id)
    for number in range(10):
        for index, writer in enumerate(writers):
            say(writer, f"{index}-{number}")
    views = [[socket.expect("chat_message") for _ in range(30)] for socket in (*writers, watcher)]
    assert all(view == views[0] for view in views)
    ids = [message["message_id"] for message in views[0]]
    assert ids == sorted(set(ids))
    for index in range(3):
        own = [message["message"] for message in views[0] if message["message"].startswith(f"{index}-")]
        assert own == [f"{index}-{number}" for number in range(10)]


def test_typing_goes_to_the_others_only(pair):
    first, second, conversation_id = pair
    typist, own_other, other = enter(first, conversation_id), enter(first, conversation_id), enter(second, conversation_id)
    typist.send({"type": "typing", "is_typing": True})
    assert other.expect("typing") == {
        "type": "typing", "is_typing": True, "user": first.id, "user_name": "Sobirjon Bobojonov",
    }
    assert typist.so_far() == []
    assert own_other.so_far() == []
    typist.send({"type": "typing", "is_typing": False})
    assert other.expect("typing")["is_typing"] is False


def test_typing_is_never_stored(pair):
    first, second, conversation_id = pair
    typist = enter(first, conversation_id)
    typist.send({"type": "typing", "is_typing": True})
    assert typist.so_far() == []
    assert first.get(f"/api/conversations/{conversation_id}/messages/").json()["results"] == []
    assert [m for m in enter(second, conversation_id, "?since=0").collect_until("resumed")] == [
        {"type": "resumed", "count": 0}]


def test_read_message_is_told_to_the_conversation(pair):
    first, second, conversation_id = pair
    sender, reader = enter(first, conversation_id), enter(second, conversation_id)
    say(sender, "read me")
    message_id = reader.expect("chat_message")["message_id"]
    sender.expect("chat_message")
    reader.send({"type": "read_message", "message_id": message_id})
    for socket in (sender, reader):
        assert socket.expect("message_read") == {
            "type": "message_read", "message_id": message_id, "read_by": second.id,
        }


def test_reading_a_message_of_another_conversation_is_not_found(server, pair):
    first, _, conversation_id = pair
    elsewhere = server.user()
    other_conversation = direct(server, elsewhere, server.user())
    socket = enter(elsewhere, other_conversation)
    say(socket, "private")
    foreign_id = socket.expect("chat_message")["message_id"]
    reader = enter(first, conversation_id)
    reader.send({"type": "read_message", "message_id": foreign_id})
    assert reader.expect("error")["code"] == "not_found"
    assert socket.so_far() == []


def test_since_replays_then_goes_live(pair):
    first, second, conversation_id = pair
    sender = enter(first, conversation_id)
    ids = []
    for number in range(5):
        say(sender, f"{number}")
        ids.append(sender.expect("chat_message")["message_id"])
    socket = enter(second, conversation_id, f"?since={ids[1]}")
    messages = socket.collect_until("resumed")
    assert [message["message_id"] for message in messages[:-1]] == ids[2:]
    assert messages[-1] == {"type": "resumed", "count": 3}
    say(sender, "live")
    assert socket.expect("chat_message")["message"] == "live"
    assert socket.so_far() == []


def test_the_other_participants_are_notified(pair):
    first, second, conversation_id = pair
    own, others = listen(first), listen(second)
    text = "A message that is rather longer than the fifty characters that are shown"
    socket = enter(first, conversation_id)
    say(socket, text)
    message_id = socket.expect("chat_message")["message_id"]
    notification = others.expect("notification")["notification"]
    assert notification["title"] == "New message from Sobirjon Bobojonov"
    assert notification["message"] == f"New message in conversation: {text[:50]}..."
    assert notification["notification_type"] == "chat_message"
    assert notification["related_object_type"] == "conversation"
    assert notification["related_object_id"] == conversation_id
    assert notification["data"] == {"conversation_id": conversation_id, "message_id": message_id}
    assert own.so_far() == []


def test_fifty_characters_are_characters_not_bytes(pair):
    first, second, conversation_id = pair
    others = listen(second)
    text = "Ўз\U0001f697" * 20
    say(enter(first, conversation_id), text)
    assert others.expect("notification")["notification"]["message"] == f"New message in conversation: {text[:50]}..."


def test_a_repeated_client_id_notifies_nobody_again(pair):
    first, second, conversation_id = pair
    others = listen(second)
    sender = enter(first, conversation_id)
    for _ in range(2):
        say(sender, "once", client_id="n-1")
        sender.expect("chat_message")
    others.expect("notification")
    assert others.so_far() == []


def test_a_user_has_one_open_support_conversation(server):
    user = server.user()
    assert support(user) == support(user)


def test_support_notifies_all_active_staff_until_one_answers(start_server):
    server = start_server()
    user, desk = server.user(), server.staff()
    colleague, retired = server.staff(), server.staff(is_active=False)
    listeners = [listen(desk), listen(colleague)]
    conversation_id = support(user)
    socket = enter(user, conversation_id)
    say(socket, "Help!")
    for listener in listeners:
        notification = listener.expect("notification")["notification"]
        assert notification["title"] == TITLE.format(user.username)
        assert notification["message"] == "New message in conversation: Help!..."
    stored = server.rows("SELECT count(*) FROM holodrive_notification WHERE user_id = ?", retired.id)
    assert stored[0][0] == 0
    answer = enter(desk, conversation_id)
    say(answer, "Yes?")
    socket.until("chat_message")
    assert socket.expect("chat_message")["is_from_support"] is True
    say(socket, "Thanks")
    socket.expect("chat_message")
    assert listeners[1].so_far() == []


def test_an_accepted_order_opens_a_conversation_of_rider_and_driver(start_server):
    server = start_server()
    rider, driver, _, order = accepted_order(server)
    conversation_id = rider.get(f"/api/orders/{order['id']}/").json()["conversation_id"]
    ours, theirs = enter(rider, conversation_id), enter(driver, conversation_id)
    say(ours, "Where are you?")
    assert theirs.expect("chat_message")["message"] == "Where are you?"
    server.user().connect(f"/ws/chat/{conversation_id}/").refused(4403, "forbidden")

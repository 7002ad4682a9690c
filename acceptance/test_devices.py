"""`/api/devices/`: the phones of users, for pushes."""

import uuid

import pytest

from pushes import devices, register


def new_token() -> str:
    return uuid.uuid4().hex


def test_a_device_is_registered_once(server):
    user, token = server.user(), new_token()
    device = register(user, "fcm", token, name="Pixel 9")
    assert set(device) == {"id", "user_id", "platform", "name", "registered_at"}
    assert (device["user_id"], device["platform"], device["name"]) == (user.id, "fcm", "Pixel 9")
    again = register(user, "fcm", token)
    assert (again["id"], again["name"]) == (device["id"], None) and again["registered_at"] >= device["registered_at"]
    assert devices(user) == [again]
    other = register(user, "apns", token)
    assert devices(user) == [other, again]


def test_a_phone_that_changed_hands_belongs_to_whoever_registered_it_last(server):
    first, second, token = server.user(), server.user(), new_token()
    device = register(first, "fcm", token)
    assert register(second, "fcm", token)["user_id"] == second.id
    assert devices(first) == [] and len(devices(second)) == 1
    assert first.request("DELETE", f"/api/devices/{device['id']}/").status_code == 404
    assert len(devices(second)) == 1


def test_one_removes_ones_own(server):
    user, other = server.user(), server.user()
    device = register(user, "fcm", new_token())
    path = f"/api/devices/{device['id']}/"
    assert other.request("DELETE", path).status_code == 404
    assert user.request("DELETE", path).status_code == 204
    assert devices(user) == []
    assert user.request("DELETE", path).status_code == 404


def test_staff_and_back_ends_act_for_others(server):
    user, staff, token = server.user(), server.staff(), new_token()
    device = register(staff, "fcm", token, user_id=user.id)
    assert device["user_id"] == user.id and devices(staff) == []
    shown = server.with_key("GET", f"/api/devices/?user_id={user.id}")
    assert shown.json() == {"results": devices(user), "next": None}
    assert staff.get(f"/api/devices/?user_id={user.id}").json()["results"] == [device]
    body = {"platform": "apns", "token": token, "user_id": user.id}
    assert server.with_key("PUT", "/api/devices/", json=body).status_code == 200
    assert len(devices(user)) == 2
    assert server.with_key("DELETE", f"/api/devices/{device['id']}/").status_code == 204
    assert len(devices(user)) == 1
    # A user's word about another one does not count.
    assert register(server.user(), "fcm", new_token(), user_id=user.id)["user_id"] != user.id
    assert len(devices(user)) == 1


def test_what_a_back_end_must_say(server):
    missing = server.with_key("PUT", "/api/devices/", json={"platform": "fcm", "token": new_token()})
    assert (missing.status_code, list(missing.json()["errors"])) == (400, ["user_id"])
    unknown = server.with_key("PUT", "/api/devices/", json={"platform": "fcm", "token": new_token(), "user_id": 10**9})
    assert (unknown.status_code, list(unknown.json()["errors"])) == (400, ["user_id"])
    assert server.with_key("GET", "/api/devices/").status_code == 403
    assert server.with_key("GET", "/api/devices/?user_id=x").status_code == 400


def test_the_device_that_was_registered_longest_ago_leaves(server):
    user = server.user()
    tokens = [new_token() for _ in range(11)]
    registered = [register(user, "fcm", token)["id"] for token in tokens[:10]]
    register(user, "fcm", tokens[0])
    register(user, "fcm", tokens[10])
    left = [device["id"] for device in devices(user)]
    assert len(left) == 10 and registered[0] in left and registered[1] not in left


@pytest.mark.parametrize("body, field", [
    ({"token": "a"}, "platform"), ({"platform": "fcm"}, "token"), ({"platform": "sms", "token": "a"}, "platform"),
    ({"platform": "fcm", "token": ""}, "token"), ({"platform": "fcm", "token": "a" * 2049}, "token"),
    ({"platform": "fcm", "token": "a b"}, "token"), ({"platform": "fcm", "token": "ў"}, "token"),
    ({"platform": "apns", "token": "xyz"}, "token"), ({"platform": "apns", "token": "../../1/device/ab"}, "token"),
    ({"platform": "fcm", "token": "a", "name": "n" * 101}, "name"), ({"platform": "fcm", "token": ["a"]}, "token"),
])
def test_what_is_no_device(server, body, field):
    response = server.user().put("/api/devices/", body)
    assert (response.status_code, list(response.json()["errors"])) == (400, [field])
    assert len(body.get("token", "")) < 4 or body["token"] not in response.text


def test_who_is_nobody_has_no_devices(server):
    for method in ("GET", "PUT"):
        assert server.http.request(method, "/api/devices/").status_code == 401
    assert server.http.delete("/api/devices/1/").status_code == 401


def test_a_token_is_stored_and_never_told(server):
    user, token = server.user(), new_token()
    headers = {"Idempotency-Key": new_token()}
    body = {"platform": "fcm", "token": token}
    first, second = [user.put("/api/devices/", body, headers=headers) for _ in range(2)]
    assert first.json() == second.json() and token not in first.text + user.get("/api/devices/").text
    assert token not in server.logs()

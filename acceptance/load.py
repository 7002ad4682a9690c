"""Everybody at work at once, while the server is killed."""

from concurrent.futures import ThreadPoolExecutor

import db
from load_drivers import Decliner, DeclinerOverTheSocket, SecondPhone, Silent, Taker, TakerOverTheSocket
from load_users import Author, BackEnd, ChatReader, NotificationReader, Rider
from orders import PICKUP


class Load:
    """Several authors in each of three conversations, back ends, riders, drivers of every kind, and their readers."""

    DRIVERS = (Taker, Taker, TakerOverTheSocket, Decliner, DeclinerOverTheSocket, Silent, Silent, Silent)
    WITH_TWO_PHONES = (Decliner, DeclinerOverTheSocket)

    def __init__(self, server):
        self.server = server
        first, second = server.user(), server.user()
        authors, readers = [], [NotificationReader(first), NotificationReader(second)]
        for size, present in ((3, [first]), (3, [first, second]), (2, [second])):
            users = [server.user() for _ in range(size)]
            conversation_id = self.conversation(*users, *present)
            authors += [Author(user, conversation_id) for user in users]
            readers += [ChatReader(user, conversation_id) for user in present]
        riders = [Rider(server.user()) for _ in range(3)]
        readers.append(NotificationReader(riders[0].user))
        self.drivers, self.readers = [kind(server.driver(at=PICKUP)) for kind in self.DRIVERS], readers
        self.phones = [SecondPhone(driver.user) for driver in self.drivers if type(driver) in self.WITH_TWO_PHONES]
        self.actors = [*authors, BackEnd(first), BackEnd(second), *riders, *self.drivers, *self.phones,
                       *readers]

    def conversation(self, *users) -> int:
        body = {"participant_ids": [user.id for user in users]}
        return self.server.with_key("POST", "/api/conversations/", json=body).json()["id"]

    def acknowledged(self) -> int:
        return sum(len(actor.acknowledged) for actor in self.actors)

    def resume(self):
        for actor in self.actors:
            actor.resume()

    def run_until_gone(self, crash, actors=None):
        """Everybody at work until `crash` has ended the server, or has seen enough."""
        actors = actors or self.actors
        with ThreadPoolExecutor(len(actors)) as pool:
            running = [pool.submit(actor.work) for actor in actors]
            try:
                crash()
            finally:
                self.server.kill()
                for each in running:
                    each.result()

    def assert_nothing_lost(self):
        db.assert_consistent(self.server.database)
        assert self.server.rows(db.MESSAGES_NOT_TOLD) == []
        for actor in self.actors:
            actor.check()

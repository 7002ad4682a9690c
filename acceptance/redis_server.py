"""Starts real Redis servers, and does to them what happens to servers."""

import signal
import subprocess

import redis

from holodrive import free_port, wait_until


class RedisServer:
    """One `redis-server` on a free port that keeps nothing."""

    def __init__(self):
        self.port = free_port()
        self.process = None
        self.client = redis.Redis(port=self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> "RedisServer":
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self.answers, "Redis answers")
        return self

    def answers(self) -> bool:
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False

    def kill(self):
        """Ends it at once; what it had is gone."""
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def freeze(self):
        """From now on it takes connections and answers nobody."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def finish(self):
        self.client.close()
        if self.process and self.process.poll() is None:
            self.thaw()
            self.kill()

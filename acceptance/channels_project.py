"""The Django project with a channel layer: code that sends, and Daphne."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from holodrive import free_port, wait_until
from users import SECRET_KEY

PROJECT = Path(__file__).parent / "django_project"
BACKENDS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


def layer_settings(backend: str, hosts: list, **config) -> str:
    """What the project reads from the variable `CHANNEL_LAYER`."""
    hosts = [host.django_url for host in hosts]
    return json.dumps({"BACKEND": BACKENDS[backend], "CONFIG": {"hosts": hosts, **config}})


class ChannelsProject:
    """The project with this layer; `config` is that of channels_redis, beside `hosts`."""

    def __init__(self, directory: Path, backend: str, hosts: list, **config):
        self.env = {**os.environ, "SECRET_KEY": SECRET_KEY, "DATABASE_PATH": str(directory / "django.db"),
                    "CHANNEL_LAYER": layer_settings(backend, hosts, **config), "PYTHONDONTWRITEBYTECODE": "1"}
        self.log = directory / "channels.log"
        self.sender = self._start("send.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.daphne = None

    def _start(self, *arguments, **options) -> subprocess.Popen:
        with open(self.log, "ab") as log:
            return subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, env=self.env,
                                    **{"stdout": log, "stderr": log, **options})

    def _send(self, how: str, messages: list):
        self.sender.stdin.write(json.dumps({"how": how, "messages": messages}) + "\n")
        self.sender.stdin.flush()
        assert self.sender.stdout.readline() == "done\n", self.log.read_text()[-3000:]

    def group_send(self, group: str, message: dict):
        self._send("group_send", [[group, message]])

    def send(self, channel: str, message: dict):
        self._send("send", [[channel, message]])

    def burst(self, messages: list):
        """Sends all of them as fast as one event loop can."""
        self._send("burst", messages)

    def serve(self) -> str:
        """Starts Daphne; gives the address of its sockets."""
        port = free_port()
        self.daphne = self._start("-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "project.asgi:application")
        wait_until(lambda: self._is_up(port), "Daphne answers", seconds=30, interval=0.1)
        return f"ws://127.0.0.1:{port}"

    def _is_up(self, port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/nothing", trust_env=False).status_code == 404
        except httpx.TransportError:
            return False

    def finish(self):
        self.sender.stdin.close()
        self.sender.stdout.close()
        for process in filter(None, (self.sender, self.daphne)):
            process.kill()
            process.wait()

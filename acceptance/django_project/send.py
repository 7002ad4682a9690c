"""Sends what comes as JSON lines on the standard input, with the project's channel layer; answers each line with one.

    {"how": "group_send", "messages": [["chat_7", {"type": "typing"}], …]}

`group_send` is what synchronous code does, one after the other; `send` goes to a channel; `burst` sends many at a time
in one event loop."""

import asyncio
import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django

django.setup()

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

AT_A_TIME = 32


async def burst(messages):
    layer, waiting = get_channel_layer(), iter(messages)

    async def send():
        for group, message in waiting:
            await layer.group_send(group, message)

    await asyncio.gather(*[send() for _ in range(AT_A_TIME)])


def main():
    for line in sys.stdin:
        command = json.loads(line)
        if command["how"] == "burst":
            asyncio.run(burst(command["messages"]))
        else:
            send = async_to_sync(getattr(get_channel_layer(), command["how"]))
            for target, message in command["messages"]:
                send(target, message)
        print("done", flush=True)


main()

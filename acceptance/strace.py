"""Runs a server under strace, makes its disk fail, and reads what it wrote to which file or socket, in order."""

import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

SYNCS = ("fdatasync", "fsync")
SENDS = ("sendto", "write", "writev")
CALLS = ("pwrite64", "ftruncate", *SYNCS, *SENDS)
# Longer than a frame of the database's log.
STRING_LIMIT = 8192

_LINE = re.compile(r"(\d+) +(.*)")
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_CALL = re.compile(r"(\w+)\(\d+<([^>]*)>(.*)\) += (-?\d+|\?)(.*)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def why_not() -> str | None:
    """Why processes cannot be traced here; None when they can."""
    try:
        tried = subprocess.run(command(Path("/dev/null"), "fdatasync:error=EIO:when=1") + ["true"],
                               capture_output=True, text=True)
    except FileNotFoundError:
        return "strace is not installed"
    return None if tried.returncode == 0 else tried.stderr.strip()


def command(log: Path, fault: str | None = None) -> list[str]:
    """What to put before a command; it stays the child that was started. `fault` is what `strace -e inject=` takes."""
    inject = ["-e", f"inject={fault}"] if fault else []
    return ["strace", "-D", "-f", "-y", "-xx", "-s", str(STRING_LIMIT), "-o", str(log),
            "-e", "trace=" + ",".join(CALLS), *inject]


@dataclass
class Call:
    """One system call; `began` and `ended` are places in the log. Cut short by the end of the process: failed."""

    name: str
    file: str
    data: bytes
    numbers: list[int]
    result: int
    injected: bool
    thread: str
    began: int
    ended: int


def has_ended(log: Path, process_id: int) -> bool:
    """The process is gone, with all its threads, and all of it is in the log."""
    return re.search(rf"^{process_id} +\+\+\+ ", log.read_text(), re.MULTILINE) is not None


def read(log: Path) -> list[Call]:
    """All calls, in the order in which they ended."""
    calls, waiting = [], {}
    for place, line in enumerate(log.read_text().splitlines()):
        thread, text = _LINE.match(line).groups()
        began = place
        if text.endswith(_UNFINISHED):
            waiting[thread] = (place, text.removesuffix(_UNFINISHED))
            continue
        if resumed := _RESUMED.match(text):
            began, start = waiting.pop(thread)
            text = start + resumed[1]
        if call := _CALL.match(text):
            name, file, arguments, result, rest = call.groups()
            result = -1 if result == "?" else int(result)
            calls.append(Call(
                name, _decoded(file).decode(), b"".join(map(_decoded, _STRING.findall(arguments))),
                [int(number) for number in re.findall(r", (\d+)(?=,|$)", arguments)], result,
                "INJECTED" in rest, thread, began, place,
            ))
    return calls


def _decoded(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


def failed(calls: list[Call], names: tuple[str, ...]) -> set[int]:
    """Which of its calls of these names failed on purpose, counted from 1, in the thread that made most of them."""
    by_thread = defaultdict(list)
    for call in calls:
        if call.name in names:
            by_thread[call.thread].append(call.injected)
    busiest = max(by_thread.values(), key=len)
    return {number for number, injected in enumerate(busiest, start=1) if injected}


class Disk:
    """What a power cut would leave of some files: only what was synced, and nothing that a failed sync had to write."""

    def __init__(self, *paths: Path):
        self.files = {str(path): bytearray(path.read_bytes() if path.exists() else b"") for path in paths}
        self.unsynced = defaultdict(list)

    def apply(self, call: Call):
        if call.file not in self.files or call.result < 0 and call.name not in SYNCS:
            return
        if call.name == "pwrite64":
            self.unsynced[call.file].append((call.numbers[-1], call.data[:call.result]))
        elif call.name == "ftruncate":
            self.unsynced[call.file].append((call.numbers[-1], None))
        elif call.name in SYNCS:
            writes = self.unsynced.pop(call.file, [])
            for offset, data in writes if call.result == 0 else []:
                self._write(self.files[call.file], offset, data)

    @staticmethod
    def _write(content: bytearray, offset: int, data: bytes | None):
        if data is None:
            del content[offset:]
        content.extend(bytes(max(0, offset - len(content))))
        if data is not None:
            content[offset:offset + len(data)] = data

    def copy_to(self, directory: Path):
        for path, content in self.files.items():
            (directory / Path(path).name).write_bytes(content)

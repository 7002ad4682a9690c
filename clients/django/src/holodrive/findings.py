"""What a comparison finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "failed", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    verdict: Verdict
    text: str


Findings = Iterator[Finding]


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str) -> Finding:
    return Finding("warning", text)


def failed(text: str) -> Finding:
    return Finding("failed", text)


def unknown(text: str) -> Finding:
    return Finding("unknown", text)

"""The one error of the client API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class HoloDriveError(Exception):
    """The server refused a request, or could not be reached.

    `code` is for programs, as in the server's documents (`not_found`, `invalid`, `invalid_transition`, …), and
    `unreachable` where no answer came. `detail` is for people. `errors` says for each wrong field why.
    `status` is the HTTP status, or None without an answer.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        errors: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.errors: dict[str, list[str]] = {field: list(why) for field, why in (errors or {}).items()}

    def __str__(self) -> str:
        fields = "".join(f" {field}: {' '.join(why)}" for field, why in self.errors.items())
        return f"{self.detail} ({self.code}){fields}"

"""A back end that is asked by hooks, as `docs/hooks.md` describes it: each request must be signed and of the promised form."""

import hashlib
import hmac
import json
import time

from services import HttpService

SECRET = "the secret of a back end that tests have"
ENVELOPE = {"id", "hook", "sent_at", "data"}


class BackEnd(HttpService):
    """Answers `push`; all other hooks are off."""

    def settings(self) -> dict:
        return {"HOOKS_URL": f"{self.url}/hooks/", "HOOKS_SECRET": SECRET, "HOOKS": "push", "HOOKS_TIMEOUT": "1"}

    def answer(self, path, headers, body):
        timestamp = headers["X-HoloDrive-Timestamp"]
        expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        if headers["X-HoloDrive-Signature"] != f"v1={expected}" or abs(time.time() - int(timestamp)) > 300:
            return 401, b'{"code": "unauthorized", "detail": "Not signed by us."}', {}
        asked = json.loads(body)
        if path != "/hooks/push/" or set(asked) != ENVELOPE or asked["id"] != headers["Idempotency-Key"]:
            return 404, b'{"code": "not_found", "detail": "There is no such hook."}', {}
        if deviation := self.next_deviation():
            return deviation.status, json.dumps(deviation.body).encode(), deviation.headers
        self.accept(asked["data"])
        return 204, b"", {}

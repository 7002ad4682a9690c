"""The Autobahn suite's cases for WebSocket servers, against the echo endpoints of a build for tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from holodrive import Server, binary_with_failpoints

# Compression, which is not offered.
NOT_OFFERED = ("12.*", "13.*")
# Messages of up to 16 MiB.
LARGE = ("9.*",)


@pytest.fixture
def echo_server(tmp_path):
    server = Server(tmp_path, HEARTBEAT_INTERVAL=0)
    server.program = binary_with_failpoints()
    yield server.start()
    server.finish()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("path, left_out, cases", [
    ("/__echo", NOT_OFFERED, 301),
    ("/__echo_limited", (*NOT_OFFERED, *LARGE), 247),
])
def test_every_case_passes_to_the_letter(echo_server, tmp_path, path, left_out, cases):
    reports = tmp_path / "reports"
    runner = Path(sys.executable).with_name("kosoku")
    excluded = [argument for pattern in left_out for argument in ("-x", pattern)]
    url = f"ws://{echo_server.authority}{path}"
    subprocess.run(
        [runner, "-m", "fuzzingclient", "-p", "2", *excluded, "-o", reports, url], check=True, capture_output=True)
    (verdicts,) = json.loads((reports / "index.json").read_text()).values()
    assert len(verdicts) == cases
    poor = {name: verdict for name, verdict in verdicts.items()
            if {verdict["behavior"], verdict["behaviorClose"]} - {"OK", "INFORMATIONAL"}}
    assert not poor

"""The fixtures: servers that start quickly, stop cleanly and never panic."""

import pytest

import db
from browser import Chromium
from holodrive import Server

# What has nothing to do with where the data are, and what starts a PostgreSQL of its own: once is enough.
collect_ignore_glob = [
    f"test_{name}.py" for name in (
        "autobahn", "browser", "channel_layer", "console", "descriptors", "disk", "django*", "garbage", "guide", "postgres*")
] if db.POSTGRES else []


def pytest_collection_modifyitems(items):
    for item in items:
        mark = item.get_closest_marker("embedded")
        if mark and db.POSTGRES:
            item.add_marker(pytest.mark.skip(reason=f"for the embedded database only: {mark.args[0]}"))


def pytest_terminal_summary(terminalreporter):
    """Shows what tests have measured and do not judge: `record_property("measured", …)`."""
    for report in terminalreporter.getreports("passed"):
        for name, line in report.user_properties:
            if name == "measured":
                terminalreporter.write_line(line)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server with the defaults for all tests of a module; each test makes its own users."""
    with_defaults = Server(tmp_path_factory.mktemp("server")).start()
    yield with_defaults
    with_defaults.finish()


@pytest.fixture
def start_server(tmp_path):
    """Starts servers of the test's own: `start_server(ORDER_OFFER_TIMEOUT=0.5)`."""
    started = []

    def start(**options) -> Server:
        directory = tmp_path / f"server{len(started)}"
        directory.mkdir()
        started.append(Server(directory, **options))
        return started[-1].start()

    yield start
    for each in started:
        each.finish()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.fixture(autouse=True)
def no_panic(request):
    """Blames the test during which a shared server panicked."""
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").assert_no_panic()

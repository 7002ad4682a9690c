"""The bell in the real admin, in Chromium."""

import os
from pathlib import Path

import pytest
from chromium import Chromium
from conftest import PASSWORD
from django.template import Context, Template
from test_api import TRIP

import holodrive
from holodrive.models import Notification

BADGE = "(document.querySelector('.holodrive-badge').hidden ? '' : document.querySelector('.holodrive-badge').textContent)"
LIVE = "'connected' in document.querySelector('.holodrive-bell').dataset"
LABEL = "document.querySelector('.holodrive-toggle').getAttribute('aria-label')"
TITLES = "[...document.querySelectorAll('.holodrive-title')].map(title => title.textContent)"
STATUSES = "[...document.querySelectorAll('.holodrive-item')].map(item => item.dataset.status)"
IS_OPEN = "!document.querySelector('.holodrive-panel').hidden"
FOCUS = "document.activeElement.className"
SPOKEN = "document.querySelector('.holodrive-announcement').textContent"
MARK_FIRST = "document.querySelector('.holodrive-read').click()"
TOGGLE = "document.querySelector('.holodrive-toggle').click()"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.fixture
def staff(make_user):
    return make_user(staff=True)


@pytest.fixture
def page(chromium, site, staff):
    """The admin's first page, behind Django's own login form."""
    tab = chromium.page()
    tab.command("Network.enable")
    tab.command("Network.clearBrowserCookies")
    tab.open(f"{site.url}/admin/login/?next=/admin/")
    tab.run(f"""document.querySelector('[name=username]').value = '{staff.get_username()}';
        document.querySelector('[name=password]').value = '{PASSWORD}';
        document.querySelector('form').submit()""")
    tab.wait_for("document.readyState === 'complete' && !!document.querySelector('.holodrive-bell')")
    tab.wait_for(LIVE)
    yield tab
    tab.close()


def read(user):
    return Notification.objects.filter(user=user, read_at__isnull=False).count()


def test_a_notification_comes_live_is_read_by_a_click_and_stays_read(page, staff):
    assert page.run(BADGE) == "" and page.run(LABEL) == "Notifications"
    holodrive.notify(staff, title="First", message="one")
    holodrive.notify(staff, title="Second", message="two")
    page.wait_for(f"{BADGE} === '2'")
    assert page.run(LABEL) == "Notifications, 2 unread" and page.run(TITLES) == ["Second", "First"]
    assert page.run(SPOKEN) == "New notification: Second"
    page.run(TOGGLE)
    page.run(MARK_FIRST)
    page.wait_for(f"{BADGE} === '1'")
    assert page.run(STATUSES) == ["read", "unread"] and read(staff) == 1
    page.command("Page.reload")
    page.wait_for(f"document.readyState === 'complete' && {BADGE} === '1'")
    assert page.run(TITLES) == ["Second", "First"] and page.run(STATUSES) == ["read", "unread"]
    assert page.complaints == []


def test_html_stays_text(page, staff):
    attack = "<img src=x onerror='window.hacked=1'></script><script>window.hacked=2</script>"
    holodrive.notify(staff, title=attack, message=attack)
    page.wait_for(f"{BADGE} === '1'")
    assert page.run(TITLES) == [attack]
    page.command("Page.reload")
    page.wait_for(f"document.readyState === 'complete' && {BADGE} === '1'")
    assert page.run(TITLES) == [attack] and page.run("window.hacked === undefined")


def test_what_was_read_elsewhere_is_read_here(page, staff, chromium, site):
    holodrive.notify(staff, title="t", message="m")
    page.wait_for(f"{BADGE} === '1'")
    other = chromium.page()
    other.open(f"{site.url}/admin/")
    other.wait_for(LIVE)
    other.run(MARK_FIRST)
    page.wait_for(f"{BADGE} === ''")
    other.close()


def test_the_keyboard_is_enough(page, staff):
    holodrive.notify(staff, title="One", message="m")
    holodrive.notify(staff, title="Two", message="m")
    page.wait_for(f"{BADGE} === '2'")
    page.run("document.querySelector('.holodrive-toggle').focus()")
    page.press("Enter")
    page.wait_for(f"{IS_OPEN} && {FOCUS} === 'holodrive-panel'")
    page.press("Tab")
    page.wait_for(f"{FOCUS} === 'holodrive-read'")
    page.press("Enter")
    page.wait_for(f"{BADGE} === '1'")
    assert page.run(FOCUS) == "holodrive-read" and page.run(STATUSES) == ["read", "unread"]
    page.press("Escape")
    page.wait_for(f"!({IS_OPEN}) && {FOCUS} === 'holodrive-toggle'")
    assert page.run("document.querySelector('.holodrive-toggle').getAttribute('aria-expanded')") == "false"


def test_it_comes_back_and_misses_nothing(page, staff, server):
    holodrive.notify(staff, title="before", message="m")
    page.wait_for(f"{BADGE} === '1'")
    server.end()
    page.wait_for(f"!({LIVE})")
    page.run(MARK_FIRST)
    # The first connection of the page is stopped from coming back before the second notification is stored.
    page.command("Network.setBlockedURLs", urls=["*/ws/notifications/*"])
    server.run()
    holodrive.notify(staff, title="meanwhile", message="m")
    page.command("Network.setBlockedURLs", urls=[])
    page.run("window.dispatchEvent(new Event('online'))")
    page.wait_for(LIVE, 30)
    page.wait_for(f"{TITLES}.length === 2 && {BADGE} === '1'")
    assert page.run(TITLES) == ["meanwhile", "before"] and page.run(STATUSES) == ["unread", "read"]


def test_a_logout_in_django_ends_it(page, staff):
    from django.contrib.sessions.models import Session

    Session.objects.all().delete()
    page.wait_for("document.querySelector('.holodrive-state').textContent.includes('Reload')", 30)


def test_an_order_leads_to_its_page(page, staff):
    order = holodrive.create_order(staff, **TRIP)
    holodrive.notify(staff, title="t", message="m", related_object=("order", order.id))
    page.wait_for(f"{BADGE} === '1'")
    assert page.run("document.querySelector('.holodrive-title').pathname") == f"/admin/holodrive/order/{order.id}/change/"


def test_a_strict_content_security_policy_is_kept(page, site, monkeypatch):
    from django.contrib.sessions.middleware import SessionMiddleware

    rules = f"default-src 'self'; connect-src ws://{os.environ['HOLODRIVE_URL'].removeprefix('http://')}"
    original = SessionMiddleware.process_response

    def process_response(self, request, response):
        response["Content-Security-Policy"] = rules
        return original(self, request, response)

    monkeypatch.setattr(SessionMiddleware, "process_response", process_response)
    page.open(f"{site.url}/admin/")
    page.wait_for(LIVE)
    assert page.complaints == []


def test_only_the_newest_are_listed_and_all_unread_are_counted(page, staff):
    for part in range(5):
        for _ in range(5):
            holodrive.notify(staff, title=f"n{part}", message="m")
    page.wait_for(f"{BADGE} === '25'")
    assert len(page.run(TITLES)) == 20
    page.command("Page.reload")
    page.wait_for(f"document.readyState === 'complete' && {BADGE} === '25'")
    assert len(page.run(TITLES)) == 20


if "SCREENSHOTS" in os.environ:

    def test_screenshots(page, staff, site):
        """For people to look at: SCREENSHOTS names a folder."""
        order = holodrive.create_order(staff, **TRIP)
        holodrive.notify(staff, title="Welcome to HoloDrive", message="Your account is ready.")
        page.wait_for(f"{BADGE} === '1'")
        page.run(MARK_FIRST)
        page.wait_for(f"{BADGE} === ''")
        holodrive.notify(staff, title="New message from Sobirjon Bobojonov", notification_type="chat_message",
                         message="New message in conversation: Assalomu alaykum, I am waiting at the blue gate...")
        holodrive.notify(staff, title="No driver was found", message=f"Order {order.order_code} found nobody in time.",
                         related_object=("order", order.id))
        page.wait_for(f"{BADGE} === '2'")
        page.run(TOGGLE)
        for name, width in (("wide", 1000), ("narrow", 390)):
            page.command("Emulation.setDeviceMetricsOverride", width=width, height=560, deviceScaleFactor=1, mobile=False)
            page.run(f"{TOGGLE}; {TOGGLE}")
            for theme in ("light", "dark"):
                page.run(f"document.documentElement.dataset.theme = '{theme}'")
                page.screenshot(Path(os.environ["SCREENSHOTS"]) / f"{name}-{theme}.png")
        page.command("Emulation.setDeviceMetricsOverride", width=1200, height=800, deviceScaleFactor=1, mobile=False)
        for kind in ("order", "notification"):
            page.open(f"{site.url}/admin/holodrive/{kind}/")
            page.screenshot(Path(os.environ["SCREENSHOTS"]) / f"{kind}-list.png")
        page.open(f"{site.url}/admin/holodrive/order/{order.id}/change/")
        page.screenshot(Path(os.environ["SCREENSHOTS"]) / "order.png")


def rendered(user):
    return Template("{% load holodrive %}{% holodrive_notifications %}").render(Context({"user": user}))


def test_nobody_is_shown_nothing():
    from django.contrib.auth.models import AnonymousUser

    assert rendered(AnonymousUser()).strip() == "" and rendered(None).strip() == ""


def test_without_tables_the_page_is_there_all_the_same(user, monkeypatch, caplog):
    monkeypatch.setattr(Notification._meta, "db_table", "holodrive_nothing")
    assert '"since": null' in rendered(user) and "holodrive migrate" in caplog.text

"""Joining and leaving as a person meets them: on a telephone, by keyboard, without JavaScript."""

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.gateway import Gateway
from tests.browser.looking import LOW_CONTRAST
from tests.making import PERSON

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 640}
_WIDER_THAN_SCREEN = "document.documentElement.scrollWidth > innerWidth"
# Buttons and links that stand by themselves, smaller than a fingertip (WCAG 2.2, 2.5.8).
_TOO_SMALL = """() => [...document.querySelectorAll("button, input:not([type=hidden]), nav a")]
  .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 22)
  .map((each) => each.outerHTML)"""


@pytest.fixture
def gateway(app: Flask) -> Gateway:
    return app.extensions["gateway"]


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open a path in a new browser; what its policy blocks, or looks outside, fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_path(path: str, **options) -> Page:
        context = browser.new_context(**({"locale": "it-IT", "viewport": PHONE} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: complaints.append(line.text))
        page.goto(address.replace("/simulator", path))
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert [each for each in complaints if "422" not in each] == []


def code_sent(gateway: Gateway) -> str:
    return re.search(r"\b\d{6}\b", gateway.services.provider.conversation(PERSON)[-1].body)[0]


def press_keys(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, selector: str) -> None:
    """Go on by keyboard until the element has the focus, and shows it."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus-visible").count():
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_from_joining_to_leaving_by_keyboard_alone(visit, gateway: Gateway):
    """Number, box, code, choice of channel, stop: each reached and pressed without a pointer."""
    page = visit("/join/default")
    tab_to(page, "#number")
    page.keyboard.type("333 123 4567")
    tab_to(page, "[name=agreed]")
    page.keyboard.press("Space")
    tab_to(page, "button.primary")
    page.keyboard.press("Enter")

    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type(code_sent(gateway))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fatto, sei iscritto")

    page.goto(page.url.partition("/join")[0] + gateway.services.preferences.link_of(PERSON))
    tab_to(page, "[value=sms]")
    press_keys(page, "ArrowDown")
    tab_to(page, "#email")
    page.keyboard.type("anna@example.org")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("salvata")
    tab_to(page, "button.stop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("fermi")
    expect(page.get_by_role("heading", name="Non ricevi più nulla")).to_be_visible()


def test_the_data_are_opened_and_erased_by_keyboard_alone(visit, gateway: Gateway):
    """Code asked for, typed in, a file taken, the erasure unfolded and pressed: no pointer."""
    page = visit(gateway.services.preferences.link_of(PERSON))
    tab_to(page, "main .button")
    page.keyboard.press("Enter")
    tab_to(page, "button.primary")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("sei cifre")
    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type(code_sent(gateway))
    page.keyboard.press("Enter")

    tab_to(page, "[value=csv]")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "optout.csv"
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    tab_to(page, "button.stop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("cancellati")


def test_everything_works_without_javascript(visit, gateway: Gateway):
    """With scripts switched off a person joins, stops one program, and gets the data."""
    page = visit("/join/default", java_script_enabled=False, locale="en-GB")
    page.get_by_label("Your mobile number").fill(PERSON)
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Text me the code").click()
    page.get_by_label("The code you got").fill(code_sent(gateway))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Done, you have joined")

    page.goto(page.url.partition("/join")[0] + gateway.services.preferences.link_of(PERSON))
    own = page.url
    page.get_by_role("link", name="Download or erase").click()
    page.get_by_role("button", name="Text me the code").click()
    page.get_by_label("The code you got").fill(code_sent(gateway))
    page.get_by_role("button", name="Open my data").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download to read").click()
    assert download.value.suggested_filename == "optout.html"
    page.goto(own)
    switch = page.get_by_role("switch")
    expect(switch).to_be_checked()
    switch.click()
    expect(page.get_by_role("switch")).not_to_be_checked()
    expect(page.get_by_role("switch")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_fits_and_can_be_read(visit, gateway: Gateway, scheme: str, width: int):
    """No page is wider than the screen, too pale (AA) or too small for a finger."""
    own = gateway.services.preferences.link_of(PERSON)
    page = visit("/join/default", color_scheme=scheme, viewport={"width": width, "height": 640})

    def look() -> None:
        assert not page.evaluate(_WIDER_THAN_SCREEN)
        assert page.evaluate(LOW_CONTRAST) == []
        assert page.evaluate(_TOO_SMALL) == []

    page.locator("summary").click()
    look()
    page.fill("#number", "+39333")
    page.check("[name=agreed]")
    page.click("button.primary")
    look()
    page.fill("#number", PERSON)
    page.click("button.primary")
    look()
    page.fill("#code", "1")
    page.click("button.primary")
    look()
    page.fill("#code", code_sent(gateway))
    page.click("button.primary")
    look()
    page.goto(page.url.partition("/join")[0] + own)
    page.check("[value=email]")
    look()
    page.click("main a.button")
    look()
    page.click("button.primary")
    look()
    page.fill("#code", "1")
    page.click("button.primary")
    look()
    page.fill("#code", code_sent(gateway))
    page.click("button.primary")
    page.click("summary")
    look()
    page.click("main .foot a")
    page.click("button.stop")
    look()
    page.click("main a.button")
    look()


def test_the_language_is_chosen_with_one_tap_and_kept(visit):
    """The switch changes the page, says so to screen readers, and holds on the next one."""
    page = visit("/join/default", locale="en-GB")
    expect(page.locator("html")).to_have_attribute("lang", "en")

    page.get_by_role("link", name="Italiano").click()

    expect(page.locator("html")).to_have_attribute("lang", "it")
    expect(page.get_by_role("link", name="Italiano")).to_have_attribute("aria-current", "true")
    page.goto(page.url.partition("?")[0])
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ricevi")


def test_a_fault_is_told_at_its_field(visit):
    """What was wrong stands at the field, which has the focus and keeps what was typed."""
    page = visit("/join/default")
    page.fill("#number", "333 12")
    page.check("[name=agreed]")
    page.click("button.primary")

    field = page.get_by_label("Il tuo numero di cellulare")
    expect(field).to_be_focused()
    expect(field).to_have_value("333 12")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("per intero")
    assert page.title().startswith("Da correggere")


def test_the_simulator_leads_to_both_pages(visit):
    """From the telephone on the table to the form, and to the number's own page."""
    page = visit("/simulator", locale="en-GB", viewport={"width": 1280, "height": 800})
    page.get_by_role("button", name="own page").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Messages from")
    page.go_back()
    with page.expect_popup() as form:  # beside the telephone, on which the code arrives
        page.get_by_role("link", name="Form to join").click()
    expect(form.value.get_by_role("heading", level=1)).to_contain_text("Get texts from")

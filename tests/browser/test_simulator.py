"""The simulator as a person meets it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looking import LOW_CONTRAST

pytestmark = pytest.mark.browser


def conversation(page: Page) -> Locator:
    return page.get_by_role("log", name="Messages on this phone")


def text(page: Page, body: str) -> None:
    field = page.get_by_role("textbox", name="Text message")
    field.fill(body)
    field.press("Enter")


def send(page: Page) -> None:
    page.get_by_role("button", name="Send", exact=True).click()


def test_a_person_texts_stop_and_sees_what_it_does(page: Page):
    """The answer comes to the phone; beside it stand meaning, suppression and ledger entry."""
    text(page, "STOP")

    expect(conversation(page)).to_contain_text("START")
    expect(page.locator("#standing")).to_contain_text("No more messages")
    expect(page.locator("#understanding")).to_contain_text("keyword")
    expect(page.locator("#ledger li")).to_have_count(1)
    expect(page.locator("#ledger")).to_contain_text("“STOP”")
    expect(page.locator("#story svg[role=img]")).to_have_attribute(
        "aria-label", "1 texts from the person, 0 messages sent, 0 refused. Suppressed now."
    )


def test_one_tap_is_enough(page: Page):
    """A suggested text is sent with a tap, and the conversation goes on in order."""
    for suggested in ("STOP", "START", "CANCELLA"):
        page.get_by_role("button", name=suggested, exact=True).click()
        expect(conversation(page).locator(".mine").last).to_contain_text(suggested)

    expect(page.locator("#ledger li")).to_have_count(3)


def test_a_script_sends_and_is_refused_after_a_stop(page: Page):
    """A message arrives on the phone; after STOP the same one is refused in plain words."""
    send(page)
    expect(conversation(page)).to_contain_text("Spring sale")
    expect(page.locator("#sends")).to_contain_text("Arrived")

    text(page, "STOP")
    expect(page.locator("#standing")).to_contain_text("No more messages")
    send(page)

    expect(page.locator("#outcome")).to_have_text("Refused: the person has opted out.")
    expect(page.locator("#terminal")).to_contain_text("RecipientRefused: 21610 (suppressed)")
    expect(conversation(page).get_by_text("Spring sale")).to_have_count(1)


def test_several_phones_are_on_the_table(page: Page):
    """Each has its own conversation; a message to all stops only where somebody opted out."""
    text(page, "STOP")
    expect(page.locator("#standing")).to_contain_text("No more messages")
    page.get_by_role("radio", name="All 3 phones").check()
    send(page)
    expect(page.locator("#outcome")).to_have_text("2 of 3 let through, 1 refused.")

    page.get_by_role("button", name="Bruno").click()

    expect(conversation(page)).to_contain_text("Spring sale")
    expect(conversation(page)).not_to_contain_text("STOP and")
    expect(page.locator("#standing")).to_contain_text("Messages get through")
    expect(page.get_by_role("button", name="Anna: gets no messages")).to_be_visible()


def test_a_phone_can_be_added_and_taken_away(page: Page):
    """A number that can't be texted is refused in words; another joins, stays, and goes again."""
    page.get_by_role("button", name="Add a phone").click()
    field = page.get_by_role("textbox", name="Mobile number")
    field.fill("123")
    field.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "not a number that can be texted"
    )

    field.fill("0039 340 1234567")
    field.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#number")).to_have_text("+39 340 123 4567")
    page.reload()
    expect(page.locator("#handsets li")).to_have_count(4)

    page.get_by_role("button", name="+39 340 123 4567").click()
    page.get_by_role("button", name="Remove +39 340 123 4567").click()
    expect(page.locator("#handsets li")).to_have_count(3)


def test_a_keyboard_is_enough(page: Page):
    """From the top of the page to a sent STOP and its answer without a mouse."""
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the message field")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Text message")).to_be_focused()

    page.keyboard.type("STOP")
    page.keyboard.press("Enter")

    expect(conversation(page).locator(".theirs")).to_have_count(1)


def test_everything_that_can_be_used_has_a_name(page: Page):
    """A screen reader finds landmarks, one first heading, and a name on each control."""
    for landmark in ("banner", "main", "navigation"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(conversation(page)).to_have_attribute("aria-live", "polite")

    page.get_by_role("button", name="Add a phone").click()
    controls = page.locator("button:visible, input:visible, textarea:visible").all()
    assert len(controls) > 15
    for control in controls:
        expect(control).to_have_accessible_name(re.compile(r"\w"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Page, scheme: str):
    """In both colour schemes every text has at least WCAG AA's contrast of 4.5."""
    page.emulate_media(color_scheme=scheme)
    send(page)
    text(page, "STOP")
    expect(page.locator("#standing")).to_contain_text("No more messages")
    send(page)
    expect(page.locator("#outcome")).to_contain_text("Refused")
    assert page.evaluate(LOW_CONTRAST) == []

    page.get_by_role("button", name="Carla").click()
    page.get_by_role("button", name="Add a phone").click()
    page.get_by_role("textbox", name="Mobile number").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()
    assert page.evaluate(LOW_CONTRAST) == []


def test_the_page_fits_every_screen(page: Page):
    """Nothing sticks out sideways, from a small phone to a wide screen, however long the texts."""
    text(page, "w" * 300)
    expect(conversation(page)).to_contain_text("www")
    text(page, "STOP")
    expect(page.locator("#ledger li.opt_out")).to_have_count(1)

    for width in (320, 360, 390, 768, 1024, 1440, 2200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_what_is_texted_is_shown_as_text(page: Page):
    """Markup in a message stays letters, on the phone and beside it."""
    text(page, "<img src=x onerror=alert(1)> STOP")

    expect(conversation(page)).to_contain_text("<img src=x onerror=alert(1)> STOP")
    expect(page.locator("#understanding img")).to_have_count(0)


def test_a_person_who_wants_no_motion_gets_none(page: Page):
    """With reduced motion asked for, nothing is animated when messages arrive."""
    text(page, "STOP")
    expect(conversation(page).locator(".theirs")).to_have_count(1)

    assert page.evaluate("document.getAnimations().filter((a) => a.animationName).length") == 0


def test_the_language_can_be_changed_and_stays(page: Page):
    """Italian is a tap away, and is remembered at the next visit."""
    page.get_by_role("link", name="Italiano").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Simulatore")

    page.goto(page.url.partition("?")[0])

    expect(page.get_by_role("heading", level=1)).to_have_text("Simulatore")
    expect(page.locator("#standing")).to_contain_text("I messaggi passano")

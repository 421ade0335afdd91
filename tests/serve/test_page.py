"""The page in headless Chromium, on a real server with the voice of the package: type, play, move, drag, download."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.serve.running import Running

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
BROWSER, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs Debian's packages chromium and chromium-driver")
# What the page did with the sound: the browser of a test has no loudspeaker that one could listen at.
LISTEN = """
window.heard = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...args) {
  window.heard.push(this.buffer.duration);
  return start.apply(this, args);
};
"""


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,1400"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    made.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTEN})
    yield made
    made.quit()


@pytest.fixture
def page(browser: Any, server: Running) -> Iterator[Page]:
    browser.get(server.url)
    shown = Page(browser)
    shown.wait(lambda: shown.text("status") == "Ready.")
    yield shown
    # What the server refuses the browser notes, too; the page tells it.
    told = [each["message"] for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert [each for each in told if "the server responded with a status of 422" not in each] == []


class Page:
    """What a person sees and does."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def at(self, name: str) -> Any:
        return self.browser.find_element("id", name)

    def text(self, name: str) -> str:
        return str(self.at(name).text)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def type(self, text: str) -> None:
        self.at("text").clear()
        self.at("text").send_keys(text)

    def set(self, name: str, value: float) -> None:
        """Move a slider."""
        self.run(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
            self.at(name),
            value,
        )

    def speak(self) -> float:
        """Press Speak; the seconds that the page says the speech lasts."""
        self.run("document.getElementById('status').textContent = ''")
        self.at("speak").click()
        return self.spoken()

    def spoken(self) -> float:
        self.wait(lambda: "seconds of speech" in self.text("status"))
        return float(self.text("status").split()[0])

    def buttons(self, row: str) -> list[Any]:
        return list(self.at(row).find_elements("tag name", "button"))

    def wait(self, condition: Callable[[], bool], within_s: float = 20.0) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"not in time; the page says {self.text('status')!r}"
            time.sleep(0.02)


def test_type_and_play(page: Page) -> None:
    assert not page.at("steps-field").is_displayed()
    page.type("We never said that. It rained.")
    lasts = page.speak()
    assert 1.0 < lasts < 5.0
    assert "first sound after" in page.text("status")
    heard = page.run("return window.heard")
    assert len(heard) >= 3, "it plays while more is on its way"
    assert sum(heard) == pytest.approx(lasts, abs=0.02)
    assert [word.text for word in page.buttons("words")] == "we never said that it rained".split()
    assert [phone.text for phone in page.buttons("phones")][:4] == ["W", "IY1", "N", "EH1"]


def test_sliders_change_what_is_heard(page: Page) -> None:
    page.type("The birch canoe slid on the smooth planks.")
    plain = page.speak()
    page.set("speed", 2)
    assert page.at("sliders").find_element("css selector", "output[for=speed]").text == "2×"
    assert page.speak() == pytest.approx(plain / 2, rel=0.05)
    page.at("reset").click()
    assert page.at("speed").get_attribute("value") == "1"


def test_pictures_show_the_sound(page: Page) -> None:
    page.type("We sing.")
    page.speak()
    for name in ("wave", "spectrogram"):
        colours = page.run(
            "const c = arguments[0]; const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "const seen = new Set();"
            "for (let i = 0; i < d.length; i += 4) seen.add(d[i] + ',' + d[i + 1] + ',' + d[i + 3]);"
            "return [c.width, seen.size]",
            page.at(name),
        )
        assert colours[0] > 100 and colours[1] > (1 if name == "wave" else 50)
    width = page.at("wave").size["width"]
    page.set("zoom", 440)
    assert page.at("wave").size["width"] == pytest.approx(2 * width, abs=2)


def test_a_click_on_a_word_plays_it(page: Page) -> None:
    page.type("We never said that.")
    page.speak()
    page.run("window.heard = []")
    page.buttons("words")[1].click()
    page.wait(lambda: len(page.run("return window.heard")) == 1)
    (heard,) = page.run("return window.heard")
    assert 0.1 < heard < 1.0


def test_a_phone_is_dragged_and_changed_by_keyboard(page: Page) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    page.type("We never said that.")
    plain = page.speak()
    place = next(i for i, phone in enumerate(page.buttons("phones")) if phone.text == "EH1")
    page.run("document.getElementById('status').textContent = ''; window.heard = []")
    phone = page.buttons("phones")[place]
    edge = phone.size["width"] // 2 - 3
    ActionChains(page.browser).move_to_element_with_offset(phone, edge, 0).click_and_hold().move_by_offset(
        phone.size["width"], 0
    ).release().perform()
    longer = page.spoken()
    assert longer > plain + 0.03
    assert "changed" in page.buttons("phones")[place].get_attribute("class")
    assert "length times" in page.buttons("phones")[place].get_attribute("aria-label")
    page.wait(lambda: len(page.run("return window.heard")) == 1)  # the word alone is played
    page.run("document.getElementById('status').textContent = ''")
    page.buttons("phones")[place].send_keys(Keys.ARROW_UP)
    page.spoken()
    assert "pitch +1.0 semitones" in page.browser.switch_to.active_element.get_attribute("aria-label")
    page.run("document.getElementById('status').textContent = ''")
    page.at("undo").click()
    assert page.spoken() == pytest.approx(plain, abs=0.011)


@pytest.mark.parametrize("name", ["wav", "mp3"])
def test_download(page: Page, downloads: Path, name: str) -> None:
    page.type("It works.")
    lasts = page.speak()
    page.run("arguments[0].value = arguments[1]", page.at("format"), name)
    page.at("download").click()
    target = downloads / f"speech.{name}"
    page.wait(target.is_file)
    assert soundfile.info(target).duration == pytest.approx(lasts, abs=0.1)


def test_ssml_and_mistakes(page: Page) -> None:
    page.type("<speak>Yes<break time='1s'/>no.</speak>")
    assert page.speak() > 1.5
    page.type("<speak>Yes<brake/></speak>")
    page.at("speak").click()
    page.wait(lambda: "brake" in page.text("status"))
    assert "problem" in page.at("status").get_attribute("class")
    page.type("...")
    page.at("speak").click()
    page.wait(lambda: "nothing to speak" in page.text("status"))


def test_the_keyboard_is_enough_and_everything_has_a_name(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.type("Yes.")
    page.at("text").send_keys(Keys.CONTROL, Keys.ENTER)
    page.spoken()
    nameless = page.run(
        "return [...document.querySelectorAll('input, select, textarea, button, canvas')].filter((e) =>"
        " !(e.labels?.length || e.textContent.trim() || e.getAttribute('aria-label'))).map((e) => e.outerHTML)"
    )
    assert nameless == []
    assert page.run("return document.documentElement.lang") == "en"


PAIRS = [
    ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("accent", "card"), ("on-accent", "accent"),
    ("changed", "card"), ("changed", "phone"), ("ink", "phone"), ("ink", "word"),
]  # fmt: skip


def test_colours_can_be_told_apart(page: Page) -> None:
    """WCAG 2.1: 4.5 to 1 for text, in light and in dark."""
    for scheme in ("light", "dark"):
        page.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        colours = page.run(
            "const style = getComputedStyle(document.documentElement);"
            "return Object.fromEntries(arguments[0].map((n) => [n, style.getPropertyValue('--' + n).trim()]))",
            sorted({name for pair in PAIRS for name in pair}),
        )
        for front, back in PAIRS:
            assert contrast(colours[front], colours[back]) >= 4.5, (scheme, front, back)


def contrast(one: str, other: str) -> float:
    """Of two colours #rrggbb."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_picture_of_the_documentation(page: Page, tmp_path: Path) -> None:
    """The page as it looks after speaking; kept where SPEECHKD_PICTURES says, to be looked at."""
    light = {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", light)
    page.speak()
    page.set("zoom", 200)
    page.buttons("phones")[6].click()
    page.run("window.scrollTo(0, 0)")
    target = Path(os.environ.get("SPEECHKD_PICTURES", tmp_path)) / "page.png"
    assert page.browser.save_screenshot(str(target))
    assert target.stat().st_size > 20_000

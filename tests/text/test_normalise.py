"""Readings that an American speaker would give, class by class: written by hand, not by the code."""

from __future__ import annotations

import re._constants as constants
import re._parser as parser

import pytest

from speechkd.errors import DataError
from speechkd.text import EnglishFrontend, normalise, normalise_english
from speechkd.text.rules.rule import NumberRule

CASES = {
    "cardinals": """
        7 cats => seven cats
        0 errors => zero errors
        21 days => twenty one days
        100 meters away => one hundred meters away
        115 => one hundred fifteen
        1,234 people => one thousand two hundred thirty four people
        1000000 => one million
        2,000,001 => two million one
        12345678901234567890 => one two three four five six seven eight nine zero one two three four five six seven eight nine zero
        agent 007 => agent zero zero seven
        -5 points => minus five points
        it was -40 there => it was minus forty there
        the score was 5-3 => the score was five to three
        pages 10-12 => pages ten to twelve
        """,
    "ordinals": """
        the 1st and 2nd => the first and second
        22nd => twenty second
        103rd => one hundred third
        the 21st century => the twenty first century
        1,000th => one thousandth
        """,
    "decimals": """
        3.14 => three point one four
        0.5 => zero point five
        .25 => point two five
        1,000,000.50 => one million point five zero
        -0.7 => minus zero point seven
        version 1.2.3 => version one point two point three
        """,
    "fractions": """
        1/2 => one half
        3/4 of it => three quarters of it
        2 1/2 cups => two and a half cups
        2/3 => two thirds
        ½ cup => one half cup
        open 24/7 => open twenty four seven
        """,
    "years": """
        in 1984 => in nineteen eighty four
        in 1066, => in ten sixty six,
        since 1900 => since nineteen hundred
        1905 => nineteen oh five
        2000 => two thousand
        2005 => two thousand five
        2026. => twenty twenty six.
        1990-1995 => nineteen ninety to nineteen ninety five
        the 1990s => the nineteen nineties
        the '80s => the eighties
        mid-1970s => mid-nineteen seventies
        the 2000s => the two thousands
        """,
    "money": """
        $3.50 => three dollars and fifty cents
        $1 => one dollar
        $1.01 => one dollar and one cent
        $0.99 => ninety nine cents
        £5 => five pounds
        €2 million => two million euros
        $1.5 billion => one point five billion dollars
        $1,000 => one thousand dollars
        $20.00 => twenty dollars
        -$7 => minus seven dollars
        ¥500 => five hundred yen
        £2.20 => two pounds and twenty pence
        5€ => five euros
        50¢ => fifty cents
        $5-10 => five to ten dollars
        $10k => ten thousand dollars
        US$30 => thirty US dollars
        """,
    "dates": """
        Nov. 23, 2026 => november twenty third, twenty twenty six
        on March 4 we left => on march fourth we left
        March 4th, 1999 => march fourth, nineteen ninety nine
        23 November 2026 => the twenty third of november, twenty twenty six
        the 4th of July => the fourth of july
        23/11/2026 => november twenty third, twenty twenty six
        11/23/2026 => november twenty third, twenty twenty six
        03/04/2026 => march fourth, twenty twenty six
        2026-11-23 => november twenty third, twenty twenty six
        Jan-Feb 2020 => january to february twenty twenty
        Mon-Fri => monday to friday
        June 2001 => june two thousand one
        Mon., Jan. 5 => monday, january fifth
        """,
    "times": """
        3:45 pm => three forty five PM
        3:05 => three oh five
        at 12:00. => at twelve o'clock.
        15:30 => fifteen thirty
        7 a.m. sharp => seven AM sharp
        at 7 p.m. He left => at seven PM. he left
        10 AM => ten AM
        9:00pm => nine PM
        a 16:9 screen => a sixteen to nine screen
        1:02:03 => one oh two and three seconds
        """,
    "abbreviations": """
        Mr. Smith and Mrs. Jones => mister smith and missus jones
        Dr. Brown => doctor brown
        Elm Dr. is long => elm drive is long
        St. Paul => saint paul
        Baker St. => baker street.
        cats vs. dogs => cats versus dogs
        cats, dogs, etc. are here => cats, dogs, et cetera are here
        cats, etc. => cats, et cetera.
        e.g. this => for example this
        i.e. that => that is that
        No. 5 => number five
        Say no. => say no.
        Fig. 3 and p. 7 => figure three and page seven
        Martin Luther King Jr. spoke => martin luther king junior spoke
        Acme Inc. => acme incorporated.
        the U.S. army => the US army
        I live in the U.S. => i live in the US.
        J. Smith => J smith
        Python vs. Java => python versus java
        a Ph.D. student => a PHD student
        approx. 5 => approximately five
        Gen. Lee and Capt. Kirk => general lee and captain kirk
        """,
    "percent and units": """
        5% => five percent
        3.5 % => three point five percent
        10 km => ten kilometers
        1 km => one kilometer
        60 mph => sixty miles per hour
        90 km/h => ninety kilometers per hour
        2 lbs. of tea => two pounds of tea
        -5°C => minus five degrees celsius
        72°F => seventy two degrees fahrenheit
        16 GB => sixteen gigabytes
        2.4 GHz => two point four gigahertz
        5-10 kg => five to ten kilograms
        5'11" => five foot eleven
        a 10-km run => a ten kilometer run
        90° => ninety degrees
        2 tbsp. of oil => two tablespoons of oil
        a 1/4" drill => a one quarter inch drill
        5k => five thousand
        """,
    "acronyms": """
        the FBI's file => the fbi's file
        NASA => nasa
        the US and us => the US and us
        DVDs => dvds
        an XKCD comic => an XKCD comic
        COVID-19 => covid nineteen
        MP3 => MP three
        3D => three D
        BA2490 => BA two thousand four hundred ninety
        F-16 => F sixteen
        AT&T => AT and T
        I said NO => i said no
        iOS => IOS
        vitamin C => vitamin C
        OpenAI => open AI
        THIS IS VERY LOUD => this is very loud
        """,
    "Roman numerals": """
        Henry VIII => henry the eighth
        Elizabeth II's crown => elizabeth the second's crown
        World War II => world war two
        Chapter IV => chapter four
        chapter XII => chapter twelve
        Louis XIV. => louis the fourteenth.
        George I think => george i think
        John V. Smith => john V smith
        """,
    "addresses and signs": """
        www.example.com => WWW dot example dot com
        https://example.org/a-b => example dot org slash a dash b
        bob.s@example.org => bob dot s at example dot org
        R&B, salt & pepper => R and B, salt and pepper
        and/or => and or
        5 + 3 = 8 => five plus three equals eight
        #1 => number one
        #fun => hashtag fun
        $5/year => five dollars per year
        10x => ten times
        ISBN 978-3-16 => isbn nine seven eight, three, one six
        call 555-1234 => call five five five, one two three four
        """,
    "marks": """
        Wait... what?! => wait. what?
        yes - no => yes - no
        yes—no => yes - no
        a (small) box => a, small, box
        “Quoted,” she said => quoted, she said
        'single' quotes => single quotes
        'Tis the dogs' bowl => 'tis the dogs' bowl
        don’t => don't
        well-known => well-known
        pre- and post-war => pre and post-war
        café naïve Łódź => cafe naive lodz
        ... hello => hello
        ﬁne ＡＢＣ => fine abc
        """,
}
PAIRS = [
    tuple(part.strip() for part in line.split("=>"))
    for table in CASES.values()
    for line in table.strip().splitlines()
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), PAIRS)
def test_reading(written: str, spoken: str) -> None:
    assert normalise_english(written).text == spoken


def test_there_are_enough_cases() -> None:
    assert len(PAIRS) >= 150


def test_day_first() -> None:
    assert EnglishFrontend(day_first=True).normalise("03/04/2026") == "april third, twenty twenty six"
    assert EnglishFrontend(day_first=True).normalise("11/23/2026").startswith("november twenty third")


def test_dropped_characters_are_listed() -> None:
    done = normalise_english("fine 😀 day 日本 {x}\u200b")
    assert done.text == "fine day x"
    assert done.dropped == ("😀", "日", "本", "\u200b", "{", "}")


def test_clean_text_drops_nothing() -> None:
    for written, _ in PAIRS:
        assert normalise_english(written).dropped == ()


@pytest.mark.parametrize("text", ["", "   ", "😀", "...", "日本語", "'", "-", "\0"])
def test_nothing_to_speak(text: str) -> None:
    with pytest.raises(DataError, match="nothing that can be spoken"):
        normalise_english(text)


def test_paragraphs_are_sentences() -> None:
    assert normalise_english("A title\n\nThe text").text == "a title. the text"


def _needs_digit(parsed: object) -> bool:
    """Whether whatever a parsed pattern matches holds a decimal digit, in itself or in what must stand around it."""
    return any(_holds_digit(op, value) for op, value in parsed)


def _holds_digit(op: object, value: object) -> bool:
    if op is constants.LITERAL:
        return chr(value).isdecimal()
    if op is constants.IN:
        return all(
            (kind is constants.RANGE and chr(each[0]).isdecimal() and chr(each[1]).isdecimal())
            or (kind is constants.CATEGORY and each is constants.CATEGORY_DIGIT)
            or (kind is constants.LITERAL and chr(each).isdecimal())
            for kind, each in value
        )
    if op is constants.BRANCH:
        return all(map(_needs_digit, value[1]))
    if op in (constants.MAX_REPEAT, constants.MIN_REPEAT):
        return value[0] > 0 and _needs_digit(value[2])
    return op in (constants.SUBPATTERN, constants.ASSERT) and _needs_digit(value[-1])


def test_rules_that_are_passed_over_without_a_digit_need_one():
    """By the structure of their patterns: also for texts that no test has."""
    found = {rule.name: rule for day_first in (False, True) for rule in normalise._rules(day_first)}
    numbers = {name for name, rule in found.items() if isinstance(rule, NumberRule)}
    assert len(numbers) > 70
    needing = {name for name, rule in found.items() if _needs_digit(parser.parse(rule.source, rule.flags))}
    assert numbers == needing
    assert NumberRule("x", r"\d", "y")("a 1") == "a y" and NumberRule("x", r"a", "y")("a") == "a"

"""The words whose readings turn on more than the part of speech: tense, sense, fixed phrases."""

from __future__ import annotations

from collections.abc import Callable

from speechkd.text.clues import (
    AGED_PERSONS,
    AUGUST_THINGS,
    BEFORE_LIVE,
    BEFORE_METAL,
    BOW_BEND,
    BOW_WEAPON,
    CRYING,
    DEER,
    DEER_COUNTS,
    DIVES,
    FISHING,
    GOLF,
    HELPERS,
    INVERTING,
    KIN,
    LEAD_TALK,
    LEAD_THINGS,
    LEARNED_THINGS,
    LIVE_THINGS,
    MEASURABLE,
    PIGS,
    TORN_THINGS,
)
from speechkd.text.context import Context
from speechkd.text.word_classes import (
    BE,
    DETERMINERS,
    HAVE,
    OBJECTS,
    PAST_TIMES,
    PREPOSITIONS,
    PRESENT_TIMES,
    SEEM,
    is_adverb,
    is_content,
    is_past,
    is_plural,
    is_possessive,
)

Sense = Callable[[Context], str]

_WAYS = ("up", "down", "through", "around", "along", "its", "their", "past", "back", "between", "round", "about")


def _read(here: Context) -> str:
    offset = here.helper()
    word, part = here.at(offset), here.part()
    if word in HAVE or word in BE or word in ("get", "got", "gets", "well") or word.endswith(("'ve", "'s")):
        return "past"
    if _asked(here, offset):
        return "past"
    if word in ("he", "she", "it") and here.at(offset - 1) not in PREPOSITIONS:
        return "past" if not _inverted(here, offset) else "present"
    if here.before in DETERMINERS or _inverted(here, offset):
        return "present"
    tells_past = here.near(PAST_TIMES) or any(map(is_past, here.sentence()))
    tells_present = here.near(PRESENT_TIMES)
    if word in ("and", "but", "or", "then"):
        return "past" if any(is_past(here.at(k)) for k in range(offset - 8, offset)) else "present"
    if word in ("i", "we", "they", "you", "who") or is_plural(word) or word.endswith("'d"):
        return "past" if (tells_past and not tells_present) or word.endswith("'d") else "present"
    if part == "verb" or word in (".", ",", "?", "!", ";", ":", "-", "to", "not"):
        return "present"
    return "past" if is_content(word) or is_possessive(word) else "present"


def _asked(here: Context, offset: int) -> bool:
    """ "have you read", "has the judge read" """
    return any(here.at(offset - k) in HAVE for k in (1, 2, 3)) and here.at(offset) != "to"


def _inverted(here: Context, offset: int) -> bool:
    """ "did she read", "can you read" """
    return here.at(offset - 1) in INVERTING


def _lead(here: Context) -> str:
    if here.behind in LEAD_THINGS or here.before in ("molten", "toxic") or here.before.startswith("contain"):
        return "metal"
    if here.part() == "verb" or here.before in DETERMINERS:
        return "guide"
    if here.before in BEFORE_METAL and here.near(LEAD_TALK):
        return "metal"
    return "guide"


def _live(here: Context) -> str:
    part = here.part()
    if here.behind in LIVE_THINGS and part != "verb":
        return "adj"
    if here.has_subject() or (part == "verb" and here.before not in OBJECTS):
        return "verb" if here.before not in ("go", "it") else "adj"
    if here.before in BEFORE_LIVE:
        return "adj"
    if here.before in BE or here.before in DETERMINERS or (here.before in OBJECTS and here.at(-2) in ("to", "for")):
        return "adj"
    if here.before in ("and", "or") and here.behind in ("in", "with", "on", "together", "alone"):
        return "verb"
    return "verb" if is_plural(here.before) else "adj"


def _lives(here: Context) -> str:
    singular = is_content(here.before) and not is_plural(here.before) and here.at(-2) in DETERMINERS
    there = here.behind in ("in", "on", "at", "here", "there", "alone", "with", "near", "by", "under", "next", "down")
    if here.part_of_s_form() == "verb" or (there and (singular or here.before in ("he", "she", "it", "who", "still"))):
        return "verb"
    return "noun"


def _wind(here: Context) -> str:
    if here.before == "to" or (here.part() == "verb" and here.before not in ("north", "south", "east", "west")):
        return "turn"
    return "turn" if is_plural(here.before) and here.behind in _WAYS else "air"


def _winds(here: Context) -> str:
    return "turn" if here.behind in _WAYS and here.before not in DETERMINERS and here.part_of_s_form() else "air"


def _wound(here: Context) -> str:
    offset = here.helper()
    if here.at(offset) in HELPERS:
        return "injury"
    if here.has_subject() or here.at(offset) in HAVE:
        return "turned"
    if here.behind in ("up", "around", "down", "through", "round", "its", "tightly") and here.before not in DETERMINERS:
        return "turned"
    return "turned" if here.behind in ("the", "his", "her") and is_content(here.before) else "injury"


def _tear(here: Context) -> str:
    if here.behind in ("gas", "drop", "drops", "ducts", "stained"):
        return "eye"
    if here.part() == "verb" or here.behind in ("apart", "down", "off"):
        return "rip"
    if here.near(CRYING):
        return "eye"
    return "rip" if here.near(TORN_THINGS) else "eye"


def _tears(here: Context) -> str:
    return "rip" if here.part_of_s_form() == "verb" and here.before not in ("into", "in", "of") else "eye"


def _bow(here: Context) -> str:
    if here.near(BOW_WEAPON):
        return "weapon"
    if here.part() == "verb" or here.near(BOW_BEND):
        return "bend"
    return "weapon"


def _close(here: Context) -> str:
    offset = here.helper()
    word = here.at(offset)
    if here.before in ("very", "so", "too", "how", "as", "quite", "pretty", "that", "extremely") or word in BE | SEEM:
        return "near"
    if here.before in DETERMINERS:
        ends = here.behind == "of" or (here.at(-2) in ("to", "a", "at", "by", "until") and not is_content(here.behind))
        return "shut" if ends and here.behind != "to" else "near"
    if here.part() == "verb" and here.behind not in ("to", "by", "enough"):
        return "shut"
    if here.behind in ("to", "by", "enough", "together", "behind"):
        return "shut" if word in ("to", "will", "can", "could", "would", "must") and here.behind != "to" else "near"
    return "shut" if here.behind in ("the", "your", "my", "his", "her", "its", "their", "down") else "near"


def _used(here: Context) -> str:
    if here.behind != "to":
        return "verb"
    helper, after = here.at(here.helper()), here.at(2)
    if helper in SEEM or helper in ("am", "i'm", "getting", "become"):
        return "habit"
    if helper in BE or helper in HAVE or helper.endswith(("'s", "'re")):
        # "was used to open doors" and "was used to the cold", "used to seeing"
        return (
            "habit"
            if after in DETERMINERS | OBJECTS or after.endswith("ing") or after in ("that", ".", ",")
            else "verb"
        )
    return "habit"


def _minute(here: Context) -> str:
    if here.behind in MEASURABLE:
        return "tiny"
    measured = here.before in ("so", "very", "extremely", "too", "almost") or here.before in ("are", "were")
    return "tiny" if measured and not is_content(here.behind) else "time"


def _bass(here: Context) -> str:
    return "fish" if here.near(FISHING) else "music"


def _dove(here: Context) -> str:
    if here.before in DETERMINERS:
        return "bird"
    return "dive" if here.has_subject() or here.behind in DIVES or here.part() == "verb" else "bird"


def _sow(here: Context) -> str:
    return "pig" if here.before in DETERMINERS or here.near(PIGS) else "plant"


def _row(here: Context) -> str:
    return "quarrel" if here.before in ("blazing", "furious", "almighty") or here.behind == "erupted" else "line"


def _invalid(here: Context) -> str:
    if here.behind in KIN:
        return "sick"
    return "sick" if here.part() == "noun" and _phrase_has_article(here) and not is_content(here.behind) else "void"


def _phrase_has_article(here: Context) -> bool:
    return here.before in DETERMINERS or (
        here.at(-2) in DETERMINERS and here.before in ("old", "elderly", "poor", "chronic")
    )


def _entrance(here: Context) -> str:
    carried = here.behind in OBJECTS | {"the", "its", "their", "every", "audiences", "you"}
    return "charm" if here.part() == "verb" and (carried or here.before in ("to", "will")) else "door"


def _does(here: Context) -> str:
    counted = here.before in DEER_COUNTS
    if here.near(DEER) and (counted or here.before in DETERMINERS):
        return "deer"
    return "do"


def _polish(here: Context) -> str:
    """The spoken text keeps the capital of "Polish" (see `EnglishFrontend`); it also begins sentences."""
    written = here.words[here.place]
    opens = here.before in ".?!"
    if written[0] != "P" or (opens and here.behind in DETERMINERS):
        return "shine"
    return "nation"


def _august(here: Context) -> str:
    return "majestic" if here.before in ("an", "most", "this") and here.behind in AUGUST_THINGS else "month"


def _learned(here: Context) -> str:
    return "wise" if here.before in DETERMINERS | {"very", "most"} and here.behind in LEARNED_THINGS else "verb"


def _blessed(here: Context) -> str:
    if here.before in DETERMINERS and (is_content(here.behind) and here.behind not in ("event",)):
        return "holy"
    return "holy" if here.behind in ("virgin", "mother", "sacrament") or here.before == "every" else "verb"


def _aged(here: Context) -> str:
    if here.before == "the" and not is_content(here.behind):
        return "adj"
    return "adj" if here.before in DETERMINERS and here.behind in AGED_PERSONS else "verb"


def _content(here: Context) -> str:
    before = here.at(here.helper())
    if here.behind in ("to", "with") and here.before not in DETERMINERS | PREPOSITIONS and before not in PREPOSITIONS:
        return "adj"
    if before in BE or before in SEEM or here.before == "perfectly":
        return "adj"
    return "noun"


def _number(here: Context) -> str:
    numb = here.behind == "than" and here.at(here.helper()) in BE | SEEM
    return "numb" if numb else "count"


def _putting(here: Context) -> str:
    return "golf" if here.behind in ("green", "greens", "stroke") or here.near(GOLF) else "put"


def _upset(here: Context) -> str:
    if here.before in DETERMINERS or here.at(-2) in ("a", "an", "the", "big", "major"):
        return "noun" if not is_content(here.behind) and not is_adverb(here.before) else "adj"
    return "verb"


def _proceeds(here: Context) -> str:
    if here.before in DETERMINERS or here.behind in ("of", "from", "go", "will", "were", "are", "went"):
        return "noun"
    return "noun" if here.part_of_s_form() == "noun" and here.behind not in ("to", "with", "at") else "verb"


def _resume(here: Context) -> str:
    part = here.part()
    return "noun" if part in ("noun", "adj") and not is_plural(here.before) else "verb"


# By form: what is not here follows the part of speech.
SENSES: dict[str, Sense] = {
    "aged": _aged, "august": _august, "bass": _bass, "blessed": _blessed, "bow": _bow, "close": _close,
    "content": _content, "does": _does, "dove": _dove, "entrance": _entrance, "invalid": _invalid, "lead": _lead,
    "learned": _learned, "live": _live, "lives": _lives, "minute": _minute, "number": _number, "polish": _polish,
    "proceeds": _proceeds, "putting": _putting, "read": _read, "resume": _resume, "row": _row, "sow": _sow,
    "tear": _tear, "tears": _tears, "upset": _upset, "used": _used, "wind": _wind, "winds": _winds, "wound": _wound,
    "produces": lambda here: "verb", "refuses": lambda here: "verb", "perfects": lambda here: "verb",
    "bows": _bow, "doves": lambda here: "bird", "closes": lambda here: "shut", "leads": lambda here: "guide",
    "minutes": lambda here: "time", "wounds": lambda here: "injury", "contents": lambda here: "noun",
    "numbers": lambda here: "count", "sows": lambda here: "plant", "rows": lambda here: "line",
    "proceed": lambda here: "verb", "invalids": lambda here: "sick", "entrances": lambda here: "door",
}  # fmt: skip

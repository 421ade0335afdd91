"""Abbreviations: titles, places, companies, Latin; and initials written with dots."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.rule import SPELL, NumberRule, Rule, kept_dot, one_of, starts_sentence

# Before a name. Never the end of a sentence.
TITLES = {
    "Mr": "mister", "Mrs": "missus", "Ms": "miz", "Mx": "mix", "Messrs": "messieurs", "Dr": "doctor",
    "Prof": "professor", "Gen": "general", "Col": "colonel", "Capt": "captain", "Lt": "lieutenant", "Maj": "major",
    "Sgt": "sergeant", "Cpl": "corporal", "Cmdr": "commander", "Adm": "admiral", "Rev": "reverend",
    "Hon": "honorable", "Pres": "president", "Gov": "governor", "Sen": "senator", "Rep": "representative",
    "Fr": "father", "St": "saint", "Mt": "mount", "Ft": "fort",
}  # fmt: skip
# Behind a name or a street's name; the dot may end the sentence.
AFTER_NAMES = {
    "St": "street", "Ave": "avenue", "Blvd": "boulevard", "Rd": "road", "Ln": "lane", "Hwy": "highway", "Dr": "drive",
    "Sq": "square", "Jr": "junior", "Sr": "senior", "Esq": "esquire", "Inc": "incorporated", "Ltd": "limited",
    "Co": "company", "Corp": "corporation", "Bros": "brothers", "Univ": "university", "Dept": "department",
    "Assn": "association",
}  # fmt: skip
ANYWHERE = {
    "vs": "versus", "etc": "et cetera", "approx": "approximately", "est": "established", "dept": "department",
    "apt": "apartment", "Apt": "apartment", "govt": "government", "misc": "miscellaneous", "incl": "including",
    "tel": "telephone", "ext": "extension", "temp": "temperature", "max": "maximum", "min": "minimum",
    "esp": "especially", "cf": "compare", "viz": "namely", "al": "al", "Vs": "versus", "Etc": "et cetera",
    "Approx": "approximately",
}  # fmt: skip
_MAY_END = frozenset(("etc", "Etc", "al", "max", "min", "dept", "govt", "temp", "apt", "Apt"))
BEFORE_NUMBERS = {
    "No": "number", "no": "number", "Nos": "numbers", "nos": "numbers", "Vol": "volume", "vol": "volume",
    "Fig": "figure", "fig": "figure", "Figs": "figures", "Ch": "chapter", "ch": "chapter", "Sec": "section",
    "sec": "section", "Eq": "equation", "eq": "equation", "p": "page", "pp": "pages", "ca": "about", "c": "about",
    "Art": "article", "art": "article", "Ed": "edition",
}  # fmt: skip
LATIN = {
    "e.g.": "for example",
    "E.g.": "for example",
    "i.e.": "that is",
    "I.e.": "that is",
    "Ph.D.": f"{SPELL}PHD",
    "Ph.D": f"{SPELL}PHD",
    "P.S.": f"{SPELL}PS",
}
WITHOUT_DOT = {"Mr": "mister", "Mrs": "missus", "Ms": "miz", "Dr": "doctor", "vs": "versus"}


def _latin(match: Match[str]) -> str:
    """The reading; the dot of a degree stays where it clearly ends the sentence."""
    ends = match[0] == "Ph.D." and starts_sentence(match.string, match.end())
    return LATIN[match[0]] + ("." if ends else "")


def _after_name(match: Match[str]) -> str:
    return AFTER_NAMES[match[1]] + kept_dot(match)


def _anywhere(match: Match[str]) -> str:
    return ANYWHERE[match[1]] + (kept_dot(match) if match[1] in _MAY_END else "")


def _initials(match: Match[str]) -> str:
    """U.S. → US, spelled out; the dot stays where a sentence clearly ends."""
    letters = match[0].replace(".", "").upper()
    return SPELL + letters + ("." if starts_sentence(match.string, match.end()) else "")


ABBREVIATION_RULES = (
    Rule("Latin", one_of(LATIN) + r"(?!\w)", _latin),
    Rule("title", rf"\b({one_of(TITLES)})\.(?= ?(?:[A-Z]|\"[A-Z])| and (?:Mr|Mrs|Ms|Dr)\.)", lambda m: TITLES[m[1]]),
    Rule("title without dot", rf"\b({one_of(WITHOUT_DOT)})\b(?!\.)(?= [A-Z]|(?<=vs) )", lambda m: WITHOUT_DOT[m[1]]),
    NumberRule("before a number", rf"\b({one_of(BEFORE_NUMBERS)})\. ?(?=\d)", lambda m: BEFORE_NUMBERS[m[1]] + " "),
    Rule("court case", r"(?<=\w )v\.(?= [A-Z])", f"{SPELL}V"),
    Rule("after a name", rf"\b({one_of(AFTER_NAMES)})\.", _after_name),
    Rule("abbreviation", rf"\b(?<!\d)(?<!\d )({one_of(ANYWHERE)})\.", _anywhere),
    Rule("initials", r"(?<![\w.])(?:[A-Za-z]\.){2,}(?!\w)", _initials),
    Rule("initial", r"(?<![\w.'])([A-HJ-Z])\.(?= ?[A-Z])", rf"{SPELL}\1"),
)

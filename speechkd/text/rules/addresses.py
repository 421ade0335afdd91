"""Web and mail addresses."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.files import part_of_address
from speechkd.text.rules.rule import SPELL, Rule

_MARKS = {".": " dot ", "/": " slash ", "-": " dash ", "_": " underscore ", "@": " at ", ":": " colon ", "?": " ",
          "=": " equals ", "&": " and ", "#": " hash ", "%": " percent ", "+": " plus ", "~": " tilde "}  # fmt: skip
_TOP = "com|org|net|edu|gov|io|ai|co|uk|de|fr|info|eu|ca|us|dev|app|me|tv|ly"


def _address(match: Match[str]) -> str:
    name = match[1].removeprefix("www.")
    spoken = "".join(_MARKS.get(char, char) for char in name.rstrip("/").lower())
    www = f"{SPELL}WWW dot " if name != match[1] else ""
    possessive = match.string.startswith("'s", match.end())
    return f" {www}{' '.join(map(part_of_address, spoken.split()))}{'' if possessive else ' '}"


ADDRESS_RULES = (
    Rule("web address", r"https?://([\w.-]+(?:[/:?#][\w./%?=&#~+:-]*[\w/])?)", _address),
    Rule(
        "mail address",
        r"(?<![\w.@+-])([A-Za-z0-9_+-]{1,64}(?:\.[A-Za-z0-9_+-]{1,64}){0,8}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8})",
        _address,
    ),
    Rule(
        "web site",
        rf"(?<![\w@.-])((?:www\.)?(?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}(?:{_TOP})(?:/[\w./-]*\w)?)(?![\w@-])",
        _address,
    ),
)

"""Names of files, folders and machines: report.pdf, /usr/bin, C:\\Users, localhost:8080."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.numbers import pairs
from speechkd.text.rules.rule import SPELL, NumberRule, Rule, one_of

# Endings that are said letter by letter, and those that are said as words.
_SPELLED = "pdf txt html htm xml csv tsv png svg css php js ts md exe dll ini cfg gz bz tgz sql rtf db apk dmg".split()
_SAID = {"jpg": "jpeg", "jpeg": "jpeg", "gif": "gif", "py": "py", "zip": "zip", "doc": "doc", "docx": f"doc {SPELL}X",
         "xls": f"{SPELL}XLS", "xlsx": f"{SPELL}XLSX", "ppt": f"{SPELL}PPT", "json": "jason", "tar": "tar",
         "wav": "wave", "mp3": f"{SPELL}MP three", "mp4": f"{SPELL}MP four", "log": "log", "yaml": "yamel",
         "yml": "yamel", "bat": "bat", "mov": f"{SPELL}MOV", "toml": "tommel", "iso": f"{SPELL}ISO", "sh": f"{SPELL}SH",
         "flac": "flack", "ogg": "og", "avi": f"{SPELL}AVI"}  # fmt: skip
ENDINGS = _SAID | {ending: f"{SPELL}{ending.upper()}" for ending in _SPELLED}
_SPELLED_PARTS = frozenset("usr src tmp etc lib32 faq id uk io ip api cv rss pdf html php asp cgi".split()) - {"etc"}


def part_of_address(part: str) -> str:
    """A part of a path or an address: known abbreviations are spelled."""
    return f"{SPELL}{part.upper()}" if part.lower() in _SPELLED_PARTS else part


def _file(match: Match[str]) -> str:
    name, *endings = match[0].split(".")
    return " dot ".join([name.replace("_", " ").replace("-", " "), *(ENDINGS[e.lower()] for e in endings)])


def _path(match: Match[str]) -> str:
    return "".join(f" slash {part_of_address(part)}" for part in match[0].strip("/").split("/")) + " "


def _drive(match: Match[str]) -> str:
    parts = [part for part in match[2].split("\\") if part]
    return f"{SPELL}{match[1]} colon" + "".join(f" backslash {part}" for part in parts)


def _port(match: Match[str]) -> str:
    return f"{match[1]} colon {pairs(match[2])}"


_ENDING = rf"\.{one_of(ENDINGS)}"
FILE_RULES = (
    Rule("drive", r"\b([A-Z]):\\((?:[\w.-]{1,64}\\?){0,16})", _drive),
    NumberRule("port", r"\b(localhost):(\d{2,5})\b", _port),
    Rule("path", r"(?<![\w/.<>:-])/(?:[A-Za-z][\w-]{0,63}/){1,16}(?:[A-Za-z][\w-]{0,63})?(?![\w/])", _path),
    Rule("file", rf"(?<![\w.@/-])[A-Za-z0-9][\w-]{{0,63}}(?:{_ENDING}){{1,3}}(?![\w@-]|\.\w)", _file),
    Rule("ending", rf"(?<![\w.]){_ENDING}(?![\w@-])", lambda m: f" dot {ENDINGS[m[0][1:].lower()]}"),
)

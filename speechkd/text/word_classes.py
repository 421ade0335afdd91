"""Small lists of English words by what they do in a sentence: enough to see where a noun or a verb must stand."""

from __future__ import annotations

DETERMINERS = frozenset(
    "a an the this these those my your his her its our their whose some any no every each another either neither "
    "several many few both one two three four five six seven eight nine ten hundred thousand million first second "
    "third last next other such what much more most fewer less enough own same".split()
)
PREPOSITIONS = frozenset(
    "of in on at by for with from into onto about against under over between among through during without within "
    "across behind beyond beside near off per like despite toward towards upon via than as after before since until "
    "inside outside above below around".split()
)
SUBJECTS = frozenset("i you we they who he she it everyone everybody nobody somebody someone".split())
SINGULAR_SUBJECTS = frozenset("he she it this that everyone everybody nobody somebody someone which".split())
OBJECTS = frozenset("me him us them it you her myself yourself himself herself itself themselves ourselves".split())
MODALS = frozenset(
    "can could will would shall should may might must do did don't doesn't didn't won't can't cannot couldn't wouldn't "
    "shouldn't mustn't let's please gonna wanna better".split()
)
BE = frozenset("am is are was were be been being isn't aren't wasn't weren't ain't i'm you're we're they're".split())
SEEM = frozenset("seem seems seemed feel feels felt look looks looked remain remains remained become becomes became "
                 "get gets got getting stay stays stayed grow grew sound sounds sounded".split())  # fmt: skip
HAVE = frozenset("have has had having haven't hasn't hadn't i've you've we've they've who've".split())
# Words that may stand between a helper and its verb.
ADVERBS = frozenset(
    "not never always often sometimes usually seldom rarely already just still even also only ever really soon now "
    "then again quite very too so rather almost both all either".split()
)
CONJUNCTIONS = frozenset("and or but nor".split())
CLAUSE_OPENERS = frozenset("that which who if when while because although though whether where how why".split())
# Behind these a bare verb follows an object: "let him record".
CAUSATIVES = frozenset("let lets letting make makes made help helps helped see saw watch watched hear heard have had "
                       "has".split())  # fmt: skip
PLURALS_WITHOUT_S = frozenset("people men women children police feet teeth mice cattle geese alumni media data".split())
# Verbs that end like plurals of nouns, and other words in -s that are no plurals.
NO_PLURALS = frozenset("is was has does this his its us yes always perhaps news plus thus gas bus as less "
                       "business process success access across press class loss gets takes makes comes goes says "
                       "gives wants needs holds keeps".split())  # fmt: skip
PAST_VERBS = frozenset(
    "was were had did said went came took saw made got gave found thought told became left felt put brought began kept "
    "held wrote stood heard let meant met ran paid sat spoke lay led grew lost fell sent built understood broke spent "
    "cut rose drove bought wore chose slept ate drank drew threw caught taught won knew sang flew woke hid shook "
    "died".split()
)
PAST_TIMES = frozenset("yesterday ago last previously once earlier".split())
PRESENT_TIMES = frozenset("usually often always every nowadays rarely seldom today these".split())
_ADJECTIVES = frozenset(
    "new old good bad big small large great long short high low early late young hot cold full free little best worst "
    "main major minor rare poor rich real true sharp strong weak fresh deep dark bright red blue white black green "
    "public private local national federal foreign daily weekly monthly annual criminal medical final recent current "
    "former future top key huge clear easy hard happy sad strange slight steep heavy light modest game-winning proud "
    "prime direct".split()
)
_ADJECTIVE_ENDINGS = ("ive", "ous", "ful", "less", "able", "ible", "ical", "onal", "ish", "est", "ary")


def is_adjective(word: str) -> bool:
    """Whether the word is a common adjective or looks like one."""
    return word in _ADJECTIVES or (len(word) > 5 and word.endswith(_ADJECTIVE_ENDINGS))


def is_adverb(word: str) -> bool:
    """Whether the word may be skipped between a helper and its verb."""
    return word in ADVERBS or (len(word) > 4 and word.endswith("ly") and word not in ("family", "supply", "reply"))


def is_plural(word: str) -> bool:
    """Whether the word looks like a noun in the plural."""
    if word in PLURALS_WITHOUT_S:
        return True
    return (
        len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and word not in NO_PLURALS
    )


def is_past(word: str) -> bool:
    """Whether the word is, or looks like, a verb in the past."""
    return word in PAST_VERBS or (len(word) > 4 and word.endswith("ed") and word not in ("need", "indeed", "hundred"))


def is_possessive(word: str) -> bool:
    """Whether the word is an owner: "john's", "dogs'", and no "it's" (it is)."""
    owner, apostrophe, ending = word.partition("'")
    contracted = SUBJECTS | CLAUSE_OPENERS | {"that", "there", "here", "what", "let"}
    return bool(apostrophe) and ending in ("s", "") and owner not in contracted


def is_content(word: str) -> bool:
    """Whether the word is neither a mark nor one of the small words above."""
    return word[:1].isalpha() and not (
        word in DETERMINERS or word in PREPOSITIONS or word in SUBJECTS or word in OBJECTS or word in MODALS
        or word in BE or word in HAVE or word in CONJUNCTIONS or word in CLAUSE_OPENERS
        or word in ("to", "not", "there") or "'" in word
    )  # fmt: skip

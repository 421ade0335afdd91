"""How often the held-out words come out right: the packed network beside the letter rules and the word builder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from recipes.tts.g2p.dictionary import Dictionary
from recipes.tts.g2p.errors import ErrorCount
from recipes.tts.g2p.letter_rules import letters_to_phones
from recipes.tts.g2p.normaliser import score_normaliser
from recipes.tts.g2p.speed import measured_speeds
from speechkd.runner import Context
from speechkd.text import cmu_lexicon, is_vowel
from speechkd.text.g2p import SHIPPED, G2p
from speechkd.text.morphology import CLITICS, derive
from speechkd.text.pronounce import spell

Phones = tuple[str, ...]
Said = Mapping[str, Phones]

NETWORK, RULES, CHAIN = "network", "letter rules", "morphology, then network"
# What is taken off the end of a word to find its family; roughly what English inflects and derives with.
_ENDING = re.compile(r"(?<=...)('s|s'|'|ings?|ed|ers?|e?s|ly|y|e|ies?|ness|less|able|ment)$")


def run(cfg: Any, ctx: Context) -> None:
    """Write `scores`: scores.json, words.tsv with what each system said; and `timing`: the speeds, side by side."""
    dictionary = Dictionary.read(ctx.input("dictionary"))
    words = dictionary.splits["test"]
    path = ctx.input("packed") / SHIPPED.name
    g2p = G2p.load(path)
    systems: dict[str, Said] = {
        NETWORK: {word: phones or spelled(word) for word, phones in zip(words, g2p.say(words), strict=True)},
        RULES: {word: by_rules(word) for word in words},
    }
    built = {word: phones for word in words if (phones := built_from_others(word))}
    systems[CHAIN] = {**systems[NETWORK], **built}
    scores = {
        "words": len(words),
        "weights_bytes": path.stat().st_size,
        "systems": {name: measured(said, dictionary) for name, said in systems.items()},
        "built": {name: _accuracy(said, dictionary, sorted(built)) for name, said in systems.items()},
        "normaliser": score_normaliser(),
    }
    out = ctx.output("scores")
    (out / "scores.json").write_text(json.dumps(scores, indent=1, sort_keys=True), encoding="utf-8")
    _write_words(out / "words.tsv", systems, dictionary)
    timing = measured_speeds(cfg, ctx.input("tagged"), g2p, words[: cfg.score.speed_words], by_rules)
    (ctx.output("timing") / "timing.json").write_text(json.dumps(timing, indent=1, sort_keys=True), encoding="utf-8")


def measured(said: Said, dictionary: Dictionary) -> dict[str, Any]:
    """Errors of the test words, with and without stress, against any listed pronunciation and the first one."""
    strange = unfamiliar(dictionary)
    return {
        "any": _accuracy(said, dictionary, list(said)),
        "any_stress": _accuracy(said, dictionary, list(said), stress=True),
        "first": _accuracy(said, dictionary, list(said), first=True),
        "first_stress": _accuracy(said, dictionary, list(said), first=True, stress=True),
        "unfamiliar": _accuracy(said, dictionary, strange),
    }


def _accuracy(
    said: Said, dictionary: Dictionary, words: Sequence[str], *, stress: bool = False, first: bool = False
) -> dict[str, float]:
    count = ErrorCount(stress)
    for word in words:
        count.add(said[word], dictionary.words[word][:1] if first else dictionary.words[word])
    return {"words": count.words, "phone_error": count.phone_error, "word_accuracy": 1.0 - count.word_error}


def unfamiliar(dictionary: Dictionary) -> list[str]:
    """The test words of whose family (the word without its endings) no word was trained on."""
    known = {family(word) for word in dictionary.splits["train"]}
    return [word for word in dictionary.splits["test"] if family(word) not in known]


def family(word: str) -> str:
    """A word without its endings, down to three letters, and without a doubled last letter."""
    before = ""
    while word != before:
        before, word = word, _ENDING.sub("", word)
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def by_rules(word: str) -> Phones:
    """What the letter rules say; a word without a vowel letter is spelled."""
    stem, apostrophe, ending = word.strip("'").partition("'")
    if apostrophe and stem and ending in CLITICS:
        return CLITICS[ending](by_rules(stem))
    letters = word.replace("'", "")
    return letters_to_phones(letters) if re.search("[aeiouy]", letters) else spell(letters)


def spelled(word: str) -> Phones:
    """The names of a word's letters."""
    return spell(word.replace("'", ""))


def built_from_others(word: str) -> Phones | None:
    """The word built from other words of the dictionary, as for a word that is not listed."""

    def lookup(other: str) -> Phones | None:
        variants = cmu_lexicon().variants(other) if other != word else ()
        return variants[0] if variants and any(map(is_vowel, variants[0])) else None

    return derive(word, lookup)


def _write_words(path: Any, systems: Mapping[str, Said], dictionary: Dictionary) -> None:
    lines = ["\t".join(["word", "listed", *systems])]
    for word in dictionary.splits["test"]:
        listed = " | ".join(map(" ".join, dictionary.words[word]))
        lines.append("\t".join([word, listed, *(" ".join(said[word]) for said in systems.values())]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

"""Forced alignment of synthetic speech against the word starts that the synthesiser itself reports."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipes.tts.common.corpora.mini import MARGIN_S, mini_sentences, speak_tokens, spoken_alignment, with_margins
from speechkd.align import PocketsphinxOptions, make_aligner, read_textgrid, token_durations
from speechkd.align.compare import compare_pairs
from speechkd.align.compare_boundaries import phone_boundaries, shared_phones
from speechkd.align.pocketsphinx import PocketsphinxAligner
from speechkd.align.respell import respelled
from speechkd.audio.espeak import EspeakVoice
from speechkd.audio.io import read_audio
from speechkd.errors import DataError
from speechkd.text import EnglishFrontend
from speechkd.text.tokens import Word, lay_out

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")

PHONES = ["DH", "AH0", "K", "W", "IH1", "K", "B", "R", "AW1", "N", "F", "AA1", "K", "S", "JH", "AH1", "M", "P", "S"]


def mean_error_s(options: PocketsphinxOptions, sentences: slice) -> tuple[float, float, int]:
    """Mean size of the errors at phones of the mini corpus, their share over 50 ms, and their number."""
    frontend, voice = EnglishFrontend(), EspeakVoice()
    errors: list[float] = []
    for sentence in mini_sentences()[sentences]:
        tokens = frontend.tokens(sentence)
        spoken = with_margins(speak_tokens(voice, tokens), MARGIN_S)
        truth = spoken_alignment(spoken)
        found = make_aligner(options).align(spoken.samples, spoken.sample_rate, tokens)
        errors += [each.error_s for each in phone_boundaries(truth, found, shared_phones(truth, found))]
    size = np.abs(errors)
    return float(size.mean()), float((size > 0.05).mean()), len(errors)


def test_refined_boundaries_are_nearer_to_a_synthesisers_own() -> None:
    """espeak-ng's voice was not among those that the network learned from."""
    before_s, before_far, n_before = mean_error_s(PocketsphinxOptions(refine=False), slice(0, 12))
    after_s, after_far, n_after = mean_error_s(PocketsphinxOptions(), slice(0, 12))
    assert n_before > 250 and n_after > 250
    assert after_s < before_s and after_far <= before_far + 0.01
    assert after_s < 0.025


def test_words_start_where_the_synthesiser_says(fox: Any) -> None:
    (samples, rate, starts), tokens = fox
    alignment = make_aligner(PocketsphinxOptions()).align(samples, rate, tokens)
    assert [word.label for word in alignment.words] == ["the", "quick", "brown", "fox", "jumps"]
    errors = [abs(word.start_s - start) for word, start in zip(alignment.words, starts, strict=True)]
    assert max(errors) < 0.06 and np.median(errors) < 0.02


SAID = [
    ("either", "IY1 DH ER0", "AY1 DH ER0"),
    ("tomato", "T AH0 M EY1 T OW2", "T AH0 M AA1 T OW2"),
    ("data", "D EY1 T AH0", "D AE1 T AH0"),
]


@pytest.mark.parametrize("spoken", [0, 1])
def test_the_variant_that_is_heard_is_chosen(spoken: int) -> None:
    words = [(text, tuple(pair[spoken].split())) for text, *pair in SAID]
    speech = with_margins(EspeakVoice().speak_words(words, ["|", "|", "."]), MARGIN_S)
    listed = [Word(text, tuple(a.split()), "lexicon", (tuple(b.split()),)) for text, a, b in SAID]
    tokens = lay_out(listed, ["|", "|", "."])
    alignment = make_aligner(PocketsphinxOptions()).align(speech.samples, speech.sample_rate, tokens)
    said = respelled(tokens, alignment)
    assert [word.phones for word in said.words] == [phones for _, phones in words]
    assert [phone.label for phone in alignment.spoken_phones()] == [phone for _, phones in words for phone in phones]
    n_frames = len(speech.samples) // 256
    assert token_durations(alignment, said, n_frames, 256 / speech.sample_rate).sum() == n_frames


def test_a_word_that_no_dictionary_has(make_tokens: Any) -> None:
    words = [("blorptangle", ("B", "L", "AO1", "R", "P", "T", "AE2", "NG", "G", "AH0", "L"))]
    speech = with_margins(EspeakVoice().speak_words(words, ["."]), MARGIN_S)
    tokens = make_tokens([(text, " ".join(phones)) for text, phones in words])
    (word,) = make_aligner(PocketsphinxOptions()).align(speech.samples, speech.sample_rate, tokens).words
    assert word.start_s == pytest.approx(MARGIN_S, abs=0.04)
    assert word.end_s == pytest.approx(speech.duration_s - MARGIN_S, abs=0.08)


def test_noise_moves_words_little(fox: Any) -> None:
    (samples, rate, starts), tokens = fox
    level = float(np.sqrt(np.mean(np.square(samples)))) * 10 ** (-15 / 20)
    noise = np.random.default_rng(0).normal(0, level, len(samples)).astype(np.float32)
    noisy = make_aligner(PocketsphinxOptions()).align(samples + noise, rate, tokens)
    errors = [abs(word.start_s - start) for word, start in zip(noisy.words, starts, strict=True)]
    assert np.median(errors) < 0.03 and list(noisy.problems()) == []


def test_a_text_that_was_not_said_is_refused(fox: Any) -> None:
    (samples, rate, _), tokens = fox
    assert make_aligner(PocketsphinxOptions()).align(samples, rate, tokens).note == ""
    other = EnglishFrontend().tokens("Seven voyages over there?")
    with pytest.raises(DataError, match="Cannot align: the sound fits the text badly .* Check that the text"):
        make_aligner(PocketsphinxOptions()).align(samples, rate, other)
    accepted = make_aligner(PocketsphinxOptions(min_fit=-20)).align(samples, rate, other)
    assert "fits the text badly" in accepted.note


def test_what_only_the_widest_search_finds_is_noted(fox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (samples, rate, _), tokens = fox
    aligner = PocketsphinxAligner(PocketsphinxOptions())
    usual = aligner.align(samples, rate, tokens)
    tries: list[tuple[bool, int]] = []
    finder = aligner._finder

    def failing(wide: bool) -> Any:
        real = finder(wide)

        class Finder:
            def find(self, words: Any, pcm: bytes, with_phones: bool) -> Any:
                tries.append((wide, max(len(each) for each in words)))
                if len(tries) < 3:
                    raise LookupError("no path")
                return real.find(words, pcm, with_phones)

        return Finder()

    monkeypatch.setattr(aligner, "_finder", failing)
    doubled = lay_out([replace(word, variants=(("AA1",),)) for word in tokens.words], ["|"] * len(tokens.words))
    found = aligner.align(samples, rate, doubled)
    assert tries == [(False, 2), (True, 2), (True, 1)]
    assert found.note == "found with the widest beams and without variants only"
    assert found.words == usual.words


def test_phones_are_the_tokens_own_and_cover_the_recording(fox: Any) -> None:
    (samples, rate, _), tokens = fox
    alignment = make_aligner(PocketsphinxOptions()).align(samples, rate, tokens)
    assert list(alignment.problems()) == []
    assert [phone.label for phone in alignment.spoken_phones()] == PHONES
    assert alignment.phones[0].start_s == 0 and alignment.phones[-1].end_s == len(samples) / rate
    assert all(a.end_s == b.start_s for a, b in zip(alignment.phones, alignment.phones[1:], strict=False))
    durations = token_durations(alignment, tokens, len(samples) // 256, 256 / rate)
    assert durations.sum() == len(samples) // 256 and (durations[1:-1:1] >= 0).all()


def test_a_pause_becomes_silence_between_its_words(fox: Any) -> None:
    (samples, rate, starts), tokens = fox
    cut, pause_s = int(starts[3] * rate), 0.4
    noise = np.random.default_rng(0).normal(0, 1e-4, int(pause_s * rate)).astype(np.float32)
    paused = np.concatenate([samples[:cut], noise, samples[cut:]])
    alignment = make_aligner(PocketsphinxOptions()).align(paused, rate, tokens)
    gap = alignment.words[3].start_s - alignment.words[2].end_s
    assert gap == pytest.approx(pause_s, abs=0.1)
    durations = token_durations(alignment, tokens, len(paused) // 256, 256 / rate)
    third_pause = [i for i, word in enumerate(tokens.word_index) if word < 0][3]
    assert durations[third_pause] * 256 / rate == pytest.approx(gap, abs=256 / rate)


def test_level_and_history_of_the_decoder_do_not_matter(fox: Any) -> None:
    (samples, rate, _), tokens = fox
    aligner = make_aligner(PocketsphinxOptions())
    first = aligner.align(samples, rate, tokens)
    with contextlib.suppress(DataError):
        aligner.align(samples[::-1].copy(), rate, tokens)
    assert aligner.align(samples * np.float32(0.25), rate, tokens) == first


def test_offset_moves_inner_boundaries_only(fox: Any) -> None:
    (samples, rate, _), tokens = fox
    plain = make_aligner(PocketsphinxOptions(offset_s=0.0)).align(samples, rate, tokens)
    moved = make_aligner(PocketsphinxOptions(offset_s=0.015)).align(samples, rate, tokens)
    inner = [(b.start_s - a.start_s) for a, b in zip(plain.phones[1:], moved.phones[1:], strict=True)]
    assert inner == pytest.approx([0.015] * len(inner), abs=1e-6)
    assert moved.phones[0].start_s == 0 and moved.duration_s == plain.duration_s


def test_what_cannot_be_aligned_is_a_data_error_with_the_reason(fox: Any, make_tokens: Any) -> None:
    (samples, rate, _), tokens = fox
    aligner = make_aligner(PocketsphinxOptions())
    with pytest.raises(DataError, match="clip7: Cannot align: 0.20 s cannot hold 19 phones"):
        aligner.align(samples[: rate // 5], rate, tokens, utterance_id="clip7")
    with pytest.raises(DataError, match="silent"):
        aligner.align(np.zeros(rate, np.float32), rate, tokens)
    with pytest.raises(DataError, match="NaN"):
        aligner.align(np.full(rate, np.nan, np.float32), rate, tokens)
    with pytest.raises(DataError, match="not in its model"):
        aligner.align(samples, rate, make_tokens([("x", "QQ1")]))
    assert aligner.align(samples, rate, tokens).words  # still sound after the failures


def test_decoder_is_kept_per_process() -> None:
    assert make_aligner(PocketsphinxOptions()) is make_aligner(PocketsphinxOptions())


def test_real_speech(shared_data: Any) -> None:
    """Every tenth clip of the half that nothing was calibrated with, against MFA."""
    folder: Path = shared_data("data/speech/ljspeech300")
    rows = [line.split("|") for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    texts = {row[0]: row[2] for row in sorted(rows)}
    frontend, aligner = EnglishFrontend(), make_aligner(PocketsphinxOptions())
    triples = []
    for name in list(texts)[1::20]:
        audio = read_audio(folder / "wavs" / f"{name}.flac")
        found = aligner.align(audio.samples, audio.sample_rate, frontend.tokens(texts[name]))
        triples.append((name, read_textgrid(folder / "TextGrid" / f"{name}.TextGrid"), found))
    compared = compare_pairs(triples)
    assert compared.utterances == 15 and compared.phones is not None
    assert compared.both.mean_ms < 18 and compared.phones.mean_ms < 13
    assert compared.both.within_50_ms > 0.93 and abs(compared.phones.bias_ms) < 4

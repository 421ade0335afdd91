"""Forced alignment of synthetic speech against the word starts that the synthesiser itself reports."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechkd.align import PocketsphinxOptions, make_aligner, token_durations
from speechkd.errors import DataError

pytest.importorskip("pocketsphinx")

PHONES = ["DH", "AH0", "K", "W", "IH1", "K", "B", "R", "AW1", "N", "F", "AA1", "K", "S", "JH", "AH1", "M", "P", "S"]


def test_words_start_where_the_synthesiser_says(fox: Any) -> None:
    (samples, rate, starts), tokens = fox
    alignment = make_aligner(PocketsphinxOptions()).align(samples, rate, tokens)
    assert [word.label for word in alignment.words] == ["the", "quick", "brown", "fox", "jumps"]
    errors = [abs(word.start_s - start) for word, start in zip(alignment.words, starts, strict=True)]
    assert max(errors) < 0.08 and np.median(errors) < 0.05


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
    """Ten LJSpeech clips against MFA, with MFA's pronunciations, at half the precision measured on all of them."""
    from speechkd.align import read_textgrid
    from speechkd.audio.io import read_audio
    from speechkd.text.tokens import Word, lay_out

    folder: Path = shared_data("data/speech/ljspeech300")
    errors: list[float] = []
    for path in sorted((folder / "TextGrid").glob("*.TextGrid"))[:12]:
        given = read_textgrid(path)
        spoken = given.spoken_phones()
        if any(phone.label == "spn" for phone in spoken):
            continue
        words = [
            Word(w.label, tuple(p.label for p in spoken if w.start_s - 1e-3 < p.start_s < w.end_s - 1e-3), "mfa")
            for w in given.words
        ]
        audio = read_audio(folder / "wavs" / f"{path.stem}.flac")
        tokens = lay_out(words, ["|"] * len(words))
        found = make_aligner(PocketsphinxOptions()).align(audio.samples, audio.sample_rate, tokens)
        errors += [b.start_s - a.start_s for a, b in zip(given.words, found.words, strict=True)]
    assert np.mean(np.abs(errors)) < 0.035 and abs(np.mean(errors)) < 0.012

"""Pieces of speech, changes of single words and phones, effort and loudness."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.errors import UsageError
from speechkd.synthesis import Voice, load_voice
from speechkd.synthesis.controls import CONTROL_NAMES, RANGES, Controls
from speechkd.synthesis.find import shipped_voices
from speechkd.synthesis.loudness import limited
from speechkd.synthesis.speech import join
from speechkd.synthesis.utterance import LineSpeaker
from speechkd.text.script import FIRST_TOKENS, Line, Prosody
from tests.synthesis.standin import STAND_INS, StandIn, StandInConfig, pack
from tests.synthesis.tiny import pack_kind

TEXT = "The rain had stopped by the time they reached the old bridge. Nobody spoke; they walked on."


@pytest.fixture(scope="module")
def voice() -> Voice:
    (shipped,) = shipped_voices()
    return load_voice(shipped.folder)


def test_the_pieces_of_a_stream_are_the_whole(voice: Voice) -> None:
    for controls in ({}, {"speed": 1.5, "pitch": -4.0, "energy": 1.4, "volume": 0.5}):
        whole, pieces = voice.synthesize(TEXT, **controls), list(voice.stream(TEXT, **controls))
        assert len(pieces) >= 3, "the first line comes in two"
        assert len(pieces[0].samples) == 35 * 256
        np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), whole.samples)
        joined = join(pieces)
        assert joined.phones == whole.phones and joined.words == whole.words


def test_words_and_phones_tile_the_sound_through_its_pieces(voice: Voice) -> None:
    speech = voice.synthesize(TEXT)
    assert [word.text for word in speech.words] == TEXT.lower().replace(".", "").replace(";", "").split()
    ends = [phone.end_s for phone in speech.phones]
    assert [phone.start_s for phone in speech.phones][1:] == pytest.approx(ends[:-1])
    assert ends[-1] == pytest.approx(speech.duration_s)


def test_an_early_piece_sounds_as_the_line_in_one(voice: Voice) -> None:
    """The two halves are made by two calls of the vocoder: the seam must not be heard, at any pitch."""
    (tokens,) = voice.sentences("The birch canoe slid on the smooth planks.")
    speaker = LineSpeaker("x", voice.engine, voice._preset, voice.numbers)
    for pitch in (0.0, 5.0):
        in_one, in_two = (
            join(list(speaker.pieces(Line(tokens), 0, Controls(pitch=pitch), early=early))) for early in (False, True)
        )
        np.testing.assert_allclose(in_two.samples, in_one.samples, atol=2e-3)
        for one, two in zip(in_one.phones, in_two.phones, strict=True):
            assert (two.text, two.start_s) == (one.text, pytest.approx(one.start_s))


def test_what_is_wrong_is_said_before_the_first_piece(voice: Voice) -> None:
    with pytest.raises(UsageError, match="speed is 9"):
        voice.stream("Hello.", speed=9.0)
    with pytest.raises(UsageError, match="nothing to speak"):
        voice.stream("...")


def test_the_first_line_of_a_long_sentence_is_short(voice: Voice) -> None:
    lines = voice.sentences(" and ".join(["they walked along the river"] * 20) + ".")
    assert len(lines[0]) <= FIRST_TOKENS < len(lines[1])


def test_a_word_has_a_rate_a_pitch_and_a_volume_of_its_own(voice: Voice) -> None:
    (tokens,) = voice.sentences("We never said that.")
    speaker = LineSpeaker("x", voice.engine, voice._preset, voice.numbers)

    def said(prosody: Prosody) -> object:
        each = tuple(prosody if word.text == "never" else Prosody() for word in tokens.words)
        (speech,) = speaker.pieces(Line(tokens, each), 0, Controls())
        return speech

    plain, slow, loud, high = map(said, (Prosody(), Prosody(rate=0.5), Prosody(volume=0.2), Prosody(pitch=7.0)))
    lengths = [[word.end_s - word.start_s for word in speech.words] for speech in (plain, slow)]
    assert lengths[1][1] == pytest.approx(2 * lengths[0][1], rel=0.07)
    assert lengths[1][3] == pytest.approx(lengths[0][3], abs=0.03)

    def power(speech: object, word: int) -> float:
        start, end = (round(at * speech.sample_rate) for at in (speech.words[word].start_s, speech.words[word].end_s))
        return float(np.square(speech.samples[start:end]).mean())

    assert power(loud, 1) < 0.1 * power(plain, 1)
    assert power(loud, 3) == pytest.approx(power(plain, 3), rel=0.05)
    assert len(high.samples) == len(plain.samples)
    start = round(high.words[1].start_s * high.sample_rate)
    end = round(high.words[1].end_s * high.sample_rate)
    assert np.abs(high.samples - plain.samples)[start:end].mean() > 0.02


def test_a_phone_is_drawn_out_and_counted_through_the_lines(voice: Voice) -> None:
    plain = [phone for phone in voice.synthesize(TEXT).phones if phone.text]
    place = len(plain) - 2
    changed = [
        phone for phone in join(list(voice.say(TEXT, Controls(), {place: Prosody(rate=0.25)}))).phones if phone.text
    ]
    length = plain[place].end_s - plain[place].start_s
    assert changed[place].end_s - changed[place].start_s == pytest.approx(4 * length, abs=0.025)
    assert changed[3] == plain[3]
    with pytest.raises(UsageError, match="phone 999 cannot be changed: the text has"):
        list(voice.say(TEXT, Controls(), {999: Prosody()}))


def test_a_vocoder_that_keeps_its_pitch_refuses_that_of_a_word(tmp_path) -> None:
    pack_kind("frames", tmp_path / "voice")
    voice = load_voice(tmp_path / "voice")
    (tokens,) = voice.sentences("Yes, it rained.")
    speaker = LineSpeaker("tiny", voice.engine, voice._preset, voice.numbers)
    high = tuple(Prosody(pitch=2.0) for _ in tokens.words)
    whole = list(speaker.pieces(Line(tokens, high), 0, Controls(), early=True))
    asked = list(speaker.pieces(Line(tokens), 0, Controls(pitch=2.0)))
    np.testing.assert_array_equal(join(whole).samples, join(asked).samples)
    with pytest.raises(UsageError, match="no pitch of single words"):
        list(speaker.pieces(Line(tokens, (Prosody(pitch=2.0), *high[1:-1], Prosody())), 0, Controls()))


def test_a_model_that_finds_its_own_lengths_refuses_the_rate_of_a_word(tmp_path) -> None:
    pack(tmp_path / "voice", acoustic=StandIn(StandInConfig(controls=("pitch",))))
    voice = load_voice(tmp_path / "voice", STAND_INS)
    with pytest.raises(UsageError, match="no rate of single words"):
        voice.synthesize('<speak>It <prosody rate="50%">did</prosody>.</speak>', ssml=True)
    assert voice.synthesize('<speak>It <prosody volume="50%">did</prosody>.</speak>', ssml=True).duration_s > 0


def test_a_silence_at_the_start_changes_nothing_that_is_drawn(tmp_path) -> None:
    pack(tmp_path / "voice")  # with Griffin-Lim, which begins with phases drawn by chance
    voice = load_voice(tmp_path / "voice", STAND_INS)
    plain = voice.synthesize("<speak>Did it?</speak>", ssml=True, seed=3).samples
    later = voice.synthesize('<speak><break time="100ms"/>Did it?</speak>', ssml=True, seed=3).samples
    np.testing.assert_array_equal(later[2205:], plain)


def test_a_pause_follows_a_line_and_only_an_exact_one_is_left_alone(voice: Voice) -> None:
    (tokens,) = voice.sentences("Yes.")
    speaker = LineSpeaker("x", voice.engine, voice._preset, voice.numbers)

    def silence(line: Line) -> int:
        pieces = list(speaker.pieces(line, 0, Controls(pauses=2.0)))
        return len(pieces[1].samples) if len(pieces) > 1 else 0

    assert silence(Line(tokens)) == 0
    assert silence(Line(tokens, pause_s=0.1)) == 4410
    assert silence(Line(tokens, pause_s=0.1, exact_pause=True)) == 2205


def test_marks_stand_where_their_word_begins(voice: Voice) -> None:
    (tokens,) = voice.sentences("We never said that.")
    speaker = LineSpeaker("x", voice.engine, voice._preset, voice.numbers)
    (speech,) = speaker.pieces(Line(tokens, marks=(("here", 1), ("end", 4))), 0, Controls())
    here, end = speech.marks
    assert (here.text, here.start_s, here.end_s) == ("here", speech.words[1].start_s, speech.words[1].start_s)
    assert end.start_s == pytest.approx(speech.duration_s)
    assert speech.times()["marks"][0] == {"name": "here", "at_s": round(here.start_s, 4)}


def test_loud_samples_are_bent_and_never_clip() -> None:
    ramp = np.linspace(-5, 5, 10001, dtype=np.float32)
    bent = limited(ramp)
    assert np.abs(bent).max() <= 1.0 and np.all(np.diff(bent) >= 0)
    quiet = np.abs(ramp) <= 0.8
    np.testing.assert_array_equal(bent[quiet], ramp[quiet])
    assert np.abs(np.diff(bent)).max() <= 1.01 * np.abs(np.diff(ramp)).max()


def test_effort_is_heard_in_the_high_bands(voice: Voice) -> None:
    def tilt(energy: float) -> float:
        samples = voice.synthesize("The birch canoe slid on the smooth planks.", energy=energy).samples
        power = np.abs(np.fft.rfft(samples)) ** 2
        hz = np.fft.rfftfreq(len(samples), 1 / voice.sample_rate)
        return float(10 * np.log10(power[(hz > 2500) & (hz < 6000)].sum() / power[(hz > 100) & (hz < 700)].sum()))

    assert tilt(0.5) + 0.5 < tilt(1.0) < tilt(1.5) - 0.3


def test_controls_have_names_and_ranges() -> None:
    assert CONTROL_NAMES == ("speed", "pitch", "energy", "volume", "pauses", "seed", "speaker", "steps")
    assert Controls(pitch=3.0, volume=2.0).changed() == ["pitch", "volume"]
    for name, range_ in RANGES.items():
        for value in (range_.low, range_.high):
            assert getattr(Controls(**{name: value}), name) == value
        for value in (range_.low - 0.01, range_.high + 0.01, float("nan")):
            with pytest.raises(UsageError, match=f"{name} is"):
                Controls(**{name: value})
    with pytest.raises(UsageError, match="seed is -1"):
        Controls(seed=-1)


@pytest.mark.parametrize("pauses", [0.0, 1.0])
def test_lines_join_without_a_click(voice: Voice, pauses: float) -> None:
    """The step from sample to sample at a join is not above those inside."""
    pieces = list(voice.stream("Stop! Wait. Cut it. " * 3, pauses=pauses, energy=2.0))
    samples = np.concatenate([piece.samples for piece in pieces])
    joins = np.cumsum([len(piece.samples) for piece in pieces])[:-1]
    steps = np.abs(np.diff(samples))
    assert len(joins) >= 9
    # The first join is inside a line: there the sound goes on.
    assert steps[joins[1:] - 1].max() < 1e-3 < 0.1 < steps.max()

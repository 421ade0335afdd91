"""A generated talking mouth: sentences of the GRID grammar said by drawn mouths, with real ambiguity.

Letters of one viseme give the same picture, so that no reader of single frames can tell b from p: the context must.
All of it is a pure function of names and a seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

SIZE = 24
FPS = 25

#: The letters of each of the 12 visemes; the first is a mouth at rest.
VISEMES = (" ", "bmp", "fv", "dtnl", "szx", "cgkq", "jy", "ah", "ei", "o", "uw", "r")
VISEME_OF = {letter: number for number, letters in enumerate(VISEMES) for letter in letters}

#: The words of the six places of a sentence (Cooke et al. 2006, table I).
SLOTS = (
    ("bin", "lay", "place", "set"),
    ("blue", "green", "red", "white"),
    ("at", "by", "in", "with"),
    tuple("abcdefghijklmnopqrstuvxyz"),
    tuple("zero one two three four five six seven eight nine".split()),
    ("again", "now", "please", "soon"),
)

# Half width and half height of the opening in pixels, and how much of the teeth is seen (0 to 1), by viseme.
_SHAPES = np.array(
    [
        (6.0, 0.6, 0.0), (7.5, 0.4, 0.0), (6.0, 1.4, 1.0), (6.5, 2.4, 0.6), (7.5, 1.6, 0.9), (6.0, 3.4, 0.2),
        (4.8, 2.6, 0.8), (6.5, 5.2, 0.3), (8.2, 3.0, 0.5), (4.4, 4.4, 0.0), (3.0, 2.4, 0.0), (4.2, 1.6, 0.5),
    ]
)  # fmt: skip
_SKIN, _LIP, _HOLE, _TEETH = 170.0, 110.0, 30.0, 230.0


@dataclass(frozen=True)
class Mouth:
    """A speaker's mouth: factors of width and height, the lip's thickness in pixels, the grey level of the skin."""

    width: float
    height: float
    lip_px: float
    skin: float


def speaker_mouth(speaker: str, seed: int = 0) -> Mouth:
    """The mouth of a speaker, by name and seed."""
    rng = talker_rng(seed, "mouth", speaker)
    return Mouth(rng.uniform(0.85, 1.15), rng.uniform(0.8, 1.2), rng.uniform(1.0, 2.2), _SKIN + rng.uniform(-25, 25))


def talker_rng(seed: int, *names: str) -> np.random.Generator:
    """Random numbers of their own for each chain of names."""
    digest = hashlib.sha256("\n".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def talker_sentence(rng: np.random.Generator) -> str:
    """Six words of the grammar, each place drawn evenly."""
    return " ".join(words[rng.integers(len(words))] for words in SLOTS)


def letter_frames(n_letters: int, rng: np.random.Generator) -> np.ndarray:
    """Frames of each letter, (n_letters,): 2 to 4, about a rate that is the clip's own."""
    rate = rng.integers(2, 5)
    frames: np.ndarray = np.clip(rate + rng.integers(-1, 2, n_letters), 2, 4)
    return frames


def viseme_track(text: str, frames: np.ndarray) -> np.ndarray:
    """The viseme of every frame, (frames.sum(),). KeyError for a letter that is none of a to z or space."""
    return np.repeat([VISEME_OF[letter] for letter in text], frames)


def draw_mouths(track: np.ndarray, mouth: Mouth, shift_px: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Pictures without noise, (T, 24, 24) uint8, of a track of visemes (T,). shift_px: down and right."""
    shapes = _SHAPES[track]
    width, height = (shapes[:, 0] * mouth.width)[:, None, None], (shapes[:, 1] * mouth.height)[:, None, None]
    y = (np.arange(SIZE) - (SIZE - 1) / 2 - shift_px[0])[None, :, None]
    x = (np.arange(SIZE) - (SIZE - 1) / 2 - shift_px[1])[None, None, :]
    lip = _inside(x / (width + mouth.lip_px), y / (height + mouth.lip_px))
    hole = _inside(x / width, y / height)
    teeth = hole * np.clip(1.5 - np.abs(y + 0.5 * height), 0.0, 1.0) * shapes[:, 2][:, None, None]
    picture = mouth.skin + lip * (_LIP - mouth.skin) + hole * (_HOLE - _LIP) + teeth * (_TEETH - _HOLE)
    return np.round(np.clip(picture, 0, 255)).astype(np.uint8)


def _inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 within the unit ellipse, 0 outside, with a soft border."""
    return np.asarray(np.clip(4.0 * (1.0 - np.hypot(x, y)) + 0.5, 0.0, 1.0))


def talker_film(
    id_: str, text: str, speaker: str, seed: int = 0, noise: float = 12.0, shift_px: float = 1.5
) -> np.ndarray:
    """The film of one clip, (T, 24, 24) uint8. noise: standard deviation in grey levels; shift_px: the most, per clip.

    Raises KeyError for a text of anything but a to z and spaces.
    """
    rng = talker_rng(seed, "film", id_)
    track = viseme_track(text, letter_frames(len(text), rng))
    down, right = rng.uniform(-shift_px, shift_px, 2)
    clean = draw_mouths(track, speaker_mouth(speaker, seed), (float(down), float(right)))
    noisy = clean + noise * rng.standard_normal(clean.shape, dtype=np.float32)
    return np.round(np.clip(noisy, 0, 255)).astype(np.uint8)

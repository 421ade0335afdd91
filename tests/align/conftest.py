"""Tokens, and speech with known word starts, for the alignment tests."""

from __future__ import annotations

import _ctypes
import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from speechkd.text.tokens import Tokens, Word, lay_out

MakeTokens = Callable[[Sequence[tuple[str, str]]], Tokens]
#: samples (T,), sample rate, start of each word in seconds as the synthesiser reports it
Spoken = tuple[NDArray[np.float32], int, list[float]]

FOX = [
    ("the", "DH AH0"),
    ("quick", "K W IH1 K"),
    ("brown", "B R AW1 N"),
    ("fox", "F AA1 K S"),
    ("jumps", "JH AH1 M P S"),
]


@pytest.fixture
def make_tokens() -> MakeTokens:
    """Tokens of (word, "PH ON ES") pairs with plain word boundaries between them."""

    def make(words: Sequence[tuple[str, str]]) -> Tokens:
        return lay_out([Word(text, tuple(phones.split()), "lexicon") for text, phones in words], ["|"] * len(words))

    return make


@pytest.fixture
def fox(make_tokens: MakeTokens) -> tuple[Spoken, Tokens]:
    """Five words spoken by espeak-ng, and their tokens."""
    return speak(" ".join(word for word, _ in FOX)), make_tokens(FOX)


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_WORD_EVENT, _LAST_EVENT, _SYNCHRONOUS, _UTF8 = 1, 0, 2, 1


def _espeak() -> tuple[ctypes.CDLL, int]:
    loader = pytest.importorskip("espeakng_loader")
    library = ctypes.CDLL(str(loader.get_library_path()))
    # Anew for every sentence: the package's own voice, which shares the library, ends it when it is done.
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(loader.get_data_path()).encode(), 0)
    assert library.espeak_SetVoiceByName(b"en-us") == 0
    return library, rate


def speak(text: str) -> Spoken:
    """`text` by espeak-ng's US English voice; the test is skipped where espeakng_loader is not installed."""
    library, rate = _espeak()
    blocks: list[NDArray[np.int16]] = []
    starts: list[float] = []

    def receive(wav: ctypes.Array[ctypes.c_short], count: int, events: Sequence[_Event]) -> int:
        index = 0
        while events[index].type != _LAST_EVENT:
            if events[index].type == _WORD_EVENT:
                starts.append(events[index].audio_position / 1000)
            index += 1
        if wav and count:
            blocks.append(np.ctypeslib.as_array(wav, (count,)).copy())
        return 0

    callback = _Callback(receive)
    library.espeak_SetSynthCallback(callback)
    raw = text.encode() + b"\0"
    assert library.espeak_Synth(raw, len(raw), 0, 1, 0, _UTF8, None, None) == 0
    # What is left loaded keeps its random state, and the package's own voice would no longer repeat itself.
    library.espeak_Terminate()
    _ctypes.dlclose(library._handle)
    return np.concatenate(blocks).astype(np.float32) / 32768, rate, starts

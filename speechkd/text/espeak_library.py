"""What espeak-ng's library says about a text: its clauses, each as IPA.

Binds the library in the wheel `espeakng-loader` (GPL-3, hence optional) through `speak_lib.h`. It is loaded for every
text and unloaded again, so that no state is left from one text to the next.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from speechkd.errors import ConfigError, ResourceError, missing_extra

EXTRA = "demo"
SEPARATOR = "_"
_SYNCHRONOUS, _UTF8, _IPA = 2, 1, 2
_MODE = _IPA | ord(SEPARATOR) << 8
# The library keeps global state.
_OTHER_NAMES = {"en-gb": "en", "zh": "cmn", "zh-cn": "cmn", "ja-jp": "ja", "ko-kr": "ko", "sv-se": "sv"}
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class SpokenClause:
    """The phones of a clause: words apart by blanks, phones by "_"; `end` is the place in the text behind it.

    The library looks ahead: `end` may lie a few characters into the next clause.
    """

    ipa: str
    end: int


def _names(language: str) -> tuple[str, ...]:
    """The name as it is, and espeak-ng's own for languages that others know by their country (de-de, zh)."""
    speech, _, country = language.partition("-")
    return (language, _OTHER_NAMES.get(language.lower(), speech if country == speech else language))


def spoken_clauses(text: str, language: str) -> list[SpokenClause]:
    """The clauses of a text in one of espeak-ng's languages ("de", "fr", "es").

    ResourceError where the library is missing, ConfigError for a language that it does not know.
    """
    data = text.replace("\0", " ").encode("utf-8", "replace")
    with _ONE_AT_A_TIME, _library() as library:
        if all(library.espeak_SetVoiceByName(name.encode()) != 0 for name in _names(language)):
            raise ConfigError(
                f"espeak-ng has no language {language!r}",
                todo="Its languages have names such as de, fr, es, pt-br, cmn",
            )
        return list(_clauses(library, data))


def _clauses(library: Any, data: bytes) -> Iterator[SpokenClause]:
    buffer = ctypes.create_string_buffer(data)
    base = ctypes.addressof(buffer)
    pointer = ctypes.c_void_p(base)
    while pointer.value:
        ipa = library.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, _MODE)
        end = pointer.value - base if pointer.value else len(data)
        # The pointer may stand inside a character of several bytes.
        yield SpokenClause(ipa.decode("utf-8", "ignore"), len(data[:end].decode("utf-8", "ignore")))


@contextmanager
def _library() -> Iterator[Any]:
    try:
        import espeakng_loader
    except ImportError:
        raise missing_extra("espeakng-loader", EXTRA, "reading a language other than English") from None
    path = espeakng_loader.get_library_path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ResourceError("espeak-ng's library cannot be loaded", where=path, why=str(error)) from None
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    try:
        data_path = espeakng_loader.get_data_path()
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data_path.encode(), 0) <= 0:
            raise ResourceError("espeak-ng did not start", where=data_path)
        try:
            yield library
        finally:
            library.espeak_Terminate()
    finally:
        _unload(library._handle)


def _unload(handle: int) -> None:
    import _ctypes

    free = getattr(_ctypes, "dlclose", None) or getattr(_ctypes, "FreeLibrary", None)
    if free is not None:
        free(handle)

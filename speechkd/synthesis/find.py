"""Finding packed voices. Needs no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import ArtifactError, UsageError
from speechkd.synthesis.manifest import MANIFEST_NAME, VoiceManifest, read_manifest

VOICE_VARIABLE = "SPEECHKD_VOICE"
# The voices of the package itself: one folder each.
SHIPPED = Path(__file__).resolve().parent.parent / "voices"
VOICES_VARIABLE = "SPEECHKD_VOICES"
# Where runs of recipes end: exp/<run>/voice, exp/<corpus>/<run>/voice.
_PATTERNS = (f"*/voice/{MANIFEST_NAME}", f"*/*/voice/{MANIFEST_NAME}", f"*/*/*/voice/{MANIFEST_NAME}")


@dataclass(frozen=True)
class FoundVoice:
    """A voice folder; `manifest` is None when `problem` says why it cannot be read."""

    folder: Path
    manifest: VoiceManifest | None
    problem: str | None = None


def find_voices(root: Path = Path("exp")) -> list[FoundVoice]:
    """The packed voices under `root`, the newest first (equal times: by path)."""
    paths = [path for pattern in _PATTERNS for path in root.glob(pattern)]
    paths.sort(key=lambda path: (-path.stat().st_mtime_ns, str(path)))
    return [_look(path.parent) for path in paths]


def shipped_voices() -> list[FoundVoice]:
    """The voices that came with the package, by name of their folder; the first is the default one."""
    return [_look(path.parent) for path in sorted(SHIPPED.glob(f"*/{MANIFEST_NAME}"))]


def own_root() -> Path:
    """Where the voices lie that were pulled: $SPEECHKD_VOICES, or speechkd/voices in the user's data folder."""
    if named := os.environ.get(VOICES_VARIABLE):
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "speechkd" / "voices"


def own_voices() -> list[FoundVoice]:
    """The voices that were pulled, by name of their folder."""
    return [_look(path.parent) for path in sorted(own_root().glob(f"*/{MANIFEST_NAME}")) if path.parent.name[0] != "."]


def _look(folder: Path) -> FoundVoice:
    try:
        return FoundVoice(folder, read_manifest(folder))
    except ArtifactError as error:
        return FoundVoice(folder, None, str(error))


def choose_voice(wanted: str | None, root: Path = Path("exp")) -> Path:
    """The folder of the voice to use: `wanted`, else $SPEECHKD_VOICE, the package's own, the newest in `root`.

    What is wanted is a folder, or the name of a voice in `root`, among those that were pulled, or of the package; a
    folder of that name goes first.
    Raises UsageError with the way to get a voice when there is none.
    """
    wanted = wanted or os.environ.get(VOICE_VARIABLE) or None
    if wanted and (Path(wanted).exists() or os.sep in wanted):
        return Path(wanted)
    if wanted is None:
        return _default(root)
    readable = [voice for voice in (*find_voices(root), *own_voices(), *shipped_voices()) if voice.manifest]
    for voice in readable:
        if voice.manifest and voice.manifest.name == wanted:
            return voice.folder
    names = ", ".join(sorted({voice.manifest.name for voice in readable if voice.manifest})) or "none"
    why = f"it is no folder, and the voices under {root}, pulled, and of the package are: {names}"
    raise UsageError(f"there is no voice {wanted!r}", why=why, todo="Type: speechkd voices")


def _default(root: Path) -> Path:
    # Lazily: a voice of the package is found without looking through a folder of experiments.
    for found in (shipped_voices, own_voices, lambda: find_voices(root)):
        for voice in found():
            if voice.manifest:
                return voice.folder
    todo = f"Train one with `make demo`, or name a voice folder with --voice or {VOICE_VARIABLE}"
    raise UsageError("there is no voice yet", why=f"no packed voice under {root.resolve()}", todo=todo)

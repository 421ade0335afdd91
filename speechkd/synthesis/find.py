"""Finding packed voices. Needs no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import ArtifactError, UsageError
from speechkd.synthesis.manifest import MANIFEST_NAME, VoiceManifest, read_manifest

VOICE_VARIABLE = "SPEECHKD_VOICE"
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


def _look(folder: Path) -> FoundVoice:
    try:
        return FoundVoice(folder, read_manifest(folder))
    except ArtifactError as error:
        return FoundVoice(folder, None, str(error))


def choose_voice(wanted: str | None, root: Path = Path("exp")) -> Path:
    """The folder of the voice to use: `wanted` (a folder, or a name that `find_voices` knows), else $SPEECHKD_VOICE,
    else the newest under `root`. Raises UsageError with the way to get one when there is none."""
    wanted = wanted or os.environ.get(VOICE_VARIABLE) or None
    if wanted and (Path(wanted).exists() or os.sep in wanted):
        return Path(wanted)
    readable = [voice for voice in find_voices(root) if voice.manifest]
    named = [voice for voice in readable if not wanted or (voice.manifest and voice.manifest.name == wanted)]
    if named:
        return named[0].folder
    if wanted:
        names = ", ".join(sorted({voice.manifest.name for voice in readable if voice.manifest})) or "none"
        why = f"it is no folder, and the voices under {root} are: {names}"
        raise UsageError(f"there is no voice {wanted!r}", why=why, todo="Type: speechkd voices")
    todo = f"Train one with `make demo`, or name a voice folder with --voice or {VOICE_VARIABLE}"
    raise UsageError("there is no voice yet", why=f"no packed voice under {root.resolve()}", todo=todo)

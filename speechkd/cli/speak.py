"""`speechkd speak`: a text through the loudspeaker, heard while it is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechkd.cli import speaking
from speechkd.cli.speaking import read_text
from speechkd.errors import ResourceError, missing_extra

if TYPE_CHECKING:
    from speechkd.synthesis.speech import Speech


def speak(
    text: Annotated[str | None, typer.Argument(help="What to say; or use --file.", show_default=False)] = None,
    voice: speaking.VoiceOption = None,
    speed: speaking.Speed = 1.0,
    pitch: speaking.Pitch = 0.0,
    energy: speaking.Energy = 1.0,
    volume: speaking.Volume = 1.0,
    pauses: speaking.Pauses = 1.0,
    speaker: speaking.Speaker = None,
    steps: speaking.Steps = None,
    seed: speaking.Seed = 0,
    engine: speaking.Engine = "auto",
    threads: speaking.Threads = None,
    file: speaking.File = None,
    ssml: speaking.Ssml = False,
) -> None:
    """Speak TEXT through the sound device."""
    from speechkd.synthesis.controls import Controls
    from speechkd.synthesis.find import choose_voice
    from speechkd.synthesis.load import load_voice

    said = read_text(text, file)
    controls = Controls(speed, pitch, energy, volume, pauses, seed, speaker, steps)
    folder = choose_voice(voice)
    device = _sound_device()
    loaded = load_voice(folder, engine=engine, threads=threads)  # type: ignore[arg-type]  # which it checks
    play(loaded.say(said, controls, ssml=ssml), loaded.sample_rate, device)


def play(pieces: Iterable[Speech], sample_rate: int, device: Any) -> None:
    """Play pieces one behind the other through the module `sounddevice`. ResourceError where nothing can be played."""
    try:
        with device.OutputStream(samplerate=sample_rate, channels=1, dtype="float32") as stream:
            for piece in pieces:
                stream.write(piece.samples[:, None])
    except device.PortAudioError as error:
        raise _silent(str(error)) from error


def _sound_device() -> Any:
    """The module, if there is a device to play to."""
    try:
        import sounddevice
    except ImportError as error:
        raise missing_extra("sounddevice", "play", "playing") from error
    except OSError as error:  # the package is there, the library of the system is not
        raise _silent(str(error)) from error
    try:
        sounddevice.query_devices(kind="output")
    except (ValueError, sounddevice.PortAudioError) as error:
        raise _silent(str(error)) from error
    return sounddevice


def _silent(why: str) -> ResourceError:
    todo = 'Write a file instead: speechkd synthesize "…" -o speech.wav'
    return ResourceError("nothing can be played here", why=why, todo=todo)

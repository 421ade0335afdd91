"""After `make demo`: the trained voice says a sentence, the voice of the package a paragraph; where to listen."""

from __future__ import annotations

import sys
import time
from pathlib import Path

TEXT = "The quick brown fox jumps over the lazy dog."
PARAGRAPH = (
    "A voice in the box needs no download. This one learned from less than an hour of recordings, on one core of a "
    "plain processor. It is small, it is quick, and it was made by the recipes of this repository; its card tells how. "
    "Train it for longer, or on a voice of your own, and it will speak better."
)


def main(run_dir: Path) -> None:
    """Print the paths worth knowing; a voice speaks only if it is newer than its sample."""
    import speechkd
    from speechkd.synthesis.find import shipped_voices

    voice, sample = run_dir / "voice", run_dir / "fox.wav"
    if newer(voice, sample):
        speechkd.load_voice(voice).synthesize(TEXT).save(sample)
    print(f"Listen:  {sample}  ({TEXT})")
    own, paragraph = shipped_voices()[0].folder, run_dir / "paragraph.wav"
    if newer(own, paragraph):
        loaded = speechkd.load_voice(own)
        begin = time.perf_counter()
        speech = loaded.synthesize(PARAGRAPH)
        factor = (time.perf_counter() - begin) / speech.duration_s
        speech.save(paragraph)
        print(f"Spoken:  {speech.duration_s:.1f} s by {loaded.name}, the voice of the package, {1 / factor:.0f} times "
              "as fast as it takes to hear")  # fmt: skip
    print(f"Listen:  {paragraph}  (a paragraph)")
    print(f"Open:    {run_dir / 'results' / 'report.html'}")
    print(f'Speak:   .venv/bin/speechkd synthesize "Hello." -o hello.wav   (or with --voice {voice})')


def newer(voice: Path, sample: Path) -> bool:
    """Whether a voice has changed since it spoke."""
    return not sample.is_file() or sample.stat().st_mtime < (voice / "voice.json").stat().st_mtime


if __name__ == "__main__":
    main(Path(sys.argv[1]))

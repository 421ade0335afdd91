"""After `make demo`: speaks one sentence with the voice that was trained, and says where to listen and what to open."""

from __future__ import annotations

import sys
from pathlib import Path

TEXT = "The quick brown fox jumps over the lazy dog."


def main(run_dir: Path) -> None:
    """Print the paths worth knowing; speak only if the voice is newer than the sample."""
    voice, sample = run_dir / "voice", run_dir / "fox.wav"
    if not sample.is_file() or sample.stat().st_mtime < (voice / "voice.json").stat().st_mtime:
        import speechkd

        speechkd.load_voice(voice).synthesize(TEXT).save(sample)
    print(f"Listen:  {sample}  ({TEXT})")
    print(f"Open:    {run_dir / 'results' / 'report.html'}")
    print(f'Speak:   .venv/bin/speechkd synthesize "Hello." --voice {voice} -o hello.wav')


if __name__ == "__main__":
    main(Path(sys.argv[1]))

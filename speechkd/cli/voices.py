"""`speechkd voices`: the packed voices at hand, and how they travel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(invoke_without_command=True)
Root = Annotated[Path, typer.Option(help="Folder in which recipes ran.")]
VoiceName = Annotated[str, typer.Argument(metavar="VOICE", help="Voice folder or name.", show_default=False)]
Place = Annotated[
    Path | None, typer.Option("--to", help="Folder of voices.", show_default="$SPEECHKD_VOICES or the user's data")
]


@app.callback()
def voices(context: typer.Context, root: Root = Path("exp")) -> None:
    """List the packed voices: those of the package, pulled ones, then the newest that were trained here."""
    if context.invoked_subcommand is None:
        _list(root)


@app.command()
def pack(
    voice: VoiceName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Zip file to write.", show_default="VOICE.zip")
    ] = None,
) -> None:
    """Put a voice into one zip file, which `speechkd voices pull` reads. The same voice gives the same bytes."""
    from speechkd.hub.voices import zip_voice
    from speechkd.synthesis.find import choose_voice
    from speechkd.synthesis.manifest import read_manifest

    folder = choose_voice(voice)
    target = output or Path(f"{read_manifest(folder).name}.zip")
    manifest = zip_voice(folder, target)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB, voice {manifest.name}, {len(manifest.files) + 1} files")


@app.command()
def push(
    voice: VoiceName,
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository of the hub.")],
    private: Annotated[bool, typer.Option("--private", help="Only for those who may.")] = False,
) -> None:
    """Upload a voice to the hub, with its card."""
    from speechkd.hub.voices import push_voice
    from speechkd.synthesis.find import choose_voice

    commit = push_voice(choose_voice(voice), repository, private=private)
    print(f"{repository}: pushed\nothers type: speechkd voices pull {repository} --revision {commit}")


@app.command()
def pull(
    source: Annotated[str, typer.Argument(metavar="OWNER/NAME|FILE.zip", help="Repository of the hub, or a zip file.")],
    revision: Annotated[
        str | None, typer.Option(help="Full commit of the repository.", show_default="the newest, which is then told")
    ] = None,
    to: Place = None,
) -> None:
    """Fetch a voice; every file is checked against the digest in its voice.json."""
    from speechkd.hub.voices import pull_voice, unzip_voice
    from speechkd.synthesis.find import own_root

    root = to or own_root()
    if source.endswith(".zip"):
        folder, told = unzip_voice(Path(source), root), source
    else:
        folder, commit = pull_voice(source, revision, root)
        told = f"{source} --revision {commit}"
    print(f"{folder}: pulled from {told}")
    speak = folder.name if to is None else folder
    print(f'speak with it: speechkd synthesize "Hello." --voice {speak}')


def _list(root: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from speechkd.synthesis.find import FoundVoice, find_voices, own_voices, shipped_voices

    # Piped output is for programs: no path may be folded there.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 400)
    found = [*shipped_voices(), *own_voices(), *find_voices(root)]
    if not found:
        console.print(f"no packed voice under {root}: train one with `make demo`", markup=False)
        return

    def row(voice: FoundVoice) -> tuple[str, str, str, str, str, str]:
        manifest = voice.manifest
        if manifest is None:
            return "(unreadable)", "", voice.problem or "", "", "", str(voice.folder)
        speakers = ", ".join(manifest.speakers) or "one"
        engines = ", ".join(manifest.engines)
        rate = f"{manifest.sample_rate} Hz"
        return manifest.name, rate, manifest.source.recipe, speakers, engines, str(voice.folder)

    table = Table("name", "sample rate", "recipe", "speakers", "engines", "path", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for voice in found:
        table.add_row(*map(Text, row(voice)))
    console.print(table)

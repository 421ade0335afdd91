"""Giving a packed voice its onnx graphs, in place or as a new voice."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import ArtifactError, UsageError
from speechkd.runner.digests import file_digest
from speechkd.runner.publish import resource_errors
from speechkd.synthesis import manifest as files
from speechkd.synthesis.engines.torch_engine import load_acoustic, load_vocoder_part
from speechkd.synthesis.export.compare import SENTENCES, Difference, compare
from speechkd.synthesis.export.graphs import check_graphs, write_graphs
from speechkd.synthesis.files import write_text
from speechkd.synthesis.manifest import VoiceManifest, read_manifest, verify_files


@dataclass(frozen=True)
class Exported:
    """The voice that holds the graphs, and how near they come to torch."""

    folder: Path
    manifest: VoiceManifest
    sizes_bytes: dict[str, int]
    difference: Difference


def export_voice(
    folder: Path, target: Path | None = None, *, int8: bool = False, keep_weights: bool = True
) -> Exported:
    """Write the onnx graphs of the voice in `folder` beside its weights, or a voice that has them into `target`.

    `target` must be empty or absent; without `keep_weights` the new voice is for onnxruntime alone. `int8`: see
    `graphs.write_graphs`. Raises UsageError, ArtifactError for a damaged voice, ConfigError for networks that have no
    onnx form.
    """
    manifest = read_manifest(folder)
    if not manifest.has_weights:
        raise UsageError("the voice holds onnx graphs alone", where=str(folder), todo="Export the one it came from")
    if target is None and not keep_weights:
        raise UsageError("weights are left out of a new voice only", todo="Name its folder with --output")
    verify_files(folder, _without_graphs(manifest))  # which are written anew, also where they are damaged
    acoustic, vocoder = load_acoustic(folder, manifest), load_vocoder_part(folder, manifest)
    check_graphs(acoustic, vocoder)
    place = folder if target is None else _copied(folder, target, manifest, keep_weights)
    part = write_graphs(place, acoustic, vocoder, int8=int8)
    made = manifest.model_copy(update={"onnx": part})
    made = made.model_copy(update={"files": _digests(place, manifest, made)})
    write_text(place / files.MANIFEST_NAME, made.to_text())
    sizes = {name: (place / name).stat().st_size for name in made.onnx_files()}
    return Exported(place, made, sizes, difference(folder, place))


def difference(weights: Path, graphs: Path) -> Difference:
    """How far the onnx graphs of the voice `graphs` are from the weights of the voice `weights`."""
    from speechkd.synthesis.load import load_voice
    from speechkd.text import is_english

    ours, theirs = load_voice(weights, engine="torch"), load_voice(graphs, engine="onnx")
    if is_english(ours.manifest.language):
        utterances = [ours.numbers(tokens) for text in SENTENCES for tokens in ours.sentences(text)]
    else:
        # Every symbol once: what they would sound like matters to neither engine.
        n_symbols = int(ours.manifest.acoustic.config["n_symbols"])
        utterances = [list(range(1, n_symbols))[:length] for length in (1, 12, n_symbols)]
    return compare(ours.engine, theirs.engine, utterances)


def _copied(folder: Path, target: Path, manifest: VoiceManifest, keep_weights: bool) -> Path:
    """A new folder with the files of the voice that are not onnx graphs, voice.json excepted."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError("a voice is exported into an empty folder", where=str(target), why="it is not empty")
    left_out = {*files.ONNX_NAMES, *(() if keep_weights else manifest.weight_files())}
    with resource_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        for name in sorted(set(manifest.files) - left_out):
            shutil.copyfile(folder / name, target / name)
    return target


def _without_graphs(manifest: VoiceManifest) -> VoiceManifest:
    kept = {name: sha256 for name, sha256 in manifest.files.items() if name not in files.ONNX_NAMES}
    return manifest.model_copy(update={"onnx": None, "files": kept})


def _digests(place: Path, before: VoiceManifest, made: VoiceManifest) -> dict[str, str]:
    there = {name: sha256 for name, sha256 in _without_graphs(before).files.items() if (place / name).is_file()}
    if missing := {*files.ALWAYS_THERE} - set(there):
        raise ArtifactError("a file of the voice is missing", where=str(place / min(missing)))
    return dict(sorted((there | {name: file_digest(place / name) for name in made.onnx_files()}).items()))

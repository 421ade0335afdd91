"""Stages, recipes and the runner that owns the truth about what is done. Knows nothing of speech."""

from speechkd.runner.context import Context
from speechkd.runner.digests import ArtifactDigest, artifact_digests
from speechkd.runner.items import Item, ItemStore, ItemWriter
from speechkd.runner.mapping import ItemError, MapReport
from speechkd.runner.run import RunOptions, list_stages, run_recipe
from speechkd.runner.stage import Output, Recipe, Stage, stage
from speechkd.runner.status import StageStatus

__all__ = [
    "ArtifactDigest",
    "Context",
    "Item",
    "ItemError",
    "ItemStore",
    "ItemWriter",
    "MapReport",
    "Output",
    "Recipe",
    "RunOptions",
    "Stage",
    "StageStatus",
    "artifact_digests",
    "list_stages",
    "run_recipe",
    "stage",
]

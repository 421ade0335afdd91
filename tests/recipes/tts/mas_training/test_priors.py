"""The priors against scipy's own distribution."""

from __future__ import annotations

import numpy as np
from scipy.stats import betabinom

from recipes.tts.common.mas_training.priors import beta_binomial, quiet_is_silent
from speechkd.align.mas.graph import Inventory, build_graph
from speechkd.text.tokens import Word, lay_out


def test_places_are_beta_binomial() -> None:
    places, n_frames = np.arange(7), 11
    prior = beta_binomial(places, 7, n_frames)
    for frame in range(1, n_frames + 1):
        expected = betabinom.logpmf(places, 6, frame, n_frames - frame + 1)
        np.testing.assert_allclose(prior[frame - 1], expected, atol=1e-5)


def test_states_at_one_place_have_one_prior() -> None:
    prior = beta_binomial(np.array([0, 1, 1, 2]), 3, 9)
    assert (prior[:, 1] == prior[:, 2]).all() and (prior[:, 0] != prior[:, 1]).any()


def test_silence_is_likely_where_it_is_quiet() -> None:
    tokens = lay_out([Word("a", ("AH0",), "lexicon")], ["."])
    graph = build_graph(tokens, Inventory.of([tokens]))
    prior = np.exp(quiet_is_silent(np.array([0.0, 0.5, 1.0], np.float32), graph))
    np.testing.assert_allclose(prior[:, graph.is_silence][:, 0], [0.02, 0.5, 0.98], atol=1e-6)
    np.testing.assert_allclose(prior[:, ~graph.is_silence][:, 0], [0.98, 0.5, 0.02], atol=1e-6)

"""Corpora as lists of utterances: validation, downloads, manifests, splits and batches. Knows no corpus by name."""

from __future__ import annotations

from speechkd.data.batching import plan_batches
from speechkd.data.corpus import Corpus, Problem, Severity, Utterance
from speechkd.data.splits import split_ids

__all__ = ["Corpus", "Problem", "Severity", "Utterance", "plan_batches", "split_ids"]

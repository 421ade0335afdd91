"""Edit distances of whole batches: every prefix of a hypothesis against its reference, without a loop over cells."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class PrefixDistances(NamedTuple):
    """Edits (int64, (B, T + 1)) of every prefix y_1:t, t = 0..T; behind a hypothesis' end, the last value stays."""

    whole: Tensor
    """ED(y_1:t, reference)."""
    nearest: Tensor
    """min_u ED(y_1:t, reference_1:u)."""


def edit_distances(
    hypotheses: Tensor, lengths: Tensor, references: Tensor, reference_lengths: Tensor
) -> PrefixDistances:
    """Levenshtein distances (Wagner and Fischer, 1974) with unit costs, on the tensors' device.

    hypotheses: (B, T) and references: (B, U), integers with any padding; lengths, reference_lengths: (B,), may be 0.
    One step per hypothesis symbol; within a row the insertions, d[j] = min(c[j], d[j-1] + 1), unroll to
    d[j] = j + min_{i≤j} (c[i] - i), a cumulative minimum.
    """
    n_rows, n_symbols = references.shape
    column = torch.arange(n_symbols + 1, device=references.device)
    outside = column > reference_lengths[:, None]
    row = column.expand(n_rows, -1)
    rows = [row]
    for t in range(hypotheses.shape[1]):
        following = _next_row(row, hypotheses[:, t, None] != references, column)
        row = torch.where((t < lengths)[:, None], following, row)
        rows.append(row)
    table = torch.stack(rows, dim=1)  # (B, T + 1, U + 1)
    whole = table.gather(2, reference_lengths.long()[:, None, None].expand(-1, len(rows), 1)).squeeze(2)
    nearest = table.masked_fill(outside[:, None], torch.iinfo(table.dtype).max).amin(dim=2)
    return PrefixDistances(whole, nearest)


def _next_row(row: Tensor, differs: Tensor, column: Tensor) -> Tensor:
    """The distances (B, U + 1) of a prefix with one symbol more, which `differs` (B, U) from the reference's."""
    without_insertions = row + 1
    replaced = torch.minimum(without_insertions[:, 1:], row[:, :-1] + differs)
    candidates = torch.cat([without_insertions[:, :1], replaced], dim=1)
    return column + (candidates - column).cummin(dim=1).values

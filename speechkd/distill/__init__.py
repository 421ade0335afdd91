"""Distillation as a data flow: teacher → targets (stored by item id, or live) → terms of the student's loss."""

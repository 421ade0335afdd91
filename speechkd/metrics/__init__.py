"""Measures of what a model says: distances between recordings, durations, recognised words."""

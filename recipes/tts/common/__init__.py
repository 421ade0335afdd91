"""Stages that all text-to-speech recipes share."""

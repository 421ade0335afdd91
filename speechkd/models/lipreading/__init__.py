"""Lip reading: from frames of a mouth to characters."""

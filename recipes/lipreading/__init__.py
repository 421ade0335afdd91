"""Lip reading."""

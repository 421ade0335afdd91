"""Installed versions, without importing the packages."""

from __future__ import annotations

from importlib import metadata


def installed_version(package: str = "speechkd") -> str:
    """The version of an installed package; empty if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""

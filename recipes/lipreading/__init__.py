"""Recipes that read speech from a silent film."""

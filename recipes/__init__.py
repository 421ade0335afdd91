"""Recipes: ordered lists of stages, by family."""

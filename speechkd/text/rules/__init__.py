"""The normaliser's rules, one table per class, in the order in which they apply."""

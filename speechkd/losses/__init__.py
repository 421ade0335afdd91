"""Loss terms: small pure functions, each with its equation. Every mean runs over valid positions only."""

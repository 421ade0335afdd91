"""What the recipes of lip reading share: corpora, mouth crops and their configuration."""

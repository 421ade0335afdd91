"""What the recipes of all vocoders share."""

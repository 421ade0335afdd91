"""Networks that see: pictures in, classes out."""

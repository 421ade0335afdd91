"""Networks only: no data, no losses, no training."""

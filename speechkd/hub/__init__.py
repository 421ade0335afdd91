"""Files of the model hub, pinned by commit and digest."""

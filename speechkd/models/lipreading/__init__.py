"""Networks that read lips: mouth crops in, characters out."""

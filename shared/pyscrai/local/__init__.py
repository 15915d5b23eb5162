"""A small open-weights model on this machine."""

"""From a log of purchases to what the models read."""

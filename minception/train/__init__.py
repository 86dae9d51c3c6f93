"""Training and measuring networks from the command line; `loop` is the algorithm."""

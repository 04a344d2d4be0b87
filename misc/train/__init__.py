"""Training: the training loop, samples and batches, checkpoints, curves and weights."""

"""Evaluation: what the evaluations share, and where measures are kept."""

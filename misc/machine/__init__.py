"""The machine: its device, and the ranks of a run on it and on others."""

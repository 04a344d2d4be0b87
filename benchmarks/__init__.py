"""What `make bench` runs: every speed goal, ours against the published method, side by side."""

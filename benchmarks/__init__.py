"""What `make bench` runs: every speed goal, ours against the published way, side by side."""

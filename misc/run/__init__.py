"""Running stages: opening the data set, the preflight, the loop over images."""

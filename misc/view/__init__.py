"""Visualisation: palettes, pictures, charts, the film and the report."""

"""Settings: declared once, read from flags and files, and the version that they belong to."""

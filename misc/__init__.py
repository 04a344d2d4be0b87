"""Building blocks, one idea a file; nothing here knows a data set, a network or a stage."""

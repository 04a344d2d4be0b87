"""The method, one idea per file, with packages around it: running, learning, files, looking.

The method imports none of these packages, and nothing here knows a data set or imports a stage.
"""

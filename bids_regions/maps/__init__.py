"""One map: its inputs, the extraction, names, warnings, and the files of its results.

Knows one map and its entries; not the other maps, participants, or who runs it.
"""

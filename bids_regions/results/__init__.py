"""What stands in an output folder: the record of every finished map and entry, read and written here alone.

A *record* is the sidecar of one map and entry, a *failure* the note of one that could not be done, *output paths* the
names of the files of either. How regions are found, drawn or put together is not known here.
"""

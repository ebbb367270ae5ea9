"""What stands in an output folder: the record of every finished map and entry, read and written here alone."""

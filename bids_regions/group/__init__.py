"""Many participants: sets of comparable maps, what they have in common, and the tables and the page of the group.

Reads records, never file names; extracts no participant's map.
"""

"""From results to the values of a page: sections, words, methods, provenance, what a map is drawn on.

Reads records and finished files; computes no regions. `report` makes the HTML.
"""

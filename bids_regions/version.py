"""The version, a constant: asking the installed metadata for it costs 35 ms at each start."""

__version__ = "0.1.0"

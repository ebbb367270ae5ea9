"""The version, a constant: asking the installed metadata for it costs 35 ms at each start.

And the address of the public repository, the one placeholder of this project: empty until it is known (CONTRIBUTING.md,
"A release"). Whatever would name it leaves it out as long as it is empty; tests hold that.
"""

__version__ = "0.2.0"
REPOSITORY = ""

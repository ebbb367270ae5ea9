"""From plain values to pages: one HTML file per participant and one for the group, readable without a network.

`model.py` says what a page shows, `payload.py` makes volumes small, `pages.py` renders. This room knows no BIDS, no
NIfTI and no statistics: `workflow` fills the model. It opens nothing but its own templates.
"""

"""THE WAY IN: folders of FSL, SPM, PALM and AFNI become a BIDS derivatives dataset, with every fact that p needs.

A *source* is one such folder, prefix or dataset; a *find* is one image of it under the names of BIDS, with what its
sidecar will say. Reading looks and writes nothing; writing changes nothing of a source.
"""

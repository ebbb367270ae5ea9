"""WHAT A MAP LIES ON: voxels of a grid, vertices of meshes, or both; arrays and affines, no file and no format.

`as_domain` is the door: a voxel-to-mm affine makes a `Grid`, a `Mesh` the `Grayordinates` of it alone. The questions
that every domain answers stand in `domain`.
"""

from bids_regions.space.domain import Addresses, Centres, Chains, Domain, Elements, Extents
from bids_regions.space.grayordinates import Grayordinates, Sheet, Solid, as_domain
from bids_regions.space.grid import Grid
from bids_regions.space.mesh import Mesh

__all__ = [
    "Addresses",
    "Centres",
    "Chains",
    "Domain",
    "Elements",
    "Extents",
    "Grayordinates",
    "Grid",
    "Mesh",
    "Sheet",
    "Solid",
    "as_domain",
]

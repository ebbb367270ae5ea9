"""A random walker on a weighted graph: which seed it most probably meets first, solved to rounding.

*Nodes* are numbered from 0; a *link* joins two of them with a positive weight; a *seed* is a node where the walk ends.
The probability to end at one seed is harmonic: at every other node it is the mean of its neighbours' probabilities,
weighted by the links (Doyle & Snell 1984, Random walks and electric networks; Grady 2006). This room knows no voxel.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bids_regions.frozen import dataclass
from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import sparse
    from scipy.sparse import csgraph, linalg
else:
    sparse = Late("scipy.sparse")
    csgraph = Late("scipy.sparse.csgraph")
    linalg = Late("scipy.sparse.linalg")

__all__ = ["Links", "first_seeds"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

EQUAL = 1e-8  # probabilities that differ by less are equal
SETTLED = 1e-9  # the solution is refined until no probability would change by more
ROUNDS = 10  # of refinement at most; one is usual
DIRECT = 8000  # nodes up to which one sparse LU is faster than conjugate gradients, whatever their links
FILL = 1000  # the same for larger graphs: LU while (nodes with every link)^2 < FILL x nodes x seeds
COARSE = 2000  # nodes of the coarsest level at most
AT_ONCE = 8  # seeds solved together, so that memory does not grow with their number
DAMPING = 2 / 3  # of the Jacobi smoother
INNER = 1e-12  # conjugate gradients end when the squared residual norm has fallen by this
STEPS = 200  # of conjugate gradients at most


@dataclass(frozen=True, eq=False)
class Links:
    """The links of a graph, each once."""

    one: Integers  # (m,) node
    other: Integers  # (m,) node
    weight: Floats  # (m,) positive


@dataclass(frozen=True, eq=False)
class _Walk:
    """The equations of a walk on the nodes that are no seed: (ground + links' Laplacian) x = drive."""

    n: int  # nodes that are no seed
    links: Links  # between them
    ground: Floats  # (n,) summed weight of the links to seeds

    def matrix(self) -> Any:
        one, other, weight = self.links.one, self.links.other, self.links.weight
        diagonal = self.ground + _sums(one, weight, self.n) + _sums(other, weight, self.n)
        rows = np.concatenate([one, other, np.arange(self.n)])
        columns = np.concatenate([other, one, np.arange(self.n)])
        entries = np.concatenate([-weight, -weight, diagonal])
        return sparse.coo_array((entries, (rows, columns)), shape=(self.n, self.n)).tocsc()

    def residual(self, drive: Floats, x: Floats) -> Floats:
        """Drive minus flow, by differences along each link: precise also where weights span ten orders."""
        flow = self.links.weight[:, None] * (x[self.links.one] - x[self.links.other])
        m = self.links.weight.size
        columns = np.concatenate([self.links.one, self.links.other])
        signs = np.concatenate([np.ones(m), -np.ones(m)])
        spread = sparse.csc_array((signs, (columns, np.tile(np.arange(m), 2))), shape=(self.n, m))
        return np.asarray(drive - self.ground[:, None] * x - spread @ flow)


def _sums(index: Integers, weight: Floats, n: int) -> Floats:
    return np.bincount(index, weight, n).astype(np.float64, copy=False)


def first_seeds(n: int, links: Links, seeds: Integers) -> Integers:
    """For each node of a connected graph, the seed that a random walker from it most probably meets first.

    Parameters
    ----------
    n
        Nodes.
    links
        Of the graph.
    seeds
        (k,) the nodes that are seeds, at least one.

    Returns
    -------
    ndarray
        (n,) position in `seeds`; of equal probabilities the first.

    Examples
    --------
    A chain of five nodes with a weak link between the second and the third:

    >>> chain = Links(np.arange(4), np.arange(1, 5), np.array([1.0, 0.1, 1.0, 1.0]))
    >>> first_seeds(5, chain, np.array([0, 4])).tolist()
    [0, 0, 1, 1, 1]
    """
    seed_of = np.full(n, -1, np.intp)
    seed_of[seeds] = np.arange(seeds.size)
    free = np.flatnonzero(seed_of < 0)
    if seeds.size > 1 and free.size:
        seed_of[free] = _most_probable(*_equations(n, links, seed_of, free), seeds.size)
    elif free.size:
        seed_of[free] = 0
    return seed_of


def _equations(n: int, links: Links, seed_of: Integers, free: Integers) -> tuple[_Walk, Integers, Integers, Floats]:
    """The walk among the free nodes, and the links to seeds as (node, seed, weight)."""
    number = np.full(n, -1, np.intp)
    number[free] = np.arange(free.size)
    one, other = number[links.one], number[links.other]
    inner = (one >= 0) & (other >= 0)
    from_one, from_other = (one >= 0) & (other < 0), (one < 0) & (other >= 0)
    node = np.concatenate([one[from_one], other[from_other]])
    seed = seed_of[np.concatenate([links.other[from_one], links.one[from_other]])]
    weight = np.concatenate([links.weight[from_one], links.weight[from_other]])
    walk = _Walk(
        n=free.size,
        links=Links(one[inner], other[inner], links.weight[inner]),
        ground=_sums(node, weight, free.size),
    )
    return walk, node, seed, weight


def _most_probable(walk: _Walk, node: Integers, seed: Integers, weight: Floats, n_seeds: int) -> Integers:
    solve = _direct_solver(walk) if _is_thin(walk, n_seeds) else _gradient_solver(walk)
    highest, best = np.full(walk.n, -1.0), np.zeros(walk.n, np.intp)
    for start in range(0, n_seeds, AT_ONCE):
        stop = min(start + AT_ONCE, n_seeds)
        here = (seed >= start) & (seed < stop)
        cell = node[here] * (stop - start) + (seed[here] - start)
        drive = _sums(cell, weight[here], walk.n * (stop - start)).reshape(walk.n, -1)
        probability = _refined(walk, solve, drive)
        for k in range(stop - start):
            higher = probability[:, k] > highest + EQUAL
            highest[higher], best[higher] = probability[higher, k], start + k
    return best


def _is_thin(walk: _Walk, n_seeds: int) -> bool:
    """Whether LU stays sparse enough to be the faster way: a small graph, or one that is surface more than bulk."""
    degree = np.bincount(walk.links.one, minlength=walk.n) + np.bincount(walk.links.other, minlength=walk.n)
    bulk = int(np.count_nonzero(degree == degree.max(initial=0)))
    return walk.n <= DIRECT or bulk**2 < FILL * walk.n * n_seeds


def _refined(walk: _Walk, solve: Callable[[Floats], Floats], drive: Floats) -> Floats:
    """Solved, and corrected by what is left until the next correction would not matter."""
    x = solve(drive)
    before = 1.0
    for _ in range(ROUNDS):
        correction = solve(walk.residual(drive, x))
        x += correction
        largest = float(np.abs(correction).max())
        if largest * min(largest / before, 1.0) < SETTLED:
            break
        before = largest
    return x


def _direct_solver(walk: _Walk) -> Callable[[Floats], Floats]:
    """By sparse LU of the symmetric matrix; minimum degree fills in least."""
    solve: Callable[[Floats], Floats] = linalg.splu(
        walk.matrix(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    ).solve
    return solve


def _gradient_solver(walk: _Walk) -> Callable[[Floats], Floats]:
    """By conjugate gradients, preconditioned by one multigrid cycle."""
    matrix, cycle = sparse.csr_array(walk.matrix()), _cycle(walk)
    return lambda drive: _conjugate_gradients(matrix, cycle, drive)


def _cycle(walk: _Walk) -> Callable[[Floats], Floats]:
    """One cycle of multigrid: a Jacobi step, a coarser walk, a Jacobi step; the coarsest is solved by LU.

    A coarse node is a group of nodes with strong links (aggregation; Notay 2010, Electron Trans Numer Anal
    37:123-146), level by level, so that every group tied to the rest by weak links alone is one node of some level.
    """
    if walk.n <= COARSE or not walk.links.weight.size:
        return _direct_solver(walk)
    group, coarse = _coarsened(walk)
    matrix: Any = sparse.csr_array(walk.matrix())
    prolong: Any = sparse.csr_array((np.ones(walk.n), group, np.arange(walk.n + 1)), shape=(walk.n, coarse.n))
    restrict: Any = sparse.csr_array(prolong.T)
    damped = DAMPING / matrix.diagonal()[:, None]
    coarse_solve = _cycle(coarse)

    def precondition(r: Floats) -> Floats:
        x = damped * r
        x += prolong @ coarse_solve(restrict @ (r - matrix @ x))
        x += damped * (r - matrix @ x)
        return np.asarray(x)

    return precondition


def _coarsened(walk: _Walk) -> tuple[Integers, _Walk]:
    """The group of each node, and the walk among the groups."""
    group = _strong_groups(walk)
    n = int(group.max()) + 1
    one, other = group[walk.links.one], group[walk.links.other]
    between = one != other
    low, high = np.minimum(one, other)[between], np.maximum(one, other)[between]
    pair, joined = np.unique(low * n + high, return_inverse=True)
    links = Links(pair // n, pair % n, _sums(joined, walk.links.weight[between], pair.size))
    return group, _Walk(n=n, links=links, ground=_sums(group, walk.ground, n))


def _strong_groups(walk: _Walk) -> Integers:
    """Each node together with the one it is linked to most strongly; equal links are told apart by a fixed scatter."""
    m = walk.links.weight.size
    score = walk.links.weight * (1 + (np.arange(m) * 2654435761 % 65536) * 1e-8)
    strongest = np.zeros(walk.n)
    np.maximum.at(strongest, walk.links.one, score)
    np.maximum.at(strongest, walk.links.other, score)
    chosen = (score == strongest[walk.links.one]) | (score == strongest[walk.links.other])
    pairs = (walk.links.one[chosen], walk.links.other[chosen])
    graph = sparse.coo_array((np.ones(pairs[0].size, np.int8), pairs), shape=(walk.n, walk.n))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.intp)


def _conjugate_gradients(matrix: Any, precondition: Callable[[Floats], Floats], drive: Floats) -> Floats:
    """All columns at once (Hestenes & Stiefel 1952), each with its own step."""
    x, r = np.zeros_like(drive), drive.copy()
    z = precondition(r)
    direction = z.copy()
    norm = first = np.sum(r * z, axis=0)
    for _ in range(STEPS):
        along = matrix @ direction
        curvature = np.sum(direction * along, axis=0)
        step = np.divide(norm, curvature, out=np.zeros_like(norm), where=curvature > 0)
        x += step * direction
        r -= step * along
        z = precondition(r)
        before, norm = norm, np.sum(r * z, axis=0)
        if np.all(norm <= INNER * first):
            break
        direction = z + np.divide(norm, before, out=np.zeros_like(norm), where=before > 0) * direction
    return x

"""The random walk against dense linear algebra and chains solved by hand, and its two solvers side by side."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import cg

from bids_regions.extraction import random_walk
from bids_regions.extraction.random_walk import EQUAL, Links, first_seeds


def chain(weights):
    n = len(weights)
    return Links(np.arange(n), np.arange(1, n + 1), np.array(weights, float))


def grid_links(shape, seed, decades):
    """All face neighbours of a box, their weights spread evenly over some powers of ten."""
    number = np.arange(np.prod(shape)).reshape(shape)
    pairs = [
        (np.delete(number, -1, axis).ravel(), np.delete(number, 0, axis).ravel())
        for axis in range(3)
        if shape[axis] > 1
    ]
    one, other = (np.concatenate(side) for side in zip(*pairs, strict=True))
    weight = 10.0 ** -(np.random.default_rng(seed).uniform(0, decades, one.size))
    return int(number.size), Links(one, other, weight)


def dense_probabilities(n, links, seeds):
    """One column per seed, by elimination on the full matrix."""
    laplacian = np.zeros((n, n))
    for a, b, w in zip(links.one, links.other, links.weight, strict=True):
        laplacian[[a, b], [b, a]] -= w
        laplacian[a, a] += w
        laplacian[b, b] += w
    free = np.setdiff1d(np.arange(n), seeds)
    found = np.zeros((n, len(seeds)))
    found[seeds, np.arange(len(seeds))] = 1
    found[free] = np.linalg.solve(laplacian[np.ix_(free, free)], -laplacian[np.ix_(free, seeds)])
    return found


def test_a_gambler_between_two_seeds_is_ruined_by_the_nearer():
    assert first_seeds(7, chain([1.0] * 6), np.array([0, 6])).tolist() == [0, 0, 0, 0, 1, 1, 1]  # the middle is a tie


def test_a_tie_goes_to_the_earlier_seed_wherever_it_lies():
    assert first_seeds(7, chain([1.0] * 6), np.array([6, 0])).tolist() == [1, 1, 1, 0, 0, 0, 0]


def test_a_tie_but_for_rounding_is_a_tie():
    """Sums of 0.1, 0.2 and 0.3 in either direction differ in their last bit only."""
    thirds = [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]
    assert first_seeds(7, chain(thirds), np.array([6, 0])).tolist() == [1, 1, 1, 0, 0, 0, 0]


def test_a_walker_crosses_strong_links_first():
    assert first_seeds(5, chain([1e-3, 1.0, 1.0, 1.0]), np.array([0, 4])).tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("seeds", [[2], [0, 1, 2]])
def test_one_seed_takes_all_and_seeds_take_themselves(seeds):
    assert first_seeds(3, chain([1.0, 1.0]), np.array(seeds)).tolist() == ([0, 0, 0] if len(seeds) == 1 else [0, 1, 2])


@given(st.integers(0, 10**6), st.integers(2, 20), st.floats(0, 6))
@settings(max_examples=40, deadline=None)
def test_every_node_has_the_seed_of_the_highest_probability(seed, k, decades):
    """By elimination on the full matrix, for more seeds, too, than are solved at once."""
    n, links = grid_links((4, 5, 3), seed, decades)
    seeds = np.random.default_rng(seed).permutation(n)[:k]
    probability = dense_probabilities(n, links, seeds)
    found = first_seeds(n, links, seeds)
    np.testing.assert_array_less(probability.max(axis=1) - 2 * EQUAL, probability[np.arange(n), found])
    assert found[seeds].tolist() == list(range(k))


@pytest.mark.parametrize(("decades", "coarse"), [(0, 40), (3, 40), (10, 40), (10, 300)])
def test_conjugate_gradients_find_what_elimination_finds(monkeypatch, decades, coarse):
    """Over ten powers of ten, where plain conjugate gradients fail; with several levels and with one."""
    n, links = grid_links((15, 14, 13), 7, decades)
    seeds = np.random.default_rng(1).permutation(n)[:11]
    direct = first_seeds(n, links, seeds)
    solved = []
    monkeypatch.setattr(random_walk, "COARSE", coarse)
    monkeypatch.setattr(random_walk, "_is_thin", lambda walk, n_seeds: solved.append((walk.n, n_seeds)))
    np.testing.assert_array_equal(first_seeds(n, links, seeds), direct)
    assert solved == [(n - 11, 11)]


def test_groups_without_links_between_them_are_solved_directly(monkeypatch):
    """A seed in the middle of a star leaves nodes that are linked to nothing else."""
    star = Links(np.zeros(6, int), np.arange(1, 7), np.ones(6))
    monkeypatch.setattr(random_walk, "COARSE", 1)
    monkeypatch.setattr(random_walk, "_is_thin", lambda walk, n_seeds: False)
    assert first_seeds(7, star, np.array([0, 3])).tolist() == [0, 0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_weak_links_do_not_cost_precision(monkeypatch, seed, gradients):
    """A thousand nodes tied to two seeds by links of 1e-10 that differ in their seventh digit.

    Beside links of 1 the rounding of the matrix alone would hide which seed is nearer: the solution is corrected.
    """
    n, links = grid_links((10, 10, 10), seed, 2)
    weak = np.array([1e-10, 1.0000003e-10])
    tied = Links(
        np.concatenate([links.one, [0, 999]]),
        np.concatenate([links.other, [n, n + 1]]),
        np.concatenate([links.weight, weak[:: (-1) ** seed]]),
    )
    if gradients:
        monkeypatch.setattr(random_walk, "COARSE", 100)
        monkeypatch.setattr(random_walk, "_is_thin", lambda walk, n_seeds: False)
    found = first_seeds(n + 2, tied, np.array([n, n + 1]))
    assert set(found[:n].tolist()) == {(seed + 1) % 2}


def test_the_usual_tolerance_of_conjugate_gradients_moves_nodes():
    """Why ours are solved to rounding: at a relative residual of 1e-3, nilearn's, a third of a chain changes sides."""
    n, links = grid_links((60, 1, 1), 0, 4)
    seeds = np.array([0, 59, 20])
    laplacian = np.zeros((n, n))
    laplacian[links.one, links.other] = laplacian[links.other, links.one] = -links.weight
    np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
    free = np.setdiff1d(np.arange(n), seeds)
    matrix = laplacian[np.ix_(free, free)]
    loose = np.array([cg(matrix, -laplacian[free, s], rtol=1e-3, atol=0.0)[0] for s in seeds]).argmax(axis=0)
    exact = dense_probabilities(n, links, seeds)[free].argmax(axis=1)
    assert np.count_nonzero(loose != exact) > 15
    np.testing.assert_array_equal(first_seeds(n, links, seeds)[free], exact)


def test_a_large_bulk_is_solved_by_gradients_and_a_large_sheet_by_elimination():
    def is_thin(shape, n_seeds):
        n, links = grid_links(shape, 0, 0)
        return random_walk._is_thin(random_walk._Walk(n=n, links=links, ground=np.ones(n)), n_seeds)

    assert not is_thin((31, 31, 31), 5)
    assert is_thin((31, 31, 31), 50)  # many seeds pay for one elimination
    assert is_thin((100, 100, 3), 5)
    assert is_thin((10, 10, 10), 2)


def test_a_solution_is_corrected_until_the_next_correction_would_not_matter(monkeypatch):
    """A solver that is off by a hundredth leaves nothing of it: the walk is the one done on the full matrix."""
    n, links = grid_links((4, 5, 3), 3, 1)
    seeds = np.array([0, n - 1, 7])
    found = []
    real = random_walk._refined

    def refined(walk, solve, drive):
        found.append(real(walk, lambda residual: 0.99 * solve(residual), drive))
        return found[-1]

    monkeypatch.setattr(random_walk, "_refined", refined)
    first_seeds(n, links, seeds)
    free = np.setdiff1d(np.arange(n), seeds)
    np.testing.assert_allclose(found[0], dense_probabilities(n, links, seeds)[free], rtol=0, atol=1e-10)

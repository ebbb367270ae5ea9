"""Maps of every kind through find_regions: effects, F, maps of p, degrees of freedom by voxel, data and background."""

import tracemalloc
import warnings
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nilearn.glm.second_level import non_parametric_inference
from nilearn.image import threshold_img
from nilearn.regions import connected_regions
from scipy import ndimage, stats

from bids_regions.errors import BadMap
from bids_regions.extraction import Criteria, Statistic, find_regions, presence
from bids_regions.extraction.distributions import one_tail
from bids_regions.extraction.presence import find_presence
from bids_regions.extraction.probabilities import find_significance
from bids_regions.extraction.smoothness import Smoothness

AFFINE = np.diag([3.0, 3, 3, 1])
SHAPE = (20, 22, 18)
BRAIN = np.zeros(SHAPE, bool)
BRAIN[2:-2, 2:-2, 2:-2] = True


def t_map(seed=0):
    """Smooth noise with a positive and a negative blob, 0 around it."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1.2)
    noise /= noise.std()
    noise[5:9, 5:9, 5:9] += 5
    noise[12:15, 12:15, 12:15] -= 5
    return noise * BRAIN


T = t_map()
P = np.where(BRAIN, 2 * stats.norm.sf(np.abs(T)), 1).astype(np.float32)
FEW = Criteria(threshold="p=0.001", min_region_voxels=5)


def found(data, threshold, statistic, *, mask=BRAIN, peaks=None, **asked):
    criteria = Criteria(threshold=threshold, **{"min_region_voxels": 5, **asked})
    return find_regions(data, AFFINE, criteria, mask=mask, statistic=statistic, peaks=peaks)


def facts(regions):
    return [(r.sign, r.n_voxels, round(r.peak.value, 6)) for r in regions]


# --- effects and F ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["effect", "psc", "foo"])
@pytest.mark.parametrize("tail", ["bi", "two", "positive", "negative"])
def test_effects_are_thresholded_as_z(word, tail):
    ours, z = (found(T, "2.5", Statistic(kind), tail=tail) for kind in (word, "z"))
    assert np.array_equal(ours.labels, z.labels)
    assert facts(ours.regions) == facts(z.regions)
    assert ours.warnings == z.warnings
    with pytest.raises(BadMap, match=f"of the {word} map, and p is known for z, t, F and chi2 only"):
        found(T, "p=0.01", Statistic(word))


@pytest.mark.parametrize("threshold", ["3.0", "97%"])
@pytest.mark.parametrize("extract_type", ["connected_components", "local_regions"])
def test_the_convention_of_nilearn_on_an_effect_map(threshold, extract_type):
    """Nilearn knows no statistics: the real map, called an effect, gives its own regions bit for bit."""
    image = nib.load(Path(find_spec("nilearn").origin).parent / "datasets" / "data" / "image_10426.nii.gz")
    data = np.asanyarray(image.dataobj)
    asked = threshold if threshold.endswith("%") else float(threshold)
    kept = threshold_img(image, asked, two_sided=True, copy_header=True)
    theirs, _ = connected_regions(kept, extract_type=extract_type)
    criteria = Criteria(convention="nilearn", threshold=threshold, extract_type=extract_type)
    ours = find_regions(data, image.affine, criteria, statistic=Statistic("effect"))
    numbers = np.arange(1, len(ours.regions) + 1)
    assert len(numbers) == theirs.shape[-1] > 1
    assert np.array_equal(np.where(ours.labels[..., None] == numbers, data[..., None], 0), theirs.get_fdata())


@pytest.mark.parametrize("p", [0.5, 0.05, 1e-3, 1e-6])
@pytest.mark.parametrize(
    ("statistic", "oracle"),
    [
        (Statistic("F", dof=(2, 98)), stats.f(2, 98)),
        (Statistic("F", dof=(7, 12.5)), stats.f(7, 12.5)),
        (Statistic("chi2", dof=3), stats.chi2(3)),
        (Statistic("t", dof=11), stats.t(11)),
        (Statistic("z"), stats.norm),
    ],
)
def test_p_of_each_statistic_by_scipy(statistic, oracle, p):
    tail = one_tail(statistic)
    assert tail.inverse(p) == pytest.approx(oracle.isf(p), rel=1e-7)
    values = np.array([0.3, 1.7, 9.0])
    assert np.exp(tail.log_p(values)) == pytest.approx(oracle.sf(values), rel=1e-9)


def test_far_tails_are_numbers():
    """Where scipy's inverse gives inf: the p of what we give is the p asked for."""
    f = one_tail(Statistic("F", dof=(2, 98)))
    assert f.log_p(np.array([f.inverse(1e-250)]))[0] == pytest.approx(np.log(1e-250), rel=1e-9)


def test_false_discoveries_of_an_f_map_by_definition():
    f = np.where(BRAIN, T**2 / 2, 0)
    cutoff = found(f, "fdr=0.05", Statistic("F", dof=(2, 98))).cutoff
    p = np.sort(stats.f.sf(f[BRAIN], 2, 98))
    last = np.flatnonzero(p <= 0.05 * np.arange(1, p.size + 1) / p.size)[-1]
    assert cutoff.value == pytest.approx(stats.f.isf(p[last], 2, 98))
    assert (cutoff.n_tested, cutoff.dof, cutoff.tail) == (p.size, (2, 98), "positive")


# --- degrees of freedom of each voxel ---------------------------------------------------------------------------------


def test_degrees_of_freedom_voxel_by_voxel():
    dof = np.where(np.arange(SHAPE[0])[:, None, None] < 10, 8.0, 20.0) * BRAIN
    t = Statistic("t", dof_map=dof)
    ours = found(T, "p=0.001", t, min_region_voxels=1)
    cutoffs = np.where(dof > 0, stats.t.isf(0.0005, np.maximum(dof, 1)), np.inf)
    assert np.array_equal(ours.labels > 0, np.abs(T) >= cutoffs)
    assert ours.cutoff.range == pytest.approx((stats.t.isf(0.0005, 20), stats.t.isf(0.0005, 8)))
    assert ours.cutoff.value == ours.cutoff.range[0]
    p = 2 * stats.t.sf(np.abs(T[BRAIN]), dof[BRAIN])
    q = stats.false_discovery_control(p)
    loose = found(T, "fdr=0.3", t, min_region_voxels=1)
    assert np.array_equal(loose.labels[BRAIN] > 0, q <= 0.3)
    assert loose.cutoff.n_tested == BRAIN.sum()
    assert found(T, "3.0", t).cutoff.range is None


# --- maps of p --------------------------------------------------------------------------------------------------------

SCALES = {
    "p": P,
    "1mp": 1 - P,
    "logp": -np.log10(P),
    "sig": (-np.log10(P) * np.sign(T)).astype(np.float32),
}


@pytest.mark.parametrize("threshold", ["p=0.05", "p=0.001"])
@pytest.mark.parametrize("word", SCALES)
def test_the_same_labels_from_every_scale(word, threshold):
    ours = found(SCALES[word], threshold, Statistic(word), min_region_voxels=1)
    first = found(P, threshold, Statistic("p"), min_region_voxels=1)
    assert np.array_equal(ours.labels > 0, first.labels > 0)
    assert {r.sign for r in ours.regions} == ({"positive", "negative"} if word == "sig" else {"positive"})
    highest = max(region.peak.value for region in ours.regions)
    assert highest > 7 if word == "1mp" else highest == pytest.approx(-np.log10(P.min()), rel=1e-5)
    assert any("-log10 p stands for the value" in text for text in ours.warnings)


def test_natural_logarithms_of_one_sign_have_none():
    """NIfTI's intents mean |value|: all negative or all positive is the same map, both signs is a signed one."""
    ln = np.log(P)
    one = found(ln, "p=0.001", Statistic("lnp", scale="ln", one_sign=True))
    other = found(-ln, "p=0.001", Statistic("lnp", scale="ln", one_sign=True))
    assert facts(one.regions) == facts(other.regions)
    assert np.array_equal(one.labels > 0, found(P, "p=0.001", Statistic("p")).labels > 0)
    signed = found(ln * -np.sign(T), "p=0.001", Statistic("lnp", scale="ln", one_sign=True))
    assert [r.sign for r in signed.regions] == ["positive", "negative"]
    words = found(-SCALES["logp"], "p=0.001", Statistic("logp"))  # a word's sign is the tail
    assert {r.sign for r in words.regions} == {"negative"}


def test_peaks_of_a_p_map_come_from_the_map_beside_it():
    """Extent from p alone; the maxima, mean, SD, sum and centre of t inside; the sign is the main peak's."""
    ours = found(P, "p=0.001", Statistic("p"), peaks=T)
    assert [r.sign for r in ours.regions] == ["positive", "negative"]
    for region in ours.regions:
        inside = ours.labels == region.index
        values = T[inside]
        main = np.abs(np.where(inside, T, 0)).argmax()
        assert region.peak.value == T.flat[main]
        assert region.peak.ijk == np.unravel_index(main, SHAPE)
        assert region.mean_value == pytest.approx(values.mean())
        assert region.sd_value == pytest.approx(values.std(ddof=1))
        assert region.sum_value == pytest.approx(values.sum())
        centre = np.average(np.argwhere(inside), axis=0, weights=np.abs(values)) * 3
        assert region.com_xyz == pytest.approx(tuple(centre))
    assert not any("stands for the value" in text for text in ours.warnings)


def test_a_p_of_zero_is_significant_inside_the_mask_alone():
    data = P.copy()
    data[6, 6, 6] = 0
    outside = data.copy()
    outside[0] = 0
    inside = found(outside, "p=0.001", Statistic("p"))
    assert inside.labels[6, 6, 6] == 1
    assert not inside.labels[0].any()
    bare = found(outside, "p=0.001", Statistic("p"), mask=None)
    assert not bare.labels[0].any()
    assert bare.labels[6, 6, 6] == 0
    lost = data.copy()
    lost[6, 6, 6] = np.nan
    assert found(lost, "p=0.001", Statistic("p")).labels[6, 6, 6] == 0


def test_false_discoveries_and_bonferroni_of_p():
    q = stats.false_discovery_control(P[BRAIN].astype(np.float64))
    by_q = found(P, "fdr=0.05", Statistic("uncp", scale="p"), min_region_voxels=1)
    assert np.array_equal(by_q.labels[BRAIN] > 0, q <= 0.05)
    assert by_q.cutoff.n_tested == BRAIN.sum()
    again = found(SCALES["sig"], "fdr=0.05", Statistic("sig"), min_region_voxels=1)
    assert np.array_equal(again.labels > 0, by_q.labels > 0)
    strict = found(P, "bonferroni=0.05", Statistic("p"), min_region_voxels=1)
    assert np.array_equal(strict.labels[BRAIN] > 0, P[BRAIN] <= np.float32(0.05 / BRAIN.sum()))
    none = found(np.where(BRAIN, 0.5, 1).astype(np.float32), "fdr=0.05", Statistic("p"))
    assert none.regions == ()


@pytest.mark.parametrize(
    ("word", "threshold", "asked", "message"),
    [
        ("p", "0.05", {}, r"0\.05 was asked of the p map, whose numbers are p.*write p=0\.05"),
        ("p", "3.0", {}, r"whose numbers are p.*such as p=0\.05"),
        ("logp", "97%", {}, r"97% was asked of the logp map, whose numbers are p.*p=0\.05"),
        ("p", "ratio=0.1", {}, "whose numbers are p"),
        ("p", "fwe=0.05", {}, "whose numbers are p"),
        ("logp", "fdr=0.05", {}, r"may be corrected for multiple tests already.*write p=0\.05"),
        ("1mp", "bonferroni=0.01", {}, r"may be corrected.*write p=0\.01"),
        ("p", "p=0.05", {"tail": "negative"}, "negative tail was asked of the p map"),
        ("p", "p=0.05", {"grf": True}, "known for z, t and F only"),
        ("p", "p=0.05", {"tdp": True}, "known for z and t only"),
        ("corrp", "p=0.05", {}, r"scale of the corrp map of p is not told.*scale="),
    ],
)
def test_what_is_refused_of_maps_of_p(word, threshold, asked, message):
    with pytest.raises(BadMap, match=message):
        found(SCALES.get(word, P), threshold, Statistic(word), **asked)


def test_numbers_that_cannot_be_p_are_refused():
    with pytest.raises(BadMap, match=r"holds values from .* which are no p on the scale p.*--p-scale"):
        found(SCALES["logp"], "p=0.05", Statistic("p"))


def test_a_bare_value_on_the_other_scales_is_one_of_the_map():
    """FSL's 0.95 of a corrp image, and 1.3 of a map of -log10 p."""
    assert np.array_equal(found(1 - P, "0.95", Statistic("1mp")).labels > 0,
                          found(P, "p=0.05", Statistic("p")).labels > 0)  # fmt: skip
    assert found(SCALES["logp"], "1.3", Statistic("logp")).cutoff.value == 1.3


def test_significance_on_each_scale():
    for scale, values in (("p", [0.1, 0.01]), ("1-p", [0.9, 0.99]), ("log10", [1, 2]), ("ln", np.log([0.1, 0.01]))):
        assert find_significance(np.array(values), scale) == pytest.approx([1, 2])


@pytest.mark.parametrize("kind", ["logp_max_t", "logp_max_size", "logp_max_mass", "logp_max_tfce"])
def test_nilearns_permutation_maps(permuted, kind):
    """Run for real: the map of -log10 p is told by its word, its extent is what lies at or above the p."""
    maps, mask = permuted
    logp, t = maps[kind].get_fdata(dtype=np.float32), maps["t"].get_fdata()
    ours = found(logp, "p=0.1", Statistic(kind), mask=mask, peaks=t, min_region_voxels=1)
    assert ours.regions
    assert np.array_equal(ours.labels > 0, (logp >= np.float32(1)) & mask)
    assert ours.regions[0].peak.value == pytest.approx(t[ours.labels == 1].max())
    assert {r.sign for r in ours.regions} == {"positive"}


@pytest.fixture(scope="module")
def permuted():
    rng = np.random.default_rng(1)
    shape = (9, 9, 9)
    images = []
    for _ in range(12):
        data = ndimage.gaussian_filter(rng.standard_normal(shape), 0.8)
        data[3:6, 3:6, 3:6] += 1.2
        images.append(nib.Nifti1Image(data.astype(np.float32), AFFINE))
    mask = nib.Nifti1Image(np.ones(shape, np.uint8), AFFINE)
    import pandas as pd  # noqa: PLC0415 # heavy, and of this fixture alone

    design = pd.DataFrame({"intercept": np.ones(len(images))})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the types of nilearn's own images
        maps = non_parametric_inference(
            images, design_matrix=design, model_intercept=True, n_perm=99, mask=mask, threshold=0.001, tfce=True,
            random_state=0,
        )  # fmt: skip
    return maps, np.ones(shape, bool)


# --- data, background, thresholded before -----------------------------------------------------------------------------


def test_zeros_inside_a_mask_are_no_data_and_said():
    hole = T.copy()
    hole[4:8, 15:18, 4:8] = 0
    ours = found(hole, "fdr=0.05", Statistic("z"))
    assert ours.cutoff.n_tested == BRAIN.sum() - 48
    assert ours.cutoff.population == "voxels in the mask that have data"
    assert f"48 of the {BRAIN.sum()} voxels of the mask have no data (0 or NaN) and are not tested" in ours.warnings
    assert found(T, "fdr=0.05", Statistic("z")).cutoff.population == "voxels in the mask"
    assert found(hole, "3.0", Statistic("z")).cutoff.population_size == BRAIN.sum()


@pytest.mark.parametrize("threshold", ["fdr=0.05", "bonferroni=0.05"])
def test_a_map_that_was_thresholded_before(threshold):
    cut = np.where(np.abs(T) >= 2.5, T, 0)
    with pytest.raises(BadMap, match="was thresholded already"):
        found(cut, threshold, Statistic("z"))
    for asked in ({"grf": True}, {"tdp": True}):
        with pytest.raises(BadMap, match="was thresholded already"):
            found(cut, "3.0", Statistic("z"), **asked)
    for fine in ("3.0", "p=0.001", "97%"):
        assert found(cut, fine, Statistic("z")).regions
    assert found(cut, threshold, Statistic("F", dof=(2, 98))).cutoff.n_tested == np.count_nonzero(cut[BRAIN])


@pytest.mark.parametrize("constant", [1e-15, -1.0, -8.2095, np.nan, 0])
def test_background_is_no_data(constant):
    """One value of most border voxels, whatever it is; never in a percentile over the image, nor in a convention."""
    data = np.where(BRAIN, T, constant).astype(np.float32)
    ours, plain = (found(each, "bonferroni=0.05", Statistic("z"), mask=None) for each in (data, T.astype(np.float32)))
    assert ours.cutoff.value == plain.cutoff.value
    assert np.array_equal(ours.labels, plain.labels)
    if constant and not np.isnan(constant):
        assert any("taken as background, which is no data" in text for text in ours.warnings)
        whole = np.percentile(np.abs(data.astype(np.float64)), 50)
        assert found(data, "50%", Statistic("z"), mask=None).cutoff.value == pytest.approx(whole, rel=1e-6)
        named = found(data, "0.5", Statistic("z"), mask=None, convention="afni")
        assert any("the convention of afni counts it as data" in text for text in named.warnings)
        assert (named.labels[0] > 0).all() == (abs(constant) >= 0.5)


def test_what_is_no_background():
    z = Statistic("z")
    cropped = np.where(np.arange(SHAPE[0])[:, None, None] < 19, 1.0, 0.0) * np.ones(SHAPE)
    assert find_presence(cropped, None, z).background is None  # a map of one value and zeros
    noise = np.random.default_rng(0).standard_normal(SHAPE)
    assert find_presence(noise, None, z).background is None
    assert find_presence(np.where(BRAIN, noise, 0), None, z).background is None
    filled = noise.copy()
    filled[1:-1, 1:-1, 1:-1] = np.where(noise[1:-1, 1:-1, 1:-1] > 2, 5.0, 0.25)  # not on the border, over half inside
    assert find_presence(filled, None, z).background is None
    agreeing = filled != 0.25
    assert find_presence(filled, agreeing, z).background == 0.25  # a second criterion: the mask
    ones = np.where(noise > 1, 0.01, 1.0)
    ones[[0, -1]], ones[:, [0, -1]], ones[:, :, [0, -1]] = noise[[0, -1]], noise[:, [0, -1]], noise[:, :, [0, -1]]
    assert find_presence(ones, None, Statistic("p")).background == 1.0  # or a p of 1
    assert find_presence(ones, None, z).background is None


# --- infinite values --------------------------------------------------------------------------------------------------


def test_infinite_peaks_are_kept():
    data = np.zeros(SHAPE)
    data[3:9, 3:9, 3:9], data[5:7, 5:7, 5:7] = 5, np.inf
    data[12, 12, 12] = -np.inf
    ours = found(data, "7.0", Statistic("z"), mask=None, min_region_voxels=1)
    assert facts(ours.regions) == [("positive", 8, 5.0), ("negative", 1, -5.0)]
    whole = found(data, "3.0", Statistic("z"), mask=None).regions[0]
    assert (whole.n_voxels, whole.mean_value, whole.sd_value) == (216, 5, 0)


def test_a_map_of_infinities_alone_has_no_values():
    data = np.zeros(SHAPE)
    data[3:6, 3:7, 3:5] = np.inf
    (region,) = found(data, "3.0", Statistic("z"), mask=None).regions
    assert np.isnan([region.peak.value, region.mean_value, region.sd_value, region.sum_value]).all()
    assert region.com_xyz == pytest.approx((12, 13.5, 10.5))  # all voxels weigh the same
    assert region.n_voxels == 24
    assert np.isnan([region.peak.z_equivalent, region.peak.p_unc]).all()  # no p of a value that is none


def test_an_f_map_of_infinities_alone_has_no_p_of_peaks():
    data = np.zeros(SHAPE)
    data[3:6, 3:7, 3:5] = np.inf
    told = Smoothness(dlh=0.2, volume=BRAIN.size, voxels_per_resel=8.0, fwhm_mm=(6.0, 6.0, 6.0), origin="option")
    f = Statistic("F", dof=(2, 98))
    criteria = Criteria(threshold="3.0", rft=True, min_region_voxels=1)
    (region,) = find_regions(data, AFFINE, criteria, statistic=f, mask=np.ones(SHAPE, bool), smoothness=told).regions
    peak = region.peak
    assert np.isnan([peak.p_fwe, peak.q_fdr, peak.z_equivalent, peak.p_unc, region.p_peak, region.q_peak]).all()


def test_infinities_that_pass_where_no_finite_value_does_are_told():
    data = np.random.default_rng(0).normal(0, 0.3, SHAPE)
    data[3:6, 3:7, 3:5] = np.inf
    ours = found(data, "fdr=0.05", Statistic("z"), mask=None)
    assert ours.n_above == 24
    assert "no finite value meets fdr=0.05" in ours.warnings


def test_a_constant_is_found_across_blocks_and_without_a_copy_of_the_map():
    """Of over half of all voxels, spread over blocks of which some hold none of it; the oracle counts at once."""
    rng = np.random.default_rng(0)
    data = np.asfortranarray(rng.standard_normal((90, 100, 60)).astype(np.float32))
    assert data.size > 4 * presence.BLOCK
    inside = np.zeros(data.shape, bool, order="F")
    inside[:, :, 25:35] = True
    filled = np.where(inside, data, np.float32(0.25))
    filled[0], filled[-1], filled[:, 0], filled[:, -1] = data[0], data[-1], data[:, 0], data[:, -1]  # no border tells
    filled[:, :, 0], filled[:, :, -1] = data[:, :, 0], data[:, :, -1]
    values, counts = np.unique(filled, return_counts=True)
    assert 2 * counts.max() > filled.size
    assert find_presence(filled, inside).background == values[counts.argmax()] == 0.25
    find_presence(data, inside)
    tracemalloc.start()
    try:
        find_presence(data, inside)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < data.nbytes

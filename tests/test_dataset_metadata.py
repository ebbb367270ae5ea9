import pytest
import trees
from bids import BIDSLayout

from bids_regions.dataset import (
    Selection,
    find_anatomical,
    find_dof,
    find_maps,
    find_mask,
    find_sibling,
    linked_datasets,
    open_dataset,
    pybids_configuration,
    read_metadata,
)
from bids_regions.errors import BadMap

NAME = "sub-01_ses-1_task-x_run-01_space-S_contrast-a_stat-z_statmap.nii.gz"


def one_map(root, **wanted):
    return find_maps(open_dataset(root), trees.selection(**wanted)).maps[0]


# The inheritance principle


@pytest.fixture
def nested(tmp_path):
    """Sidecars at every level, each saying where it is from and one thing of its own; some do not apply."""
    trees.describe(tmp_path)
    func = tmp_path / "sub-01" / "ses-1" / "func"
    trees.write_map(func / NAME)
    for number, path in enumerate(
        [
            tmp_path / "statmap.json",
            tmp_path / "sub-01" / "sub-01_run-1_statmap.json",
            tmp_path / "sub-01" / "ses-1" / "sub-01_ses-1_space-S_statmap.json",
            func / NAME.replace(".nii.gz", ".json"),
            tmp_path / "task-other_statmap.json",
            tmp_path / "sub-01" / "sub-01_contrast-b_statmap.json",
            tmp_path / "sub-01" / "ses-1" / "sub-01_ses-1_acq-q_statmap.json",
            func / "sub-01_ses-1_task-x_bold.json",
            tmp_path / "sub-02" / "sub-02_statmap.json",
        ]
    ):
        trees.write_json(path, {"From": number, f"Only{number}": True, f"Shared{number // 2}": number})
    return tmp_path


def test_metadata_is_inherited_as_pybids_inherits_it(nested):
    layout = BIDSLayout(nested, config=pybids_configuration(), validate=False)
    expected = layout.get_metadata(str(nested / "sub-01" / "ses-1" / "func" / NAME))
    assert read_metadata(one_map(nested)) == expected
    assert expected == {"From": 3, "Shared0": 1, "Shared1": 3} | {f"Only{n}": True for n in range(4)}


def test_the_more_specific_of_two_sidecars_in_one_folder_wins(tmp_path):
    trees.write_map(tmp_path / "sub-01" / "sub-01_task-x_run-1_stat-z_statmap.nii.gz")
    trees.write_json(tmp_path / "task-x_run-1_statmap.json", {"a": "specific"})
    trees.write_json(tmp_path / "task-x_statmap.json", {"a": "general"})
    assert read_metadata(one_map(tmp_path)) == {"a": "specific"}


def test_a_sidecar_written_later_is_seen(tmp_path):
    trees.write_map(tmp_path / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    mapfile = one_map(tmp_path)
    assert read_metadata(mapfile) == {}
    trees.write_json(tmp_path / "statmap.json", {"a": 1})
    assert read_metadata(mapfile) == {"a": 1}


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"a":1,"a":2}', b"\xff", b'{"a":' * 300])
def test_a_broken_sidecar_fails_its_map(tmp_path, content):
    trees.write_map(tmp_path / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    trees.touch(tmp_path / "statmap.json", content)
    with pytest.raises(BadMap, match=r"The sidecar .*of sub-01/sub-01_stat-z_statmap\.nii\.gz cannot be used"):
        read_metadata(one_map(tmp_path))


# Degrees of freedom


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ({"DegreesOfFreedom": 120}, 120),
        ({"dof": "57.5"}, 57.5),
        ({"error_dof": [12]}, 12),
        ({"ErrorDegreesOfFreedom": 3, "EffectDegreesOfFreedom": 1}, 3),
        ({"ModelParameters": {"df_residual": 40}}, 40),
        ({"DegreesOfFreedom": "many", "dof": 8}, 8),
        ({"DegreesOfFreedom": [1, 20]}, None),
        ({"DegreesOfFreedom": 0}, None),
        ({"DegreesOfFreedom": -5}, None),
        ({"DegreesOfFreedom": True}, None),
        ({"DegreesOfFreedom": "inf"}, None),
        ({"DegreesOfFreedom": 10**400}, None),
        ({"DegreesOfFreedom": None, "ModelParameters": [3], "Statistic": "t"}, None),
    ],
)
def test_degrees_of_freedom_are_read_from_sidecars(tmp_path, content, value):
    trees.write_map(tmp_path / "sub-01" / "sub-01_stat-t_statmap.nii.gz")
    trees.write_json(tmp_path / "sub-01" / "sub-01_stat-t_statmap.json", content)
    found = find_dof(one_map(tmp_path))
    assert (found.value, found.map_path) == (value, None)
    assert ("sidecar" in found.source) is (value is not None)


def test_the_dof_map_beside_a_map_is_found(tmp_path):
    mapfile = one_map(trees.halfpipe(tmp_path), participants=("01",))
    found = find_dof(mapfile)
    assert found.value is None
    assert found.map_path.name == "sub-01_task-rest_feature-seedCorr_seed-acc_stat-dof_statmap.nii.gz"


# Siblings


def test_a_sibling_differs_in_just_what_was_named(tmp_path):
    root = trees.fitlins(tmp_path)
    mapfile = one_map(root, participants=("01",))
    sibling = find_sibling(mapfile, {"stat": "effect"})
    assert sibling == root / mapfile.relpath.replace("stat-z", "stat-effect")
    assert find_sibling(mapfile, {"stat": "dof"}) is None
    assert find_sibling(mapfile, {"stat": "effect", "run": "3"}) is None
    assert find_sibling(mapfile, {"stat": "effect", "run": None}) is None


def test_a_sibling_may_order_its_entities_otherwise_and_be_uncompressed(tmp_path):
    folder = tmp_path / "node-n" / "sub-01"
    trees.write_map(folder / "sub-01_contrast-a_stat-z_statmap.nii.gz")
    other = trees.write_map(folder / "sub-01_stat-effect_contrast-a_statmap.nii")
    trees.write_map(folder / "sub-01_stat-effect_contrast-a_desc-x_statmap.nii")
    mapfile = one_map(tmp_path)
    assert find_sibling(mapfile, {"stat": "effect"}) == other
    assert find_sibling(mapfile, {"stat": "effect", "desc": "x"}).name.endswith("desc-x_statmap.nii")


def test_a_sibling_has_all_other_entities(tmp_path):
    trees.write_map(tmp_path / "node-n" / "sub-01_contrast-a_stat-z_statmap.nii.gz")
    trees.write_map(tmp_path / "node-n" / "sub-01_stat-effect_statmap.nii.gz")
    mapfile = one_map(tmp_path)
    assert find_sibling(mapfile, {"stat": "effect"}) is None
    assert find_sibling(mapfile, {"stat": "effect", "contrast": None}).name == "sub-01_stat-effect_statmap.nii.gz"


# Masks


def mask_of(root, **wanted):
    dataset = open_dataset(root)
    path, note = find_mask(find_maps(dataset, trees.selection(**wanted)).maps[0], dataset)
    return path and path.relative_to(root).as_posix(), note


def test_the_mask_of_the_same_run_is_taken(tmp_path):
    found, note = mask_of(trees.fmriprep_like(tmp_path), participants=("01",), runs=("2",))
    assert found == note
    assert (
        found == "sub-01/ses-1/func/sub-01_ses-1_task-nback_run-02_space-MNI152NLin6Asym_res-2_desc-brain_mask.nii.gz"
    )


def test_the_ladder_of_masks(tmp_path):
    """Each mask is better than those before; removing the best leaves the next, and none that says more or else."""
    trees.describe(tmp_path)
    func, anat = tmp_path / "sub-01" / "func", tmp_path / "sub-01" / "anat"
    trees.write_map(func / "sub-01_task-x_run-1_space-S_contrast-a_stat-z_statmap.nii.gz")
    ladder = [
        anat / "sub-01_space-S_desc-brain_mask.nii.gz",
        func / "sub-01_task-x_space-S_desc-brain_mask.nii.gz",
        func / "sub-01_task-x_run-01_space-S_desc-brain_mask.nii.gz",
    ]
    unfit = ["run-2_space-S_desc-brain", "run-1_space-T_desc-brain", "run-1_space-S_desc-csf", "run-1_desc-brain"]
    unfit += ["run-1_space-S_acq-q_desc-brain", "run-1_space-S_label-GM"]
    for name in unfit:
        trees.write_mask(func / f"sub-01_task-x_{name}_mask.nii.gz")
    trees.write_mask(tmp_path / "sub-02" / "func" / "sub-02_task-x_run-1_space-S_desc-brain_mask.nii.gz")
    for path in ladder:
        trees.write_mask(path)
    while ladder:
        assert mask_of(tmp_path)[0] == ladder[-1].relative_to(tmp_path).as_posix()
        ladder.pop().unlink()
    assert mask_of(tmp_path) == (None, "no brain mask with the map's entities was found")


def test_masks_of_derivatives_that_are_not_linked_stay_where_they_are(tmp_path):
    assert mask_of(trees.raw_with_derivatives(tmp_path), participants=("01",))[0] is None


def test_only_nifti_files_with_the_very_suffix_are_masks(tmp_path):
    folder = tmp_path / "sub-01"
    trees.write_map(folder / "sub-01_space-S_stat-z_statmap.nii.gz")
    mask = trees.write_mask(folder / "sub-01_space-S_mask.nii")
    for name in ("sub-01_space-S_mask.json", "sub-01_space-S_brainmask.nii", "._sub-01_space-S_mask.nii"):
        trees.touch(folder / name)
    trees.touch(folder / ".sub-01_space-S_desc-brain_mask.nii")
    assert mask_of(tmp_path)[0] == mask.relative_to(tmp_path).as_posix()


@pytest.mark.parametrize("shape", ["halfpipe", "nilearn"])
def test_masks_beside_the_maps_are_found(tmp_path, shape):
    stem = {"halfpipe": "sub-01_task-rest_feature-f_seed-s", "nilearn": "sub-01_task-rest_space-S"}[shape]
    trees.write_map(tmp_path / "sub-01" / f"{stem}_contrast-a_stat-z_statmap.nii.gz")
    trees.write_mask(tmp_path / "sub-01" / f"{stem}_mask.nii.gz")
    assert mask_of(tmp_path)[0] == f"sub-01/{stem}_mask.nii.gz"


def test_a_group_map_has_the_mask_beside_it(tmp_path):
    trees.write_map(tmp_path / "group" / "contrast-a_stat-z_statmap.nii.gz")
    trees.write_mask(tmp_path / "group" / "mask.nii.gz")
    assert mask_of(tmp_path)[0] == "group/mask.nii.gz"


def test_the_mask_of_a_linked_dataset_is_found(tmp_path):
    prep = trees.fmriprep_like(tmp_path / "prep dir", participants=("01",), sessions=(None,))
    root = trees.describe(tmp_path / "glm", DatasetLinks={"prep": (tmp_path / "prep dir").as_uri(), "doi": "doi:1/2"})
    trees.write_map(root / "node-a" / "sub-01" / "sub-01_task-nback_run-1_space-MNI152NLin6Asym_stat-z_statmap.nii.gz")
    dataset = open_dataset(root)
    found, _ = find_mask(find_maps(dataset, Selection()).maps[0], dataset)
    assert found.parent == prep / "sub-01" / "func"
    assert "run-01" in found.name


@pytest.mark.parametrize(
    "links",
    [
        None,
        "x",
        {"a": 3},
        {"a": "http://x/y"},
        {"a": "file://host/data"},
        {"a": "../none"},
        {"a": "\0"},
        {"a": "file://["},
        {"a": "x" * 5000},
    ],
)
def test_links_that_lead_nowhere_are_passed_over(tmp_path, links):
    assert linked_datasets(open_dataset(trees.describe(tmp_path, DatasetLinks=links))) == []


def test_links_to_other_machines_are_not_taken_for_paths(tmp_path):
    links = {"a": f"http://x{tmp_path}", "b": f"file://host{tmp_path}", "c": f"doi:{tmp_path}"}
    assert linked_datasets(open_dataset(trees.describe(tmp_path / "maps", DatasetLinks=links))) == []


def test_relative_links_start_at_the_dataset(tmp_path):
    (tmp_path / "prep").mkdir()
    root = trees.describe(tmp_path / "glm", DatasetLinks={"prep": "../prep"})
    assert linked_datasets(open_dataset(root)) == [tmp_path / "prep"]


# Anatomy


def test_the_anatomy_in_the_space_of_the_map_is_found(tmp_path):
    root = trees.fmriprep_like(tmp_path)
    dataset = open_dataset(root)
    found = find_anatomical(find_maps(dataset, Selection()).maps[0], dataset)
    assert found.name == "sub-01_ses-1_space-MNI152NLin6Asym_res-2_desc-preproc_T1w.nii.gz"


def test_the_anatomy_of_a_map_in_native_space_names_no_space(tmp_path):
    root = trees.fmriprep_like(tmp_path)
    trees.write_map(root / "sub-01" / "ses-1" / "func" / "sub-01_ses-1_task-nback_space-T1w_stat-z_statmap.nii.gz")
    dataset = open_dataset(root)
    found = find_anatomical(find_maps(dataset, Selection(asked={"space": ("T1w",)})).maps[0], dataset)
    assert found.name == "sub-01_ses-1_desc-preproc_T1w.nii.gz"


def test_the_anatomy_of_another_derivative_of_the_same_raw_dataset_is_found(tmp_path):
    dataset = open_dataset(trees.raw_with_derivatives(tmp_path))
    maps = find_maps(dataset, Selection(asked={"sub": ("02",)})).maps
    assert find_anatomical(maps[0], dataset).is_relative_to(tmp_path / "derivatives" / "fmriprep" / "sub-02")
    assert find_anatomical(maps[-1], dataset) is None  # its space is not known


def test_a_group_map_has_no_anatomy(tmp_path):
    trees.write_map(tmp_path / "group" / "space-S_stat-z_statmap.nii.gz")
    trees.write_map(tmp_path / "group" / "space-S_desc-preproc_T1w.nii.gz")
    dataset = open_dataset(tmp_path)
    assert find_anatomical(find_maps(dataset, Selection()).maps[0], dataset) is None

"""Options, entries and configuration files: what is taken, what is refused, and in which words."""

from dataclasses import replace

import pytest

from bids_regions.cli import build_parser
from bids_regions.errors import Contradiction, MissingInput
from bids_regions.extraction.criteria import BUILT_IN, CONVENTIONS, Criteria, parse_threshold
from bids_regions.settings import OPTIONS, entries, make_entry, make_settings, name_of_threshold, read_configuration
from bids_regions.settings.entries import merge_layers


def settings(*words):
    return make_settings(build_parser().parse_args(["in", "out", "participant", *words]))


def configured(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    return read_configuration(tmp_path / "c.toml")


def problems(tmp_path, text):
    with pytest.raises(Contradiction) as caught:
        configured(tmp_path, text)
    assert caught.value.exit_code == 64
    assert all(str(tmp_path / "c.toml") in problem for problem in caught.value.problems)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("typed", "name"),
    [("3.0", "thr3p0"), ("97%", "pct97"), ("p=0.001", "p0p001"), ("fdr=0.05", "fdr0p05"),
     ("bonferroni=0.05", "bonf0p05"), ("ratio=0.05", "ratio0p05"), ("2.3", "thr2p3"), ("p=1e-5", "p1em5")],
)  # fmt: skip
def test_a_threshold_names_its_entry_as_typed(typed, name):
    assert name_of_threshold(typed) == name
    assert settings("--threshold", typed).entries[0].name == name


@pytest.mark.parametrize("typed", ["abc", "120%", "p=2", "p=0", "fdr=1", "ratio=1.5", "p=5%", "nan", "1e999", "3..0"])
def test_a_threshold_outside_the_grammar_is_refused(typed, capsys):
    with pytest.raises(Contradiction, match="threshold"):
        parse_threshold(typed)
    with pytest.raises(SystemExit) as caught:
        settings("--threshold", typed)
    assert caught.value.code == 2
    assert "--threshold" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "taken", "refused"),
    [
        *((kind + "={}", ("1e-9", "0.05", "0.999"), ("0", "1", "1.5", "-0.05")) for kind in
          ("p", "fdr", "bonferroni", "fwe")),
        ("ratio={}", ("0", "0.05", "1"), ("-0.05", "1.001")),
        ("{}%", ("0", "97.5", "100"), ("-1", "100.1")),
        ("{}", ("0", "3.0", "1e30"), ("-3", "inf")),
    ],
)  # fmt: skip
def test_the_ends_of_each_kind_of_threshold_are_taken_or_refused_as_they_are_told(form, taken, refused):
    assert [parse_threshold(form.format(number)).number for number in taken] == [float(number) for number in taken]
    for number in refused:
        with pytest.raises(Contradiction, match="threshold"):
            parse_threshold(form.format(number))


def test_the_defaults_are_those_promised():
    (entry,) = settings().entries
    c = entry.criteria
    assert (entry.name, c.threshold, c.tail, c.connectivity) == ("thr3p0", "3.0", "bi", 6)
    assert (c.extract_type, c.min_region_size, c.min_region_voxels) == ("connected_components", 1500, None)
    assert (c.max_peaks, c.min_peak_distance, entry.mask, c.smoothing_fwhm) == (3, 8, "auto", 6)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_convention_sets_every_knob_and_an_option_overrides_its_one(convention):
    knobs = CONVENTIONS[convention]
    (entry,) = settings("--convention", convention).entries
    criteria = entry.criteria
    for name in ("tail", "connectivity", "extract_type", "min_region_size", "min_region_voxels", "max_peaks",
                 "min_peak_distance", "strict", "percentile_offset", "size_strict", "order", "walker"):  # fmt: skip
        assert getattr(criteria, name) == knobs[name], name
    assert entry.mask == "none"
    (changed,) = settings("--convention", convention, "--connectivity", "18").entries
    same = [name for name in BUILT_IN if hasattr(criteria, name) and name not in ("connectivity", "peak_neighbourhood")]
    assert [getattr(changed.criteria, name) for name in same] == [getattr(criteria, name) for name in same]
    assert changed.criteria.connectivity == 18


def test_peer_knobs_are_those_of_the_contract():
    assert [CONVENTIONS[c]["strict"] for c in ("nilearn", "fsl", "spm", "afni")] == [False, False, True, False]
    assert [CONVENTIONS[c]["connectivity"] for c in ("nilearn", "fsl", "spm", "afni")] == [6, 26, 18, 6]
    assert [CONVENTIONS[c]["tail"] for c in ("nilearn", "fsl", "spm", "afni")] == ["two", "positive", "positive", "bi"]
    assert [CONVENTIONS[c]["max_peaks"] for c in ("nilearn", "fsl", "spm", "afni")] == [4, 6, 3, 1]
    assert Criteria(convention="fsl").peak_neighbourhood == 26
    assert Criteria(convention="fsl", connectivity=6).peak_neighbourhood == 6


@pytest.mark.parametrize(
    ("words", "mm3", "voxels"),
    [((), 1500, None), (("--min-region-voxels", "10"), None, 10), (("--min-region-size", "20"), 20, None),
     (("--min-region-size", "20", "--min-region-voxels", "10"), 20, 10),
     (("--convention", "fsl", "--min-region-size", "20"), 20, None)],
)  # fmt: skip
def test_one_size_rule_replaces_the_others_default_and_both_apply_together(words, mm3, voxels):
    criteria = settings(*words).entries[0].criteria
    assert (criteria.min_region_size, criteria.min_region_voxels) == (mm3, voxels)


def test_every_multiword_option_is_accepted_with_dash_and_underscore():
    for option in OPTIONS:
        for flag in option.flags:
            assert flag in option.spellings
            assert "--" + flag.lstrip("-").replace("-", "_") in option.spellings or not flag.startswith("--")
    given = build_parser().parse_args(["in", "out", "participant", "--participant_label", "01", "--min_region_size=3"])
    assert (given.participant_label, given.min_region_size) == (["01"], 3)


@pytest.mark.parametrize("name", [option.flags[0] for option in OPTIONS if option.entity])
def test_every_selection_takes_several_labels_at_once_and_again(name):
    asked = build_parser().parse_args(["in", "out", "participant", name, "1", "2", name, "3"])
    assert list(getattr(asked, name.strip("-").replace("-", "_"))) == ["1", "2", "3"]


def test_labels_lose_their_prefix_and_may_come_from_a_file(tmp_path):
    (tmp_path / "list.tsv").write_text("participant_id\tage\nsub-03\t5\n04\t6\n\n")
    found = settings("--participant-label", "sub-01", "02", f"@{tmp_path}/list.tsv")
    assert found.selection.participants == ("01", "02", "03", "04")
    with pytest.raises(MissingInput):
        settings("--participant-label", "@/nonexistent")


@pytest.mark.parametrize("text", ["", "\n \n", "participant_id\n"])
def test_a_file_without_a_label_does_not_ask_for_everybody(tmp_path, text):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(MissingInput, match=r"list\.txt has no label"):
        settings("--participant-label", f"@{tmp_path}/list.txt")


@pytest.mark.parametrize("place", [0, 1])
def test_an_empty_folder_is_not_the_one_a_user_stands_in(capsys, place):
    folders = ["in", "out"]
    folders[place] = ""
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([*folders, "participant"])
    assert ended.value.code == 2
    assert "the path is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--config-file", "c.toml", "--tail", "bi"), "--tail beside --config-file"),
        (("--executor", "dask"), "--executor dask and --scheduler-address belong together"),
        (("--scheduler-address", "tcp://h:1"), "belong together"),
        (("--force", "--dry-run"), "--force and --dry-run exclude each other"),
        (("--group-by", "age"), "--group-by is for the group level"),
        (("--threshold", "3", "--grf", "--connectivity", "6"), "grf with connectivity 6"),
        (("--threshold", "97%", "--cluster-alpha", "0.05"), "a height fixed beforehand"),
        (("--threshold", "fdr=0.05", "--grf"), "a height fixed beforehand"),
        (("--grf", "--extract-type", "local_regions"), "whole connected components"),
        (("--grf", "--rft"), "grf with rft: .* leave one out"),
        (("--rft", "--threshold", "97%"), "rft with threshold 97%: a height is needed"),
        (("--rft", "--threshold", "ratio=0.05"), "rft with threshold ratio=0.05"),
        (("--rft", "--extract-type", "local_regions"), "rft with local_regions"),
        (("--threshold", "3.0", "3.0"), "two thresholds would both be written as desc-thr3p0"),
    ],
)
def test_contradictions_are_refused_with_64(words, told):
    with pytest.raises(Contradiction, match=told) as caught:
        settings(*words)
    assert caught.value.exit_code == 64


@pytest.mark.parametrize(
    ("words", "mask"),
    [
        (("--convention", "spm"), "none"),
        (("--convention", "spm", "--rft"), "auto"),
        (("--convention", "fsl", "--threshold", "fwe=0.05"), "auto"),
        (("--convention", "afni", "--tdp"), "auto"),
        (("--convention", "fsl", "--cluster-alpha", "0.05"), "auto"),
        (("--convention", "spm", "--rft", "--mask", "none"), "none"),
    ],
)
def test_inference_takes_the_datasets_mask_with_every_convention(words, mask):
    (entry,) = settings(*words).entries
    assert entry.mask == mask


def test_random_field_theory_chooses_its_clusters():
    def asked(*words):
        return settings(*words).entries[0].criteria

    assert (asked("--rft").connectivity, asked("--grf").connectivity) == (18, 26)
    assert (asked("--rft", "--connectivity", "6").connectivity, asked("--rft", "--convention", "fsl").connectivity) == (
        6,
        26,
    )
    kept = asked("--rft", "--cluster-alpha", "0.05")
    assert (kept.rft, kept.grf, kept.connectivity) == (True, False, 18)
    assert asked("--cluster-alpha", "0.05").grf


@pytest.mark.parametrize("kinds", [["thresholded", "regions4d"], ["regions4d", "thresholded", "thresholded"]])
def test_what_else_is_written_stands_in_one_order_whatever_a_set_has(monkeypatch, kinds):
    monkeypatch.setattr(entries, "set", lambda given: list(dict.fromkeys(given)), raising=False)
    assert make_entry("a", {"threshold": "3.0", "also_write": kinds}).also_write == ("regions4d", "thresholded")


def test_the_smoothness_is_three_numbers():
    (entry,) = settings("--smoothness", "8.2", "8.1", "7.9").entries
    assert entry.smoothness == (8.2, 8.1, 7.9)
    assert entry.as_options()["smoothness"] == [8.2, 8.1, 7.9]
    with pytest.raises(Contradiction, match=r"smoothness = 8 7 is not three numbers.*along x, y and z"):
        settings("--smoothness", "8", "7")


def test_output_inside_itself_is_refused():
    with pytest.raises(Contradiction, match="OUTPUT_DIR is BIDS_DIR"):
        make_settings(build_parser().parse_args(["in", "./in", "participant"]))


def test_an_output_that_is_the_input_by_a_link_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").symlink_to("in")
    with pytest.raises(Contradiction, match="OUTPUT_DIR is BIDS_DIR"):
        make_settings(build_parser().parse_args([str(tmp_path / "in"), str(tmp_path / "out"), "participant"]))


def test_a_configuration_in_full(tmp_path):
    first, second = configured(
        tmp_path,
        """
min_region_size = 1200
max_peaks = 2
[[regions]]
name = "percentile"
threshold = "97%"
extract_type = "local_regions"
min_region_voxels = 12
[[regions]]
name = "intensity"
match = { stat = ["t", "z"], task = "auditory", run = false }
threshold = 3
convention = "fsl"
grf = true
atlas = "a.nii.gz"
""",
    )
    assert (first.name, first.criteria.threshold, first.criteria.extract_type) == ("percentile", "97%", "local_regions")
    assert (first.criteria.min_region_size, first.criteria.min_region_voxels) == (None, 12)
    assert dict(second.match) == {"stat": ["t", "z"], "task": "auditory", "run": False}
    assert (second.criteria.threshold, second.criteria.connectivity, second.criteria.grf) == ("3", 26, True)
    assert (second.criteria.min_region_size, second.criteria.min_region_voxels) == (1200, None)
    assert (second.criteria.max_peaks, second.mask, second.atlas) == (2, "auto", ("a.nii.gz",))


def test_precedence_is_builtin_convention_top_entry():
    layers = ({"max_peaks": 2}, {"max_peaks": 5, "convention": "fsl"})
    assert make_entry("a", merge_layers(layers)).criteria.max_peaks == 5
    assert make_entry("a", merge_layers(({"max_peaks": 2}, {"convention": "fsl"}))).criteria.max_peaks == 2
    assert make_entry("a", {"convention": "fsl"}).criteria.max_peaks == 6


def test_all_faults_are_told_at_once(tmp_path):
    told = problems(
        tmp_path,
        """
conectivity = 6
tail = 3
[[regions]]
name = "a b"
threshold = "97%"
grf = "yes"
[[regions]]
name = "b"
threshold = "abc"
match = { run = true }
max_peaks = 0
[[regions]]
name = "c"
threshold = "97%"
grf = true
connectivity = 6
""",
    )
    for fragment in (
        "unknown key 'conectivity'; did you mean 'connectivity'?",
        "tail = 3: write one text in quotes",
        "name = 'a b'; give one of letters and digits",
        "grf = 'yes': write true or false",
        "threshold = 'abc': threshold 'abc' is not understood",
        "run = True; write a label",
        "max_peaks = 0: 0 is not a whole number of at least 1",
        "regions 'c': grf with threshold 97%",
        "regions 'c': grf with connectivity 6",
    ):
        assert fragment in told


@pytest.mark.parametrize(
    "fault", ["bogus = 1", "max_peaks = 0", "match = { run = true }", "connectivity = 7", "threshold = true"]
)
def test_a_fault_hides_no_contradiction_of_its_entry(tmp_path, fault):
    told = problems(tmp_path, f'[[regions]]\nname = "a"\ngrf = true\nrft = true\nsmoothness = [8, 8]\n{fault}\n')
    assert fault.split()[0] in told
    assert "regions 'a': grf with rft" in told
    assert "regions 'a': smoothness = 8 8 is not three numbers. Give the FWHM" in told


@pytest.mark.parametrize(
    "lines",
    ['convention = "nilearn"\nextract_type = "whole"', "connectivity = 7", 'threshold = "abc"', 'threshold = "97"'],
)
def test_what_cannot_be_read_contradicts_nothing(tmp_path, lines):
    top = 'threshold = "p=0.001"\nconnectivity = 26\ntail = "up"\n'
    told = problems(tmp_path, f'{top}[[regions]]\nname = "a"\ngrf = true\n{lines}\n')
    assert "grf with" not in told
    assert "tail = 'up'" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = ", "is not valid TOML"),
        ("x = " + "[" * 20000, "is not valid TOML"),
        ("min_region_size = 5", "no [[regions]] table"),
        ('[regions]\nname = "a"', "no [[regions]] table"),
        ('regions = [{ name = "a", threshold = 3 }, 5]', "no [[regions]] table"),
        ('[[regions]]\nname = "a"\nthreshold = true', "threshold = True"),
        ('[[regions]]\nname = "a"\nthreshold = ["3"]', "write one text in quotes"),
        ('[[regions]]\nname = "a"\nconnectivity = 7', "choose from 6, 18, 26"),
        ('[[regions]]\nname = "a"\nmin_region_size = inf', "not a finite number"),
        ('[[regions]]\nname = "a"\nmask = ""', "mask = '': the value is empty"),
        ('[[regions]]\nname = "a"\nmask-s = "x"', "unknown key 'mask-s'; did you mean 'mask'?"),
        ('[[regions]]\nname = "a"\nmatch = 3', "match: write a table"),
        ('[[regions]]\nname = "a"\nmatch = { run = [] }', "run = []; write a label, a list of labels"),
        ('[[regions]]\nname = "a"\nmatch = { run = [1.5] }', "run = [1.5]; write a label, a list of labels"),
        (
            '[[regions]]\nname = "a"\nmatch = { run = ["1", true] }',
            "run = ['1', True]; write a label, a list of labels",
        ),
    ],
)
def test_each_fault_of_a_configuration_has_its_sentence(tmp_path, text, told):
    said = problems(tmp_path, text)
    assert told in said
    assert "?." not in said


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ('{ stat = "z" }', '{ stat = "t" }', False),
        ('{ stat = ["z", "t"] }', '{ stat = "t" }', True),
        ("{ run = false }", "{ run = 1 }", False),
        ('{ run = "01" }', "{ run = 1 }", True),
        ('{ sub = "01" }', '{ subject = "02" }', False),
        ("{ res = 2 }", "{ resolution = 3 }", False),
        ('{ stat = "Z" }', '{ stat = "z" }', True),
        ('{ sub = "*" }', '{ subject = "02" }', True),
        ('{ task = "a" }', '{ run = "1" }', True),
    ],
)
def test_equal_names_only_where_the_matches_cannot_both_hold(tmp_path, one, other, clash):
    text = f'[[regions]]\nname = "a"\nmatch = {one}\n[[regions]]\nname = "a"\nmatch = {other}\n'
    if clash:
        assert "two entries are named 'a'" in problems(tmp_path, text)
    else:
        assert [entry.name for entry in configured(tmp_path, text)] == ["a", "a"]


@pytest.mark.parametrize("fault", ["connectivity = 7", "unheard = 1", "grf = true\nrft = true", "match = 3"])
def test_equal_names_are_told_beside_other_faults_of_their_entries(tmp_path, fault):
    told = problems(tmp_path, f'[[regions]]\nname = "a"\n{fault}\n[[regions]]\nname = "a"\n')
    assert fault.split()[0] in told
    assert told.count("two entries are named 'a'") == (fault != "match = 3")  # what it matches is not known


@pytest.mark.parametrize(("text", "size"), [("8G", 8 * 2**30), ("512", 512 * 2**20), ("100MB", 100 * 2**20)])
def test_memory_has_units(text, size):
    assert settings("--mem", text).workers.mem == size


@pytest.mark.parametrize(
    "words", [("--mem", "x"), ("--mem", "9999999T"), ("--mem", "inf"), ("--dof", "0"), ("--min-prevalence", "0"),
              ("--values-from", "stat"), ("--nprocs", "0"), ("--min-peak-distance", "-1"), ("--cluster-alpha", "2"),
              ("--min-region-voxels", "-1"), ("--bogus",)]
)  # fmt: skip
def test_one_bad_value_ends_with_2(words):
    with pytest.raises(SystemExit) as caught:
        settings(*words)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ([], [("volume", 6)]),
        (["volume"], [("volume", 6)]),
        (["gifti"], [("gifti", 18)]),
        (["gifti", "cifti"], [("cifti", 18)]),
        (["gifti", "volume"], [("volume", 6), ("gifti", 18)]),
        (["cifti", "gifti", "volume"], [("volume", 6), ("cifti", 18)]),
    ],
)
def test_an_entry_is_told_once_for_volumes_and_once_for_surfaces_where_there_are_such_maps(forms, expected):
    (entry,) = settings().entries
    entry = replace(entry, on_surfaces=replace(entry.criteria, connectivity=18))
    assert [(one.form, one.criteria.connectivity) for one in entry.in_forms(forms)] == expected


def test_a_configuration_has_as_many_characters_and_dots_in_a_line_as_the_limits(tmp_path):
    entry = "[[regions]]\nname = 'a'\nthreshold = '3'\n"
    dots, full = "#" + "." * 200 + "\n", "#".ljust((1 << 20) - len(entry), "x")
    for more in (dots * 2, full):
        assert [one.name for one in configured(tmp_path, entry + more)] == ["a"]
    for more, said in (("." + dots, "more than 200 dots"), (full + "x", "larger than 1 MiB")):
        with pytest.raises(Contradiction, match=said):
            configured(tmp_path, entry + "#" + more)


def test_the_group_knows_every_file_of_surfaces_and_areas_once_and_no_word_for_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings().group.sheet_files == ()
    assert settings("--surfaces", "none", "--vertex-areas", "auto").group.sheet_files == ()
    found = settings("--threshold", "2", "3", "--surfaces", "L.gii", "R.gii", "--vertex-areas", "a.gii", "L.gii")
    assert [tmp_path / word for word in found.group.sheet_files] == [tmp_path / n for n in ("L.gii", "R.gii", "a.gii")]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("false", "'*'", True), ("'*'", "false", True), ("false", "'x'", True), ("['x', 'y']", "false", True),
        ("false", "false", False), ("'*'", "'x'", False), ("'x'", "'*'", False), ("'*'", "'*'", False),
        ("'x'", "'y'", True), ("['x', 'y']", "['y', 'z']", False),
    ],
)  # fmt: skip
def test_two_entries_share_a_name_where_no_map_can_match_both(tmp_path, one, other, apart):
    text = "".join(f"[[regions]]\nname = 'a'\nthreshold = '3'\nmatch = {{desc = {m}}}\n" for m in (one, other))
    if apart:
        assert [entry.name for entry in configured(tmp_path, text)] == ["a", "a"]
    else:
        assert "two entries are named 'a' and could both match a map" in problems(tmp_path, text)

"""The table of kinds, against the contract's own rows."""

import re
from pathlib import Path

import numpy as np
import pytest

from bids_regions.dataset import read_map_name
from bids_regions.extraction.statistics import KINDS, Statistic, intent_of, kind_of_intent, kind_of_word, told_kind

DOCS = Path(__file__).parent.parent / "docs"
CORRECTED = ["fwep", "fdrp", "tfcep", "pFWE", "corrp", "tfce_corrp", "vox_corrp", "pFDR", "cfwep", "qval"]


@pytest.mark.parametrize(
    ("words", "name", "both", "distribution"),
    [
        ("z Z zstat ZSTAT", "z", True, "normal"),
        ("zfstat", "z", False, "normal"),
        ("t T tstat spmT SPMT", "t", True, "t"),
        ("F f fstat spmF", "F", False, "F"),
        ("chi2 Chi2", "chi2", False, "chi2"),
        ("effect beta cope con psc d g r Effect PSC", "", True, None),
        ("variance varcope R2 rmse tsnr dof", "", False, None),
    ],
)
def test_words_of_statistics(words, name, both, distribution):
    for word in words.split():
        kind = kind_of_word(word)
        assert (kind.name, kind.both, kind.distribution, kind.is_p) == (name, both, distribution, False), word


@pytest.mark.parametrize(
    ("words", "scale"),
    [
        ("p pval pvalue P", "p"),
        ("1mp oneminusp", "1-p"),
        ("logp neglogp log10p sig logpFWE logp_max_t logpmaxtfce neglog10p", "log10"),
        (f"uncp {' '.join(CORRECTED)}", None),
    ],
)
def test_words_of_p_maps(words, scale):
    for word in words.split():
        kind = kind_of_word(word)
        assert (kind.is_p, kind.scale) == (True, scale), word
        assert kind.both == (scale == "log10"), word


@pytest.mark.parametrize(
    "word", ["", "statmap", "power", "phi", "prevalence", "preproc", "ppi", "loud", "pcnt", "psych"]
)
def test_any_other_word_is_a_signed_effect(word):
    assert kind_of_word(word) is None
    assert told_kind(word)[1] is kind_of_word("effect")


def test_p_that_is_not_corrected_yet():
    """Of the words in the table p, pval, pvalue, uncp and sig alone."""
    words = [word for kind in KINDS if kind.is_p for word in kind.words]
    open_ones = {word for word in words if Statistic(word, scale="p").uncorrected}
    assert open_ones == {"p", "pval", "pvalue", "uncp", "sig"}
    assert not any(Statistic(word, scale="1-p").uncorrected for word in CORRECTED)


@pytest.mark.parametrize(
    ("code", "word"), [(3, "t"), (4, "F"), (5, "z"), (6, "chi2"), (22, "p"), (24, "log10p"), (23, "lnp"), (2, "r")]
)
def test_intents(code, word):
    told, kind = kind_of_intent(code)
    assert told == word
    assert intent_of(Statistic(word, rule=kind)) == (0 if word == "r" else code)
    assert kind_of_intent(1001) is None


@pytest.mark.parametrize(
    ("name", "intent", "word"),
    [
        ("sub-1_stat-foo_desc-z_statmap.nii", 3, "foo"),  # stat-, known or not, decides
        ("sub-1_stat-T_statmap.nii", 5, "t"),
        ("sub-1_desc-z_tstat.nii", 5, "t"),  # else the suffix, then desc-, then the intent
        ("sub-1_desc-varcope_statmap.nii", 5, "varcope"),
        ("sub-1_desc-smooth_statmap.nii", 4, "F"),
        ("sub-1_desc-smooth_statmap.nii", 0, "unknown"),  # else a signed effect
    ],
)
def test_what_decides(name, intent, word):
    assert read_map_name(Path("in"), name).told(intent)[0] == word


def test_a_scale_told_apart_speaks_louder_than_words():
    assert Statistic("pval", scale="1-p").scale == "1-p"
    assert Statistic("vote", scale="log10").rule.is_p  # a word that nobody knows
    assert Statistic("effect", scale="log10").scale is None
    assert Statistic("z", scale="p").rule.distribution == "normal"


def test_statistics_of_other_degrees_of_freedom_are_others():
    """Also where these differ in one voxel alone; equal ones are equal whichever array holds them."""
    dof = np.full((2, 3), 12.0)
    other = dof.copy()
    other[1, 2] = 11
    assert Statistic("t", dof_map=dof) == Statistic("t", dof_map=dof.copy())
    assert hash(Statistic("t", dof_map=dof)) == hash(Statistic("t", dof_map=dof.copy()))
    assert Statistic("t", dof_map=dof) != Statistic("t", dof_map=other)
    assert Statistic("t", dof_map=dof) != Statistic("t", dof_map=dof.ravel())
    assert Statistic("t", dof_map=dof) != Statistic("t")
    assert Statistic("t", dof_map=dof) != Statistic("t", 12, dof_map=dof)
    assert Statistic("z") != "z"


def test_the_documentation_shows_every_kind():
    page = (DOCS / "kinds.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for kind in KINDS:
        row = next(line for line in rows if line.startswith(f"| {kind.title} |"))
        assert {word.lower() for word in re.findall(r"`(\w+)`", row)} >= set(kind.words)
        assert [int(code) for code in re.findall(r"\b(\d\d?)\b", row.split("|")[3])] == list(kind.intents)

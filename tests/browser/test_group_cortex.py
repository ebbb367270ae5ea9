"""The group page on surfaces: a row of the consensus turns to its peak, read out as so many of so many people."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser.conftest import Opener
from browser.test_cortex import NAME, blobs
from browser.test_reading import violations

from bids_regions.cli import main
from bids_regions.tables import rows_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people on fsaverage5; the third has none of it on the right."""
    folder = tmp_path_factory.mktemp("group")
    root = folder / "in"
    for k in range(1, 4):
        (root / f"sub-0{k}").mkdir(parents=True)
        for side in "LR":
            values = blobs(side) if k < 3 or side == "L" else np.ones_like(blobs(side))
            array = nib.gifti.GiftiDataArray(values, intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32")
            name = NAME.format(side).replace("sub-01", f"sub-0{k}")
            nib.save(nib.gifti.GiftiImage(darrays=[array]), root / f"sub-0{k}" / name)
    about = {"Name": "sheets", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "test"}]}
    (root / "dataset_description.json").write_text(json.dumps(about))
    words = ("--threshold", "3.0", "--min-region-area", "20", "--nprocs", "1")
    assert main([str(root), str(folder / "out"), "participant", "group", *words]) == 0
    return folder / "out"


def test_a_row_of_the_consensus_leads_to_its_peak_and_counts_people(out: Path, opened: Opener) -> None:
    shown = opened(out / "group.html").ready()
    (path,) = out.glob("tpl-*/*Consensus_dseg.tsv")
    rows = rows_of(path.read_text())
    assert {row["hemi"]: row["n_sharing"] for row in rows} == {"L": "3", "R": "2"}
    for number, row in enumerate(rows):
        shown.page.locator("table[id*=consensus] tbody tr, [id*=consensus] table tbody tr").nth(number).click()
        shown.page.wait_for_function(
            f"document.querySelector('#viewer [data-part=readout]').dataset.region == {row['index']}"
        )
        said = shown.read()["text"]
        assert (said["value"], said["unit"]) == (f"{row['n_sharing']} of 3", "participants")
        assert said["voxel"] == row["peak_vertex"]
    assert shown.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_group_page_on_surfaces_has_no_barrier(out: Path, opened: Opener, scheme: str) -> None:
    assert violations(opened(out / "group.html", color_scheme=scheme).ready()) == []

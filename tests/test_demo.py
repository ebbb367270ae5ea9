"""The demo's datasets: a real map in a volume and on the cortex, whole by one command."""

import nibabel as nib
import numpy as np
import pytest
from nilearn import surface

from bids_regions import demo
from bids_regions.cli import main


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    assert demo.run([str(folder)]) == 0
    return folder


@pytest.mark.parametrize(("side", "name"), [("L", "left"), ("R", "right")])
def test_the_cortex_has_what_nilearn_samples_there(made, side, name):
    """Half-way between white and pial; nilearn leaves away what lies outside of the image."""
    (path,) = (made / "surfaces").rglob(f"*hemi-{side}*_statmap.func.gii")
    ours = nib.load(path).darrays[0].data
    real = demo.find_real_map()
    meshes = [str(real.with_name("fsaverage5") / f"{kind}_{name}.gii.gz") for kind in ("pial", "white")]
    theirs = surface.vol_to_surf(str(real), meshes[0], inner_mesh=meshes[1], depth=[0.5], interpolation="linear")
    assert ours.shape == theirs.shape == (10242,)
    assert np.allclose(ours, np.nan_to_num(theirs), atol=1e-4)
    assert np.abs(ours).max() > 5


def test_the_demo_on_surfaces_runs(made, tmp_path):
    assert main([str(made / "surfaces"), str(tmp_path / "out"), "participant", "--nprocs", "1"]) == 0
    assert len(list((tmp_path / "out").rglob("*_dseg.label.gii"))) == 2
    assert (tmp_path / "out" / "sub-01.html").is_file()


def test_a_folder_must_be_named(capsys):
    assert demo.run([]) == 2
    assert "usage" in capsys.readouterr().err


def test_an_option_is_no_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert demo.run(["--help"]) == 0
    assert "usage" in capsys.readouterr().out
    assert demo.run(["--folder"]) == 2
    assert list(tmp_path.iterdir()) == []

from hypothesis import given
from hypothesis import strategies as st

from bids_regions.results.uris import output_uri, read_source, source_uri

# names as Linux allows them: any bytes but / and NUL, which Python reads with surrogates where they are no UTF-8
NAMES = st.binary(min_size=1).map(lambda name: name.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


@given(NAMES)
def test_every_name_comes_back_as_it_was(name):
    uri = source_uri(name)
    assert uri.isascii()
    assert read_source(uri) == name


def test_only_a_source_is_read_as_one():
    assert read_source(output_uri("sub-01/a.nii.gz")) is None
    assert read_source("none") is None
    assert output_uri("a b\udcff.nii.gz") == "bids::a%20b%FF.nii.gz"

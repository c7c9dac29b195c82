"""Sites by name and by layer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.activations.store import site_of_folder
from music_interpret.errors import InputError
from music_interpret.models.site import Site, chosen_sites

NAMES = st.one_of(
    st.integers(0, 400).map(lambda layer: Site.of_layer(layer).name),
    st.from_regex(r"(attn_out|mlp_out|resid_pre)\.\d{1,3}", fullmatch=True),
    st.from_regex(r"[a-z_]\w{0,8}(\.\w{1,8}){0,3}", fullmatch=True),
)


@given(st.integers(0, 10_000))
def test_layers_are_sites_and_back(layer):
    site = Site.of_layer(layer)
    assert site.layer == layer and site_of_folder(site.folder) == site and site.option == f"--layers {layer}"


@given(NAMES)
def test_a_folder_names_its_site(name):
    site = Site.of(name)
    assert site_of_folder(site.folder) == site or site.layer is not None
    assert (site.layer is None) == (site.title == f"site {name}")


@given(st.lists(st.integers(0, 20)), st.lists(NAMES), st.randoms())
def test_chosen_sites_do_not_depend_on_the_order(layers, names, random):
    if not layers and not names:
        return
    found = chosen_sites(layers, names)
    random.shuffle(layers)
    random.shuffle(names)
    assert chosen_sites(layers, names) == found and len(set(found)) == len(found)


def test_they_come_in_the_order_of_the_forward_pass():
    names = ("blocks.0.norm", "resid_post.0", "attn_out.1", "mlp_out.0", "resid_pre.0", "attn_out.0")
    found = [site.name for site in chosen_sites((0,), names)]
    assert found == ["resid_pre.0", "attn_out.0", "resid_mid.0", "mlp_out.0", "resid_post.0", "attn_out.1", names[0]]


@pytest.mark.parametrize("name", ["", ".", "a..b", "../x", "a/b", "3x", "x y", "é\n", "a." * 200 + "a", None, 3])
def test_what_cannot_be_a_site_is_refused(name):
    with pytest.raises(InputError, match="is no name; expected one such as resid_post.2"):
        Site.of(name)

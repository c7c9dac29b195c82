"""One check of what a folder was made from, with one wording."""

import json

import pytest

from music_interpret import provenance
from music_interpret.errors import InputError

MADE_FROM = {"sae_sha256": "a", "model_sha256": "b"}


def test_what_fits_is_read(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(MADE_FROM | {"format": 1, "more": 3}))
    noted = provenance.read(path, "index", "make it", made_from=MADE_FROM, format_number=1)
    assert noted["more"] == 3
    provenance.check(noted, {}, path, "nothing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no index in {folder}; run: make it"),
        ("[]", "{folder}/x.json holds no JSON object; run again: make it"),
        ("{", "{folder}/x.json is not valid JSON"),
        ('{"format": 2}', "{folder}/x.json has format 2; expected format 1; run again: make it"),
        (
            '{"format": 1, "sae_sha256": "z", "model_sha256": "b"}',
            "{folder}/x.json was made from another autoencoder (sae_sha256 differs); run again: make it",
        ),
        (
            '{"format": 1, "sae_sha256": "a"}',
            "{folder}/x.json was made from another model (model_sha256 differs); run again: make it",
        ),
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError) as caught:
        provenance.read(tmp_path / "x.json", "index", "make it", made_from=MADE_FROM, format_number=1)
    assert str(caught.value).startswith(message.format(folder=tmp_path)) and "\n" not in str(caught.value)

"""The rows that neuronpedia (https://www.neuronpedia.org) imports, as its public code has them.

    <model id>/<source id>/
        release.jsonl  model.jsonl  sourceset.jsonl  source.jsonl       one row each: `metadata`
        features/batch-0.jsonl.gz …                                     a `Feature` a line
        activations/batch-0.jsonl.gz …                                  an `Activation` a line
        explanations/batch-0.jsonl.gz …                                 an `Explanation` a line

Where it is written down; a file's commit is in brackets:

| what | where |
| --- | --- |
| folders, and what is read of them | hijohnnylin/neuronpedia, `apps/webapp/app/api/admin/import/route.ts` (3861c055) |
| a line's keys are columns; the first line's count for all | the same, `apps/webapp/lib/db/import.ts` (efd6e355) |
| columns, their types and defaults | the same, `apps/webapp/prisma/schema.prisma` (008d5040) |
| neighbours begin with the feature itself | the same, its pane of cosine similarities |
| what values mean, bins of examples | jbloomAus/SAEDashboard, `neuronpedia_converter.py` (03a615f7; release 0.8.0) |
| the same folders made of its `batch-0.json` | the same, `neuronpedia_export.py` (3ea1249a) |

Columns that have a default and of which we have nothing are left out, dates among them, so that the same run gives the
same bytes.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

CREATOR = "clkht01d40000jv08hvalcvly"
"""Id of the user `bot`, which neuronpedia's `prisma/seed.ts` makes in every instance to own what is imported."""
NAME = "Music Interpret"


class Place(NamedTuple):
    """What a run is called there: its page is /<model id>/<source id>/<feature>."""

    model_id: str
    """Small letters, digits, hyphens."""
    source_set: str
    """The runs of one experiment, a source for each layer; small letters, digits, single hyphens."""
    layer: int
    """Number of the layer."""

    @property
    def source_id(self) -> str:
        return f"{self.layer}-{self.source_set}"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A row of the table `Neuron`: one latent."""

    modelId: str
    layer: str
    """The source's id, not a number."""
    index: str
    """Number of the latent."""
    sourceSetName: str
    creatorId: str
    maxActApprox: float
    """Its largest value."""
    frac_nonzero: float
    """Fraction of all tokens that it fires on, 0 to 1."""
    freq_hist_data_bar_heights: list[int]
    """Firings in each of equal bins from 0 to the largest value; empty if it never fires."""
    freq_hist_data_bar_values: list[float]
    """Middle of each bin; as many as heights."""
    logits_hist_data_bar_heights: list[int]
    """Output words in each of equal bins of the effect on their logits."""
    logits_hist_data_bar_values: list[float]
    """Middle of each bin."""
    pos_str: list[str]
    """Output words whose logits it raises most, most first."""
    pos_values: list[float]
    """By how much."""
    neg_str: list[str]
    """Output words whose logits it lowers most, most first."""
    neg_values: list[float]
    """By how much, below 0."""
    neuron_alignment_indices: list[int]
    """Dimensions of the residual stream with the largest decoder weights."""
    neuron_alignment_values: list[float]
    """Those weights."""
    neuron_alignment_l1: list[float]
    """Each one as a fraction of the sum of absolute weights."""
    topkCosSimIndices: list[int]
    """The latent itself, then those whose decoder rows are nearest to its own by cosine."""
    topkCosSimValues: list[float]
    """The cosines."""


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A row of the table `Activation`: one example, a stretch of tokens with the latent's value on each."""

    id: str
    """Different for every row of the whole database."""
    modelId: str
    layer: str
    index: str
    creatorId: str
    dataSource: str
    """Name of the dataset."""
    dataIndex: str
    """Name of the song, and the number of its token that is the first here."""
    tokens: list[str]
    values: list[float]
    maxValue: float
    maxValueTokenIndex: int
    """Index of the largest value among the tokens here."""
    minValue: float
    qualifyingTokenIndex: int
    """Index of the token for which the example was taken."""
    binMin: float
    """Lower end of the bin of values that the example stands for; -1 for top examples."""
    binMax: float
    """Its upper end; for top examples the largest value."""
    binContains: float
    """Fraction of all tokens whose value is in the bin, silent ones in the lowest; -1 for top examples."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A row of the table `Explanation`: a latent's name.

    Its method can only be given in the notes: `typeName` and `explanationModelName` refer to tables of the site itself.
    """

    id: str
    modelId: str
    layer: str
    index: str
    authorId: str
    description: str
    notes: str


def metadata(
    place: Place, title: str, description: str, source: dict[str, Any], sizes: dict[str, int]
) -> dict[str, Any]:
    """The rows of the four small files, by the files' names without their endings.

    Args:
        place: the run's names.
        title: the model's name as people read it.
        description: of the autoencoder, in a line.
        source: further columns of the table `Source`.
        sizes: `layers`, `neuronsPerLayer` and `dimension` of the model.
    """
    release = f"{place.model_id}-{place.source_set}"
    public = {"visibility": "PUBLIC", "creatorId": CREATOR}
    return {
        "release": {"name": release, "description": description, "descriptionShort": place.source_set}
        | {"urls": [], "creatorName": NAME}
        | public,
        "model": {"id": place.model_id, "displayNameShort": title, "displayName": title, "owner": "", "instruct": False}
        | sizes
        | public,
        "sourceset": {"modelId": place.model_id, "name": place.source_set, "description": description, "type": ""}
        | {"creatorName": NAME, "urls": [], "releaseName": release}
        | public,
        "source": {"id": place.source_id, "modelId": place.model_id, "setName": place.source_set} | source | public,
    }

"""converter21: readers of kern for music21, of the release that it fits."""

from importlib.metadata import version

import converter21
from _common import serve
from _music21_heads import read

converter21.register()
serve(f"converter21 {version('converter21')}, music21 {version('music21')}", read)

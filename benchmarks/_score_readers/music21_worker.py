"""music21."""

import music21
from _common import serve
from _music21_heads import read

serve(f"music21 {music21.__version__}", read)

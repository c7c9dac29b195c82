"""Tests with the real libraries, each in an environment of its own: `make test-interop`. Where a library is not
installed its tests are left out.
"""

from importlib.util import find_spec

LIBRARIES = {
    "test_sae_lens.py": "sae_lens",
    "test_dictionary_learning.py": "dictionary_learning",
    "test_eai_sparsify.py": "sparsify",
}
collect_ignore = [file for file, library in LIBRARIES.items() if find_spec(library) is None]

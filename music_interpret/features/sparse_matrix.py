"""A sparse matrix times a dense one, on all cores: PyTorch's product of compressed rows, from NumPy and to NumPy."""

import warnings

import numpy as np
import scipy.sparse
import torch


class SparseMatrix:
    """Entries by row and column, those at the same place added up."""

    def __init__(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> None:
        """Args:
        rows: of each entry, int32 (n_entries,).
        columns: of each entry, int32 (n_entries,).
        values: of each entry, float32 (n_entries,).
        shape: of the matrix.
        """
        matrix = scipy.sparse.coo_array((values, (rows, columns)), shape).tocsr()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse")  # PyTorch calls all its sparse tensors a beta
            first, places, entries = (torch.from_numpy(p) for p in (matrix.indptr, matrix.indices, matrix.data))
            self._matrix = torch.sparse_csr_tensor(first, places, entries, size=shape, check_invariants=False)

    def __matmul__(self, dense: np.ndarray) -> np.ndarray:
        """The product with a matrix of float32."""
        return (self._matrix @ torch.from_numpy(dense)).numpy()

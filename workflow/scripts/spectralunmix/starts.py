"""Starting components for a fit: NNDSVD, successive projection, random."""

import torch
from torch import Tensor


def nndsvd(X: Tensor, k: int) -> Tensor:
    """(k, n_wave): the non-negative double SVD of Boutsidis & Gallopoulos (2008).

    Exact zeros become the mean of X clipped at zero ("NNDSVDa"), so that no entry starts stuck.
    """
    U, S, Vt = torch.linalg.svd(X, full_matrices=False)
    H = torch.empty((k, X.shape[1]), dtype=X.dtype, device=X.device)
    for i, (u, s, v) in enumerate(zip(U.T[:k], S[:k], Vt[:k], strict=True)):
        sides = [(u.clamp(min=0), v.clamp(min=0)), ((-u).clamp(min=0), (-v).clamp(min=0))]
        u_part, v_part = max(sides, key=lambda side: float(side[0].norm() * side[1].norm()))
        H[i] = (s * u_part.norm() / v_part.norm()).sqrt() * v_part
    return torch.where(H > 0, H, X.clamp(min=0).mean())


def spa(X: Tensor, k: int) -> Tensor:
    """(k, n_wave): the k most extreme spectra, by successive projection.

    Araujo et al. (2001), Gillis & Vavasis (2014): take the longest row, project
    all rows off it, repeat.  Exact where the data hold each component pure.
    """
    flux = X.sum(dim=1, keepdim=True)
    shape = torch.where(flux > 0, X / flux, 0)
    residual, picked = shape.clone(), []
    for _ in range(k):
        row = int(residual.square().sum(dim=1).argmax())
        picked.append(row)
        direction = residual[row] / residual[row].norm()
        residual -= torch.outer(residual @ direction, direction)
    return X[picked].clamp(min=0)


def random(X: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """(k, n_wave): uniform in [0, 1) times the mean of X clipped at zero."""
    H = torch.rand((k, X.shape[1]), generator=generator, dtype=X.dtype)
    return H.to(X.device) * X.clamp(min=0).mean()

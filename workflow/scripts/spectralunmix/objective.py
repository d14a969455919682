"""The objective of smooth non-negative factorisation, its gradient and its optimality.

    F(W, H) = sum_ij v_ij (X - W H)_ij^2 + smoothness * sum_k ||w_k||^2 ||D h_k||^2

X is (n_spectra, n_wave), W (n_spectra, k), H (k, n_wave), v_ij the weight of a
pixel (1 throughout where none are given), and D takes first differences along
wavelength.  Where the columns of W have unit length and v = 1 this is Eq. 1 of
De Souza et al. (2026).  Their penalty, ||H D^T||^2, can be driven to zero by
W -> c W, H -> H / c, which leaves the fit as it is; the factor ||w_k||^2 makes
it the roughness of what a component contributes, which no rescaling changes.

Several fits may run side by side: factors are kept as (fits, k, n_spectra), the
weights W transposed, and (fits, k, n_wave), so that both have one layout, and one
pass over X serves all fits.  F is evaluated from products that the updates need
anyway: the weighted product of X with a factor and that factor's Gram matrices.
"""

import torch
from torch import Tensor


class Spectra:
    """X (n_spectra, n_wave) with its weights, as the products that a fit needs of it.

    A pixel of weight 0 counts for nothing, whatever its value, NaN included.
    """

    def __init__(self, X: Tensor, weights: Tensor | None = None):
        self.weights = weights
        if weights is None:
            self.X, self.weighted = X, X
        else:
            self.X = torch.where(weights > 0, X, 0)
            self.weighted = weights * self.X
        self.sum_of_squares = (self.weighted * self.X).sum()

    def with_weights(self, W: Tensor) -> Tensor:
        """W^T (v X): (fits, k, n_wave) for W (fits, k, n_spectra).  One pass over X."""
        return (W.flatten(0, 1) @ self.weighted).unflatten(0, W.shape[:2])

    def with_components(self, H: Tensor) -> Tensor:
        """H (v X)^T: (fits, k, n_spectra) for H (fits, k, n_wave).  One pass over X."""
        return (H.flatten(0, 1) @ self.weighted.T).unflatten(0, H.shape[:2])

    def gram_of_weights(self, W: Tensor) -> Tensor:
        """W^T diag(v_j) W of each channel j: (fits, k, k, n_wave), or (fits, k, k) unweighted."""
        return self._gram(W, self.weights)

    def gram_of_components(self, H: Tensor) -> Tensor:
        """H diag(v_i) H^T of each spectrum i: (fits, k, k, n_spectra), or (fits, k, k)."""
        return self._gram(H, None if self.weights is None else self.weights.T)

    @staticmethod
    def _gram(Z: Tensor, weights: Tensor | None) -> Tensor:
        if weights is None:
            return Z @ Z.mT
        fits, k, _ = Z.shape
        rows, columns = torch.triu_indices(k, k, device=Z.device)
        pairs = (Z[:, rows] * Z[:, columns]).flatten(0, 1) @ weights
        gram = Z.new_empty((fits, k, k, weights.shape[1]))
        gram[:, rows, columns] = gram[:, columns, rows] = pairs.unflatten(0, (fits, -1))
        return gram


def apply_gram(A: Tensor, Z: Tensor) -> Tensor:
    """A Z, (fits, k, m), for one Gram matrix a fit or one a column."""
    return A @ Z if A.dim() == 3 else (A * Z[:, None]).sum(dim=2)


def roughness(H: Tensor) -> Tensor:
    """||D h_k||^2 of each component, (..., k), for H of shape (..., k, n_wave)."""
    return H.diff(dim=-1).square().sum(dim=-1)


def second_difference(H: Tensor) -> Tensor:
    """H D^T D, of the shape of H: the gradient of half the roughness, free ends."""
    steps = H.diff(dim=-1)
    return torch.nn.functional.pad(steps, (1, 0)) - torch.nn.functional.pad(steps, (0, 1))


def value(
    spectra: Spectra, WtX: Tensor, A: Tensor, W: Tensor, H: Tensor, smoothness: Tensor
) -> Tensor:
    """F of each fit, (fits,), from W^T (v X) and A, the Gram matrices of W."""
    fit = spectra.sum_of_squares + ((apply_gram(A, H) - 2 * WtX) * H).sum(dim=(1, 2))
    return fit + smoothness * (W.square().sum(dim=2) * roughness(H)).sum(dim=1)


def gradient_weights(XHt: Tensor, A: Tensor, W: Tensor, H: Tensor, smoothness: Tensor) -> Tensor:
    """Half of dF/dW, (fits, k, n_spectra), from H (v X)^T and A, the Gram matrices of H."""
    ridge = smoothness[:, None] * roughness(H)
    return apply_gram(A, W) - XHt + ridge[:, :, None] * W


def gradient_components(WtX: Tensor, A: Tensor, W: Tensor, H: Tensor, smoothness: Tensor) -> Tensor:
    """Half of dF/dH, (fits, k, n_wave), from W^T (v X) and A, the Gram matrices of W."""
    coupling = smoothness[:, None] * W.square().sum(dim=2)
    return apply_gram(A, H) - WtX + coupling[:, :, None] * second_difference(H)


def relative_projected(gradient: Tensor, factor: Tensor, product: Tensor) -> Tensor:
    """||P g|| / ||product||, (fits,): how far from optimal a factor is, without units.

    P keeps what a feasible step can follow: where the factor is zero, only a
    negative gradient.  A pair (W, H) is stationary exactly where this is zero for
    both factors.  The product with X is the gradient's data term, so that the
    ratio needs no reference to a start (Lin 2007, Neural Comput. 19, 2756, has the norm).
    """
    feasible = torch.where(factor > 0, gradient, gradient.clamp(max=0))
    return feasible.norm(dim=(1, 2)) / product.norm(dim=(1, 2))

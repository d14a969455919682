"""Where the fits of a batch are."""

from typing import NamedTuple

import torch
from torch import Tensor


class State(NamedTuple):
    """Where the fits of a batch are: tensors, batch first.

    Wt, H : the factors, W transposed, (batch, k, n_spectra) and (batch, k, n_wave); the weights of
        a component have unit length, of which each spectrum's square counts with its mean weight
    XHt, gram_H, gram_W : H (v X)', and the Gram matrices of H and of W
    F, optimality : the objective, and the larger of both factors' `relative_projected`, (batch,)
    aim : W', before it was extrapolated
    extrapolates : whether the next step does
    streak, fall : a count of slow steps, halved by each other one; by how much F last fell
    damping : of the components' response to the next weights
    wait, waited : steps until the damping is halved, inf where no step lowers F; those made of them
    n_iter : steps made, those taken back included
    """

    Wt: Tensor
    H: Tensor
    XHt: Tensor
    gram_H: Tensor
    gram_W: Tensor
    F: Tensor
    optimality: Tensor
    aim: Tensor
    extrapolates: Tensor
    streak: Tensor
    fall: Tensor
    damping: Tensor
    wait: Tensor
    waited: Tensor
    n_iter: Tensor

    def of_fits(self, fits: Tensor) -> "State":
        return State(*(of_each[fits] for of_each in self))

    def with_fits(self, fits: Tensor, new: "State") -> "State":
        """The same with those of its fits replaced."""
        return State(*(old.index_copy(0, fits, of) for old, of in zip(self, new, strict=True)))


def chosen(which: Tensor, of_true: State, of_false: State) -> State:
    """For each fit the one or the other."""
    return State(
        *(
            torch.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b)
            for a, b in zip(of_true, of_false, strict=True)
        )
    )

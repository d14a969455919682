"""SmoothNMF: the factorisation with scikit-learn's conventions."""

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from .factorisation import (
    Result,
    best_weights,
    misfit,
    results,
    warn_of,
    why_not_converged,
)
from .inputs import FLOATS, Array, for_dask, is_dask
from .nmf.arrays import as_given, as_tensor, float_array, on_disk
from .nmf.checks import (
    DTYPES,
    RandomState,
    Settings,
    check_not_masked,
    check_smoothness,
    check_two_dimensions,
    spectra_of,
)
from .nmf.data import Spectra


class NotConvergedError(RuntimeError):
    """A fit with strict=True stopped at its limit of iterations; the model has what it found."""


class SmoothNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """`smooth_nmf` as an estimator: non-negative factorisation with smooth components, X ~ W H.

    The objective, and what X and its inverse variance may be, are those of `smooth_nmf`.

    Parameters
    ----------
    n_components, smoothness, init, n_restarts, solver, max_iter, tol, random_state, device, \
    dtype, verbose
        As in `smooth_nmf`, with the same defaults.
    strict : bool, default False
        Raise NotConvergedError, instead of a ConvergenceWarning, at `max_iter`; the model is fitted
        all the same, and `transform` gives the weights.

    Attributes
    ----------
    components_ : array of shape (k, n_wave)
        H >= 0, each with maximum 1, by falling share of the total flux; so the weights have the
        unit of X.
    objective_, optimality_, iterations_ : ndarray of shape (n_accepted + 1,)
        As in `Result`, without the underscore.
    converged_ : bool
        Whether the last optimality is at most `tol`.
    n_iter_ : int
        Iterations made.
    restart_objectives_ : ndarray of shape (n_starts,)
        The last objective from each start.
    reconstruction_err_ : float
        sqrt(sum_ij v_ij (X - W H)_ij^2)
    n_features_in_ : int
        n_wave

    Raises
    ------
    ValueError
        As in `smooth_nmf`.
    NotConvergedError
        With `strict`, at `max_iter`.
    """

    def __init__(
        self,
        n_components: int = 4,
        *,
        smoothness: float = 1.0,
        init: str | Array = "nndsvd",
        n_restarts: int = 1,
        solver: str = "anticipation",
        max_iter: int = 2000,
        tol: float = 1e-6,
        strict: bool = False,
        random_state: RandomState = None,
        device: str = "cpu",
        dtype: str = "float64",
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.smoothness = smoothness
        self.init = init
        self.n_restarts = n_restarts
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.strict = strict
        self.random_state = random_state
        self.device = device
        self.dtype = dtype
        self.verbose = verbose

    def fit(
        self, X: Array, y: object = None, *, inverse_variance: Array | None = None
    ) -> "SmoothNMF":
        """Find the components of X (n_spectra, n_wave), with v (n_spectra, n_wave) or None."""
        self.fit_transform(X, inverse_variance=inverse_variance)
        return self

    def fit_transform(
        self, X: Array, y: object = None, *, inverse_variance: Array | None = None
    ) -> Array:
        """As `fit`; return the weights (n_spectra, k)."""
        settings = self._settings()
        X = self._checked(X, inverse_variance, reset=True)
        ((result,),) = results(X, inverse_variance, settings, [self.smoothness])
        return self._keep(result)

    def transform(self, X: Array, *, inverse_variance: Array | None = None) -> Array:
        """Weights (n_spectra, k) of the spectra X (n_spectra, n_wave), the components held."""
        check_is_fitted(self)
        check_smoothness(self.smoothness)
        if is_dask(X):
            X, H = self._checked(X, inverse_variance, reset=False), float_array(self.components_)
            return for_dask("arrays").unmixed(X, H, self.smoothness, inverse_variance, self.dtype)
        spectra = self._spectra(X, inverse_variance)
        W = best_weights(spectra, float_array(self.components_), self.smoothness)
        return as_given(X, self.dtype)(spectra.scale.of_weights(W.T))

    def inverse_transform(self, X: Array) -> Array:
        """Spectra (n_spectra, n_wave) of the weights X (n_spectra, k)."""
        check_is_fitted(self)
        weights = X if isinstance(X, Tensor) or is_dask(X) else check_array(X)
        if weights.shape[1] != len(self.components_):
            k = len(self.components_)
            raise ValueError(f"X is {tuple(weights.shape)}, not weights of {k} components")
        if isinstance(X, Tensor):
            return X @ as_tensor(float_array(self.components_)).to(X)
        return weights @ np.asarray(self.components_)

    def score(self, X: Array, y: object = None, *, inverse_variance: Array | None = None) -> float:
        """Minus the mean of v (X - W H)^2 over X (n_spectra, n_wave): higher is better."""
        check_is_fitted(self)
        H = float_array(self.components_)
        if is_dask(X):
            X = self._checked(X, inverse_variance, reset=False)
            squares = for_dask("arrays").squares_left(X, H, self.smoothness, inverse_variance)
            return -float(squares.sum().compute()) / (X.shape[0] * X.shape[1])
        spectra = self._spectra(X, inverse_variance)
        squares = misfit(spectra, best_weights(spectra, H, self.smoothness), H)
        return -float(spectra.scale.of_squares(squares)) / (spectra.shape[0] * spectra.shape[1])

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _settings(self) -> Settings:
        """The parameters, checked."""
        parameters = self.get_params()
        del parameters["strict"]
        settings = Settings(**parameters)
        settings.check()
        return settings

    def _keep(self, result: Result) -> Array:
        """Take a result as the model's; return its weights."""
        for field in dataclasses.fields(Result):
            if field.name != "weights":
                setattr(self, f"{field.name}_", getattr(result, field.name))
        if self.strict and (message := why_not_converged(result, self._settings())):
            raise NotConvergedError(message)
        warn_of(result, self._settings(), stacklevel=4)
        return result.weights

    def _spectra(self, X: Array, inverse_variance: Array | None) -> Spectra:
        """X and v, checked, of the dtype and on the device asked for."""
        X = self._checked(X, inverse_variance, reset=False)
        return spectra_of(X, inverse_variance, self.device, DTYPES[self.dtype])

    def _checked(self, X: Array, inverse_variance: Array | None, reset: bool) -> Array:
        """X as `results` takes it, with the channels of the fit unless this is one (`reset`)."""
        check_not_masked(X, inverse_variance)
        if on_disk(X) or isinstance(X, Tensor) or is_dask(X):
            self._check_dimensions(X, reset)
            return X
        return validate_data(self, X, reset=reset, dtype=FLOATS, ensure_all_finite=False)

    def _check_dimensions(self, X: Array, reset: bool) -> None:
        check_two_dimensions(X)
        if reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} channels, the fit had {self.n_features_in_}")


def scan_smoothness(
    model: SmoothNMF,
    X: Array,
    smoothness: Sequence[float],
    *,
    inverse_variance: Array | None = None,
    every_start: bool = False,
) -> list:
    """The model fitted at each smoothness, side by side, so that the fits share passes over X.

    Parameters
    ----------
    model : SmoothNMF
        The parameters of all fits but for smoothness; it is left as it is.
    X : array of shape (n_spectra, n_wave)
        The spectra.
    smoothness : sequence of float
        The values, each 0 to 1e9.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        Weights of the pixels; None is 1 throughout.
    every_start : bool, default False
        Not the best of the starts alone, but all of them.

    Returns
    -------
    list of SmoothNMF
        A fitted model for each smoothness, the one that `fit` finds; with `every_start` a list of
        them for each.

    Raises
    ------
    ValueError
        As in `smooth_nmf`; no value of smoothness is given.
    """
    models = [clone(model).set_params(smoothness=float(value)) for value in smoothness]
    if not models:
        raise ValueError("smoothness: at least one value is needed")
    settings = [each._settings() for each in models]
    X = models[0]._checked(X, inverse_variance, reset=True)
    values = [each.smoothness for each in settings]
    found = results(X, inverse_variance, settings[0], values, every_start)
    names = {key: value for key, value in vars(models[0]).items() if key.endswith("_in_")}
    fitted: list[list[SmoothNMF]] = []
    for each, of_smoothness in zip(models, found, strict=True):
        vars(each).update(names)
        fitted.append([copy.copy(each) for _ in of_smoothness])
        for one, result in zip(fitted[-1], of_smoothness, strict=True):
            one._keep(result)
    return fitted if every_start else [one for (one,) in fitted]

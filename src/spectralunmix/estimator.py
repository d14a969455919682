"""SmoothNMF and scan_smoothness: the factorisation with the conventions of scikit-learn."""

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
    """A fit with ``strict=True`` stopped before its optimality was at most `tol`.

    The model is fitted all the same: its attributes and `transform` can be used.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import NotConvergedError, SmoothNMF
    >>> spectra = np.random.default_rng(0).random((6, 5))
    >>> model = SmoothNMF(2, max_iter=1, strict=True)
    >>> try:
    ...     model.fit(spectra)
    ... except NotConvergedError:
    ...     print(model.components_.shape)
    (2, 5)
    """


class SmoothNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Non-negative factorisation with smooth components, X ~ W H, as a scikit-learn estimator.

    `smooth_nmf` explains the objective. This class fits the same objective, and keeps the
    components, so that `transform` can find the weights of other spectra.

    Parameters
    ----------
    n_components : int, default 4
        Number of components, k. At most the number of spectra, and of channels.
    smoothness : float, default 1.0
        lambda, 0 to 1e9. The fit smooths over about sqrt(lambda) channels; 0 is plain NMF.
    init : {"nndsvd", "spa", "random"} or array, default "nndsvd"
        The start: the components that the fit begins with. "nndsvd" takes them from singular
        vectors, "spa" takes the most extreme spectra. An array of shape (k, n_wave) is one start,
        an array of shape (n, k, n_wave) is n starts.
    n_restarts : int, default 1
        Number of starts with init="random". They are fitted side by side, and the fit with the
        lowest objective is kept.
    solver : {"anticipation", "proximal_gradient"}, default "anticipation"
        How the factors are updated. "proximal_gradient" is the update of De Souza et al. (2026).
    max_iter : int, default 2000
        Largest number of iterations.
    tol : float, default 1e-6
        The fit stops where its optimality is at most this; 0 runs to `max_iter`.
    strict : bool, default False
        Raise a NotConvergedError, in place of a ConvergenceWarning, where the fit stops before
        its optimality is at most `tol`.
    random_state : int, numpy Generator, numpy RandomState or None, default None
        Seed of init="random"; other starts do not use it.
    device : {"cpu", "cuda", "cuda:1", ..., "auto"}, default "cpu"
        Where arrays are fitted. "auto" is "cuda" where there is such a device. Tensors stay on
        their device.
    dtype : {"float64", "float32"}, default "float64"
        The precision of X, of the passes over it and of the result.
    verbose : int, default 0
        Log the objective and the optimality about every `verbose` iterations; 0 logs nothing.

    Attributes
    ----------
    components_ : array of shape (k, n_wave)
        H >= 0. Each component has maximum 1, so the weights have the unit of X. The components
        are in the order of falling share of the total flux.
    objective_ : ndarray of shape (n_accepted + 1,)
        The objective, from the start on, wherever it was computed on the whole X.
    optimality_ : ndarray of shape (n_accepted + 1,)
        The certificate at the same places: the relative size of the gradient that is left.
    iterations_ : ndarray of shape (n_accepted + 1,)
        The number of iterations made at the same places.
    converged_ : bool
        Whether the last optimality is at most `tol`.
    n_iter_ : int
        Number of iterations made.
    restart_objectives_ : ndarray of shape (n_starts,)
        The last objective of the fit from each start.
    reconstruction_err_ : float
        ``sqrt(sum_ij v_ij (X - W H)_ij^2)`` with the inverse variance v.
    n_features_in_ : int
        Number of channels, n_wave.
    feature_names_in_ : ndarray of shape (n_wave,)
        Names of the columns of X, where X is a DataFrame with names of text.

    Raises
    ------
    ValueError
        The parameters or the data are not what `smooth_nmf` takes.
    NotConvergedError
        With `strict`, where the fit stops before its optimality is at most `tol`.
    ClusterLostError
        The workers of a Dask array are lost.
    sklearn.exceptions.NotFittedError
        `transform`, `inverse_transform` and `score`, before a fit.

    Warns
    -----
    ConvergenceWarning
        Without `strict`, where the fit stops before its optimality is at most `tol`.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import SmoothNMF
    >>> pure = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    >>> spectra = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0]]) @ pure
    >>> model = SmoothNMF(2, smoothness=0).fit(spectra)
    >>> model.components_.round(3)
    array([[1. , 0.5, 0. ],
           [0. , 0.5, 1. ]])
    >>> model.transform([[3.0, 2.0, 1.0]]).round(3)
    array([[3., 1.]])
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
        """Find the components of the spectra X.

        Parameters
        ----------
        X : array of shape (n_spectra, n_wave)
            The spectra.
        y : None, default None
            Ignored; scikit-learn passes it.
        inverse_variance : array of shape (n_spectra, n_wave) or None, default None
            The inverse variance of each value of X, 0 where a value does not count. None is 1
            throughout.

        Returns
        -------
        SmoothNMF
            The model itself.
        """
        self.fit_transform(X, inverse_variance=inverse_variance)
        return self

    def fit_transform(
        self, X: Array, y: object = None, *, inverse_variance: Array | None = None
    ) -> Array:
        """Find the components of the spectra X, and return the weights.

        Parameters
        ----------
        X, y, inverse_variance
            The same as those of `fit`.

        Returns
        -------
        array of shape (n_spectra, k)
            The weights, in the unit of X.
        """
        settings = self._settings()
        X = self._checked(X, inverse_variance, reset=True)
        ((result,),) = results(X, inverse_variance, settings, [self.smoothness])
        return self._keep(result)

    def transform(self, X: Array, *, inverse_variance: Array | None = None) -> Array:
        """The weights with which the components of the fit describe the spectra X best.

        Parameters
        ----------
        X, inverse_variance
            The same as those of `fit`; the spectra may be others.

        Returns
        -------
        array of shape (n_spectra, k)
            The weights, in the unit of X.
        """
        check_is_fitted(self)
        check_smoothness(self.smoothness)
        if is_dask(X):
            X, H = self._checked(X, inverse_variance, reset=False), float_array(self.components_)
            return for_dask("arrays").unmixed(X, H, self.smoothness, inverse_variance, self.dtype)
        spectra = self._spectra(X, inverse_variance)
        W = best_weights(spectra, float_array(self.components_), self.smoothness)
        return as_given(X, self.dtype)(spectra.scale.of_weights(W.T))

    def inverse_transform(self, X: Array) -> Array:
        """The spectra that given weights stand for: the weights times the components.

        Parameters
        ----------
        X : array of shape (n_spectra, k)
            The weights.

        Returns
        -------
        array of shape (n_spectra, n_wave)
            The spectra, in the unit of the weights.
        """
        check_is_fitted(self)
        weights = X if isinstance(X, Tensor) or is_dask(X) else check_array(X)
        if weights.shape[1] != len(self.components_):
            k = len(self.components_)
            raise ValueError(f"X is {tuple(weights.shape)}, not weights of {k} components")
        if isinstance(X, Tensor):
            return X @ as_tensor(float_array(self.components_)).to(X)
        return weights @ np.asarray(self.components_)

    def score(self, X: Array, y: object = None, *, inverse_variance: Array | None = None) -> float:
        """Minus the mean of v (X - W H)^2 over all values of X; higher is better.

        v is the inverse variance, H the components of the fit and W the weights that `transform`
        finds.

        Parameters
        ----------
        X, y, inverse_variance
            The same as those of `fit`; the spectra may be others.

        Returns
        -------
        float
            At most 0.
        """
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
        """The parameters, after a check."""
        parameters = self.get_params()
        del parameters["strict"]
        settings = Settings(**parameters)
        settings.check()
        return settings

    def _keep(self, result: Result) -> Array:
        """Set the attributes of the model from a result; return the weights."""
        for field in dataclasses.fields(Result):
            if field.name != "weights":
                setattr(self, f"{field.name}_", getattr(result, field.name))
        if self.strict and (message := why_not_converged(result, self._settings())):
            raise NotConvergedError(message)
        warn_of(result, self._settings(), stacklevel=4)
        return result.weights

    def _spectra(self, X: Array, inverse_variance: Array | None) -> Spectra:
        """X and v after a check, in `dtype` and on `device`."""
        X = self._checked(X, inverse_variance, reset=False)
        return spectra_of(X, inverse_variance, self.device, DTYPES[self.dtype])

    def _checked(self, X: Array, inverse_variance: Array | None, reset: bool) -> Array:
        """X as `results` takes it; unless `reset`, it needs as many channels as the fit had."""
        check_not_masked(X, inverse_variance)
        if on_disk(X) or isinstance(X, Tensor) or is_dask(X):
            check_two_dimensions(X)
            if reset:
                self.n_features_in_ = X.shape[1]
            elif X.shape[1] != self.n_features_in_:
                raise ValueError(f"X has {X.shape[1]} channels, the fit had {self.n_features_in_}")
            return X
        return validate_data(self, X, reset=reset, dtype=FLOATS, ensure_all_finite=False)


def scan_smoothness(
    model: SmoothNMF,
    X: Array,
    smoothness: Sequence[float],
    *,
    inverse_variance: Array | None = None,
    every_start: bool = False,
) -> list:
    """Fit the model at each smoothness, side by side, so that the fits share passes over X.

    Parameters
    ----------
    model : SmoothNMF
        Its parameters are those of all fits, except for smoothness. The model itself stays
        unfitted.
    X : array of shape (n_spectra, n_wave)
        The spectra, as `smooth_nmf` takes them.
    smoothness : sequence of float
        The values of smoothness, each from 0 to 1e9.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X, 0 where a value does not count. None is 1
        throughout.
    every_start : bool, default False
        Return the fits from all starts, in place of the best fit alone.

    Returns
    -------
    list of SmoothNMF, or list of list of SmoothNMF
        A fitted model for each smoothness, the same as `fit` finds. With `every_start`, a list
        for each smoothness, with a fitted model for each start.

    Raises
    ------
    ValueError
        The parameters or the data are not what `smooth_nmf` takes, or `smoothness` is empty.
    NotConvergedError
        With ``strict=True`` of the model, where a fit stops before its optimality is at most
        `tol`.
    ClusterLostError
        The workers of a Dask array are lost.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import SmoothNMF, scan_smoothness
    >>> rng = np.random.default_rng(0)
    >>> spectra = rng.random((20, 2)) @ rng.random((2, 30))
    >>> plain, smooth = scan_smoothness(SmoothNMF(2), spectra, [0, 10])
    >>> smooth.smoothness
    10.0
    >>> bool(plain.reconstruction_err_ < smooth.reconstruction_err_)
    True
    """
    models = [clone(model).set_params(smoothness=float(value)) for value in smoothness]
    if not models:
        raise ValueError("smoothness: at least one value is needed")
    settings = [own._settings() for own in models]
    X = models[0]._checked(X, inverse_variance, reset=True)
    values = [own.smoothness for own in settings]
    results_of = results(X, inverse_variance, settings[0], values, every_start)
    names = {key: value for key, value in vars(models[0]).items() if key.endswith("_in_")}
    fitted: list[list[SmoothNMF]] = []
    for unfitted, from_starts in zip(models, results_of, strict=True):
        vars(unfitted).update(names)
        fitted.append([copy.copy(unfitted) for _ in from_starts])
        for copied, result in zip(fitted[-1], from_starts, strict=True):
            copied._keep(result)
    return fitted if every_start else [best for (best,) in fitted]

"""`NMF`: nonnegative matrix factorization under scikit-learn's contract.

There is no mathematics here: frames and arrays become a matrix with names, `core.factorize`
does the work, and its result becomes the attributes that scikit-learn's users expect.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from nonneg.core.alternate import Callback, Status, Step
from nonneg.core.factorize import Factorization, RandomState, factorize, solve_left
from nonneg.core.intake import MatrixLike
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import HuberLoss, Loss
from nonneg.errors import InputError
from nonneg.frames import NamedMatrix, as_named_matrix, is_frame
from nonneg.metrics import explained_share
from nonneg.shown import Shown

__all__ = ["NMF"]

_DEFAULT_RANK = 10
_UNSETTLED = (Status.MAX_ITER, Status.TIME_LIMIT, Status.INTERRUPTED)
# With verbose=1, iterations between two lines.
_LINE_EVERY = 10


class NMF(Shown, TransformerMixin, ClassNamePrefixFeaturesOutMixin, BaseEstimator):  # type: ignore[misc]
    """Nonnegative matrix factorization: X ≈ W H with W, H ≥ 0.

    Each row of H (`components_`) is a part, each row of W says how much of every part a sample
    holds. Parts only add, never cancel, which is why people can read them.

    Parameters
    ----------
    n_components : int ≥ 1, optional
        The rank k. Default None: min(10, n_samples, n_features), or the rank of W and H where a
        start is given; 10 is only a beginning, the right rank depends on the data.
    loss : {"frobenius", "kullback-leibler", "itakura-saito", "huber", "l1", "l21"} or float β
        Default "frobenius". "kullback-leibler" suits counts; "huber", "l1" (cells) and "l21"
        (samples) bear outliers.
    solver : {"auto", "hals", "ccd", "anls-bpp", "mu"}
        Default "auto": hals for frobenius with every entry observed, ccd for missing or weighted
        entries, kullback-leibler and the robust losses, mu for every other β.
    init : {"auto", "random", "sampled", "compressed", "nndsvd", "nndsvda", "nndsvdar", "given"}
        Default "auto": given when `fit_transform` gets W or H; else sampled (a few iterations on a
        fifth of the rows) for kullback-leibler on sparse X with many rows; compressed (nndsvda,
        then a few iterations on the truncated SVD) for frobenius on large dense X; nndsvda for it
        and the other β-divergences, with no entry missing and a rank up to the smaller side of X;
        else random.
    missing_values : nan or 0, default nan
        What marks a missing cell, as in `sklearn.impute.SimpleImputer`. nan: NaN cells, and the
        nulls of a frame. 0: zeros of a dense X, absent entries of a sparse X. Missing cells
        are left out of the loss; nothing is imputed.
    alpha_W : float ≥ 0, default 0
    alpha_H : float ≥ 0 or "same", default "same"
        Strength of the penalties on W and on H, scaled as in `sklearn.decomposition.NMF`.
    l1_ratio : float in [0, 1], default 0
        Share of L1 (sparse parts) in the penalties; the rest is L2 (small values).
    n_init : int ≥ 1, default 1
        Runs from different starts; the one with the lowest objective is kept.
    max_iter : int ≥ 1, default 500
    max_seconds : float, optional
        Wall-time limit of a fit. Default: none.
    tol : float ≥ 0, default 1e-4
        Smaller fits longer and closer. The unit of X makes no difference.
    n_threads : int ≥ 1, optional
        Default: all cores. The result has the same bits for any number.
    random_state : int, Generator, RandomState or None, default None
        Give an int to repeat a fit.
    callback : callable(Step) -> bool or None, optional
        Called after each iteration; a true value stops the fit.
    verbose : int, default 0
        1 prints a line every ten iterations, 2 every iteration.

    Attributes
    ----------
    components_ : ndarray (n_components, n_features)
        H, the parts.
    n_components_ : int
        The rank that was used.
    n_iter_ : int
    reconstruction_err_ : float
        ‖X − WH‖_F over the observed entries for frobenius, √(2 · divergence) for the other
        β-divergences, the loss itself for huber, l1 and l21.
    status_ : Status
        Why the iterations ended; ``status_.value`` is the advice.
    history_ : tuple of Step
        Objective, residual and seconds of each iteration.
    factorization_ : Factorization
        All of the above with the W of the fitted samples, and the names of rows and columns where
        X was a frame that has them.
    n_features_in_ : int
    feature_names_in_ : ndarray of str (n_features,)
        Only where X was a frame whose column names are all strings.

    Warns
    -----
    ConvergenceWarning
        If iterations or time ran out, or Ctrl-C was pressed after the start; the best factors so
        far are kept.

    See Also
    --------
    nonneg.factorize : The same for arrays, with bounds and fixed entries.

    References
    ----------
    Lee, D. D. & Seung, H. S. (1999). Learning the parts of objects by non-negative matrix
    factorization. Nature 401, 788-791.

    Examples
    --------
    Two parts explain this table, and its hole is filled by them:

    >>> import numpy as np
    >>> from nonneg import NMF
    >>> X = np.array([[4.0, 2, 0], [2, 1, 0], [0, 0, 5], [np.nan, 1, 5]])
    >>> model = NMF(2, tol=1e-8, random_state=0).fit(X)
    >>> W = model.transform(X)
    >>> model.inverse_transform(W).round(1)[3].tolist()
    [2.0, 1.0, 5.0]
    """

    components_: FloatArray
    n_components_: int
    n_iter_: int
    reconstruction_err_: float
    status_: Status
    history_: tuple[Step, ...]
    factorization_: Factorization
    n_features_in_: int

    def __init__(
        self,
        n_components: int | None = None,
        *,
        loss: str | float | Loss = "frobenius",
        solver: str = "auto",
        init: str = "auto",
        missing_values: float = np.nan,
        alpha_W: float = 0.0,
        alpha_H: float | Literal["same"] = "same",
        l1_ratio: float = 0.0,
        n_init: int = 1,
        max_iter: int = 500,
        max_seconds: float | None = None,
        tol: float = 1e-4,
        n_threads: int | None = None,
        random_state: RandomState = None,
        callback: Callback | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.loss = loss
        self.solver = solver
        self.init = init
        self.missing_values = missing_values
        self.alpha_W = alpha_W
        self.alpha_H = alpha_H
        self.l1_ratio = l1_ratio
        self.n_init = n_init
        self.max_iter = max_iter
        self.max_seconds = max_seconds
        self.tol = tol
        self.n_threads = n_threads
        self.random_state = random_state
        self.callback = callback
        self.verbose = verbose

    def fit(self, X: object, y: object = None, *, weights: object = None) -> Self:
        """Find the parts of X.

        Parameters
        ----------
        X : ndarray, scipy sparse, or pandas, polars or pyarrow frame, (n_samples, n_features)
            Values ≥ 0, or missing. float32 is computed in float32; bool, 8- and 16-bit integers
            and float16 become float32, all else float64.
        y : ignored
        weights : array, sparse or frame of the same shape, optional
            Weight ≥ 0 of each cell in the loss; 0 is missing.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Data or parameters that cannot be used; the message says what to do.
        TooLargeError
            If the factors would not fit into memory.
        """
        self._fit(X, weights, None, None)
        return self

    def fit_transform(
        self,
        X: object,
        y: object = None,
        *,
        weights: object = None,
        W: NDArray[np.floating] | None = None,
        H: NDArray[np.floating] | None = None,
    ) -> FloatArray:
        """Find the parts of X and return how much of each the samples hold.

        Parameters
        ----------
        X, y, weights
            As in `fit`.
        W : array (n_samples, n_components), optional
        H : array (n_components, n_features), optional
            The start; with only one of them the other starts at random.

        Returns
        -------
        ndarray (n_samples, n_components)
            W, in the dtype of the fit; `set_output` applies.
        """
        self._fit(X, weights, W, H)
        return self.factorization_.W

    def transform(self, X: object, *, weights: object = None) -> FloatArray:
        """Return how much of each part the samples of X hold.

        W is solved to the optimum for the fitted parts, so rows that were fitted get (up to the
        tolerance of that solution) what `fit_transform` returned.

        Parameters
        ----------
        X : as in `fit`, (n_samples, n_features)
            May have holes even where the fitted X had none.
        weights : array, sparse or frame of the same shape, optional
            As in `fit`; give the same weights to get the same W.

        Returns
        -------
        ndarray (n_samples, n_components)

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError, ValueError
            If X cannot be used or has other features than the fitted X.
        """
        check_is_fitted(self)
        matrix = self._checked(X, reset=False)
        return self._solve(matrix.values, _weights(weights, matrix))

    def inverse_transform(self, W: object) -> FloatArray:
        """Return W H: the table that the parts make of W, without holes.

        Parameters
        ----------
        W : array or frame (n_samples, n_components)
            As returned by `transform`.

        Returns
        -------
        ndarray (n_samples, n_features)
        """
        check_is_fitted(self)
        matrix = as_named_matrix(W, "W")
        if matrix.shape[1] != self.n_components_:
            raise InputError(
                f"W has shape {matrix.shape} · this model has {self.n_components_} components · "
                "pass what transform returned"
            )
        return cast(FloatArray, cast("NDArray[Any]", matrix.values) @ self.components_)

    def score(self, X: object, y: object = None, *, weights: object = None) -> float:
        """Return the share of X that the parts explain; higher is better and 1 is exact.

        Parameters
        ----------
        X : as in `fit`, (n_samples, n_features)
        y : ignored
        weights : array, sparse or frame of the same shape, optional

        Returns
        -------
        float
            `nonneg.metrics.explained_share` of X and WH for the loss of this model, W being
            ``transform(X)``: for frobenius the explained variance 1 − Σ(X − WH)² / ΣX².
            Penalties do not count. Compare scores of one loss only.

            Every entry scored was also used by `transform`, so the score rises with the rank:
            to choose the rank, hold out entries instead.
        """
        check_is_fitted(self)
        matrix = self._checked(X, reset=False)
        weight = _weights(weights, matrix)
        return explained_share(
            matrix.values,
            self._solve(matrix.values, weight),
            self.components_,
            loss=self._fitted_loss(),
            missing_values=self.missing_values,
            weights=weight,
        )

    def _fit(
        self,
        X: object,
        weights: object,
        W: NDArray[np.floating] | None,
        H: NDArray[np.floating] | None,
    ) -> None:
        """Prepare, check, factorize, store."""
        matrix = self._checked(X, reset=True)
        rank = self.n_components
        if rank is None and W is None and H is None:
            rank = min(_DEFAULT_RANK, *matrix.shape)
        found = factorize(
            matrix.values,
            rank,
            loss=self.loss,
            solver=self.solver,
            init=self.init,
            missing_values=self.missing_values,
            weights=_weights(weights, matrix),
            alpha_W=self.alpha_W,
            alpha_H=self.alpha_H,
            l1_ratio=self.l1_ratio,
            W=W,
            H=H,
            n_init=self.n_init,
            max_iter=self.max_iter,
            max_seconds=self.max_seconds,
            tol=self.tol,
            n_threads=self.n_threads,
            random_state=self.random_state,
            callback=_reporting(self.verbose, self.callback),
        )
        self.factorization_ = replace(
            found, row_names=matrix.row_names, column_names=matrix.column_names
        )
        self.components_ = found.H
        self.n_components_ = found.n_components
        self.n_iter_ = found.n_iter
        self.reconstruction_err_ = found.error
        self.status_ = found.status
        self.history_ = found.history
        if self.verbose:
            _say(repr(found))
        if found.status in _UNSETTLED:
            warnings.warn(found.status.value, ConvergenceWarning, stacklevel=3)

    def _checked(self, X: object, *, reset: bool) -> NamedMatrix:
        """Return X as a matrix, its features recorded (reset) or compared with the fitted ones."""
        matrix = as_named_matrix(X)
        # Frames go in as they are, for their names; arrays as they became, for their width.
        validate_data(self, X if is_frame(X) else matrix.values, reset=reset, skip_check_array=True)
        return matrix

    def _solve(self, X: MatrixLike, weights: MatrixLike | None) -> FloatArray:
        # "auto" whatever the fit used: the half-problem has one optimum, and new rows may have
        # holes where the fitted ones had none.
        return solve_left(
            X,
            self.components_,
            loss=self._fitted_loss(),
            missing_values=self.missing_values,
            weights=weights,
            alpha_W=self.alpha_W,
            l1_ratio=self.l1_ratio,
            n_threads=self.n_threads,
        )

    def _fitted_loss(self) -> str | float | Loss:
        """Return the loss with the width that was fitted, whichever rows are asked for."""
        delta = self.factorization_.delta
        return self.loss if delta is None else HuberLoss(delta)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn may ask of this estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True  # NaN is missing, whatever else is
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _weights(weights: object, matrix: NamedMatrix) -> MatrixLike | None:
    if weights is None:
        return None
    given = as_named_matrix(weights, "weights")
    for side, ours, theirs in (
        ("columns", matrix.column_names, given.column_names),
        ("rows", matrix.row_names, given.row_names),
    ):
        if ours is not None and theirs is not None and ours != theirs:
            raise InputError(
                f"weights name their {side} differently from X · cells are matched by position · "
                "give both the same names in the same order"
            )
    return given.values


def _reporting(verbose: int, callback: Callback | None) -> Callback | None:
    """Return a callback that prints a line every so often and then asks the user's."""
    if not verbose:
        return callback
    if not isinstance(verbose, int) or verbose < 0:
        raise InputError(f"verbose={verbose!r} · it must be 0, 1 or 2 · change it")
    every = 1 if verbose > 1 else _LINE_EVERY
    seen = 0

    def report(step: Step) -> bool | None:
        nonlocal seen
        if seen % every == 0:
            _say(
                f"iteration {step.n_iter:4d}   objective {step.objective:.8g}   "
                f"residual {step.residual:.2e}   {step.seconds:.2f} s"
            )
        seen += 1
        return None if callback is None else callback(step)

    return report


def _say(line: str) -> None:
    print(line)  # noqa: T201 - what `verbose` asks for

"""Pictures in, parts one can see out: `ImageParts`.

A picture is a row of X, its parts are rows of H, and what it holds of each is a row of W (Lee &
Seung 1999). Missing pixels are left out of the loss; `image_sparseness.py` has what may be asked of
parts, `image_recognition.py` how pictures are compared, `image_repair.py` how holes are filled.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.image_completion import factorize_holes
from nonneg.apps.image_recognition import Identity, Metric, leads, learn_metric
from nonneg.apps.image_record import from_parts, to_parts
from nonneg.apps.image_repair import REACHES, Prior, from_around, leftovers, solve_known
from nonneg.apps.image_sparseness import Wishes, fit_wishes
from nonneg.apps.rankings import Ranking, Similar
from nonneg.core.alternate import Status, Step
from nonneg.core.factorize import (
    Factorization,
    RandomState,
    as_generator,
    draw_seed,
    factorize,
    solve_left,
    whole_number,
)
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import HuberLoss, Loss
from nonneg.errors import InputError
from nonneg.io.pictures import Choices, Pictures, as_pictures
from nonneg.metrics import hoyer_sparseness, relative_error
from nonneg.shown import Shown

__all__ = ["ImageParts", "Stage"]

Array = NDArray[np.float64]

# Where pixels are missing: `ridge_per_entry` of the fit. Without it a part may grow without bound
# where only holes are (CBCL, half of the pixels missing, k = 50: RMSE 8.7 instead of .085).
_RIDGE = 1e-3
# Share of missing pixels up to which pictures are completed with the model while fitting. With
# more, steps on the known pixels alone are as cheap, and end lower (CBCL, 70 %: ½‖·‖² 562 after 80,
# and 570 after 150 iterations of the same seconds; 50 %: 1096 both, in half the seconds).
_COMPLETED = 0.6
# Times tol where pixels are missing: what is missing was told as well long before the fit settles.
_COARSER = 10.0
# Starts of a variant whose optima differ, and of a plain fit that may be exact; of ten seeds on
# swimmer two of the one and three of the other fail alone.
_STARTS = 5
# The relative error of a fit that is not exact; the share of squares beyond rank k where one may be
# (of float32), and the most images or pixels, whichever are fewer, for which that is looked at.
_INEXACT, _RANK_NOISE, _RANKED = 1e-6, 1e-10, 1000
# A plain fit that others go on from need not have settled, nor need the trial for the limit.
_FIRST_ITERATIONS, _TRIAL_ITERATIONS = 200, 60
# Iterations of each of several starts, of which the best goes on.
_SHORT_ITERATIONS = 30
# Images from which on a fifth is held out for the limit of the error; the quantile that it is.
_ENOUGH, _ACCEPTED = 20, 0.98
_HELD_OUT = 0.05
# Of the held-out pixels; a seed that nobody will have drawn their own mask from.
_MASK_SEED = 20040903
# Files that a message names.
_NAMED = 3
_CUT_SHORT = (Status.INTERRUPTED, Status.STOPPED)


@dataclass(frozen=True)
class Stage:
    """A picture so far, while its parts are added one by one.

    Attributes
    ----------
    part : int
        Which one was added, from 0.
    strength : float
        Its coefficient.
    share : float
        What it adds, as a share of all brightness in the picture's reconstruction.
    error : float
        Relative error of the picture so far.
    image : ndarray (height, width) or (height, width, channels)
    """

    part: int
    strength: float
    share: float
    error: float
    image: Array = field(repr=False)


class ImageParts(Shown):
    """Find the parts of pictures; describe, compare, recognise and repair with them.

    Parameters
    ----------
    n_parts : int ≥ 1, default 49
        At most as many as there are images or pixels.
    variant : {"plain", "local", "orthogonal"}
        "plain" (default): least squares alone. "local": parts that overlap cost (Li et al. 2001),
        which tells apart what always occurs together, and is free for parts that do not overlap.
        "orthogonal": every pixel is in one part (Pompili et al. 2014).
    overlap : float ≥ 0, default 0.02
        Weight of the overlap with "local": 0 is plain. It has no unit.
    sparseness : float in (0, 1), optional
        Hoyer's measure (2004) that every part is to have: .5 is broad, .9 a few pixels.
    smoothness : float ≥ 0, default 0
        Weight of squared differences between neighbouring pixels of a part; 1 is smooth.
    loss : {"frobenius", "kullback-leibler", "huber", "l1", "l21"} or HuberLoss
        "huber" and "l1" bear pixels that are hidden or wrong, "l21" whole images. With a variant,
        sparseness or smoothness: "frobenius" or "huber".
    grey, size, scaling
        What files become (`nonneg.io.pictures.Choices`). Default: grey, of the size they have, from
        0 to 1. New images are treated alike.
    n_init : int ≥ 1, optional
        Starts, of which the best is kept. Default: 5 for "local", which has many optima; up to 5
        where the rank of the images is at most `n_parts`, until a fit is exact; else 1.
    max_iter, tol
        As in `factorize`; where pixels are missing, ten times `tol`, which tells them as well.
    random_state : int, Generator, RandomState or None
    n_threads : int, optional
        Default: all cores. The result has the same bits for any number.
    callback : callable(Step) -> bool or None, optional
        Called after each iteration; a true value stops the fit.

    Attributes
    ----------
    components_ : ndarray (n_parts, pixels)
        The parts, largest energy first. `part_images_` has them as pictures.
    coefficients_ : ndarray (n_images, n_parts)
    shape_ : (height, width, channels)
    names_ : tuple of str
    labels_ : tuple of str, or None
    errors_ : ndarray (n_images,)
        Relative error of each image, ‖x − wH‖ / ‖x‖ over its known pixels.
    limit_ : float
        Images with a larger error are not of this kind: 98 % of those held out while fitting stay
        below. Infinite where there were fewer than 20.
    sparseness_ : ndarray (n_parts,)
        Hoyer's measure of each part.
    energy_ : ndarray (n_parts,)
        ‖w‖²‖h‖² of each part as a share of all.
    relative_error_ : float
    status_ : Status
    n_iter_ : int
        With a variant, sparseness or smoothness those of the plain fit before it, too.
    skipped_ : tuple of Skipped
        Files that could not be used.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from nonneg import ImageParts
    >>> digits = load_digits()
    >>> model = ImageParts(16, random_state=0).fit(digits.images[:500])
    >>> model.components_.shape
    (16, 64)
    >>> image = digits.images[600].copy()
    >>> image[2:4] = np.nan
    >>> repaired = model.inpaint(image)
    >>> bool(np.abs(repaired - digits.images[600]).max() < 8)
    True

    References
    ----------
    Lee & Seung (1999), Nature 401. Hoyer (2004), JMLR 5. Li, Hou, Zhang & Cheng (2001), CVPR.
    """

    components_: FloatArray
    coefficients_: FloatArray
    shape_: tuple[int, int, int]
    names_: tuple[str, ...]
    labels_: tuple[str, ...] | None
    errors_: Array
    limit_: float
    relative_error_: float
    status_: Status
    n_iter_: int
    ridge_: float
    delta_: float | None
    choices_: Choices
    metric_: Metric
    prior_: Prior | None

    def __init__(
        self,
        n_parts: int = 49,
        *,
        variant: str = "plain",
        overlap: float = 0.02,
        sparseness: float | None = None,
        smoothness: float = 0.0,
        loss: str | Loss = "frobenius",
        grey: bool = True,
        size: tuple[int, int] | None = None,
        scaling: str = "range",
        n_init: int | None = None,
        max_iter: int = 500,
        tol: float = 1e-4,
        random_state: RandomState = None,
        n_threads: int | None = None,
        callback: Callable[[Step], bool | None] | None = None,
    ) -> None:
        self.n_parts = n_parts
        self.variant = variant
        self.overlap = overlap
        self.sparseness = sparseness
        self.smoothness = smoothness
        self.loss = loss
        self.grey = grey
        self.size = size
        self.scaling = scaling
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads
        self.callback = callback

    def __repr__(self) -> str:
        if "components_" not in vars(self):
            return f"ImageParts({self.n_parts}, not fitted)"
        return (
            f"ImageParts({self.n_parts}, fitted to {len(self.names_)} images of "
            f"{_told(self.shape_)}, relative error {self.relative_error_:.3g})"
        )

    def fit(
        self, images: object, labels: object = None, *, missing: object = None, bands: bool = False
    ) -> Self:
        """Find the parts of images.

        Parameters
        ----------
        images : array, path or Pictures
            (n, height, width), or with channels last, values ≥ 0, NaN where a pixel is missing; or
            a folder of pictures, whose sub-folders are labels; or an npy or npz file.
        labels : sequence, optional
            What each image shows.
        missing : array of bool or path, optional
            True where a pixel is missing.
        bands : bool, default False
            The array is a cube (height, width, bands): each band is an image.

        Raises
        ------
        InputError
            Images or parameters that cannot be used; the message says what to do.
        """
        choices = Choices(bool(self.grey), self.size, self.scaling)
        pictures = as_pictures(images, labels, missing=missing, bands=bands, choices=choices)
        wishes = Wishes(self.variant, self.overlap, self.sparseness, self.smoothness)
        wishes.check()
        X = pictures.matrix
        k = self._rank(X)
        complete = _check_pixels(X, pictures.names)
        self.shape_, self.names_, self.labels_ = pictures.shape, pictures.names, pictures.labels
        self.choices_ = pictures.choices
        self.skipped_ = pictures.skipped
        self.ridge_ = 0.0 if complete else _RIDGE
        rng, _ = as_generator(self.random_state)
        trial_seed = draw_seed(rng)
        found = self._factorize(X, k, wishes, rng)
        self._adopt(found, X)
        self.limit_ = self._measure_limit(X, k, trial_seed)
        return self

    def transform(self, images: object, *, missing: object = None) -> FloatArray:
        """Return how much of each part images hold, (n, n_parts): the optimum for the parts.

        Where pixels are missing it is the most probable, given how much of the parts the fitted
        images hold together (squared error only; with other losses the optimum of the known ones).

        Parameters
        ----------
        images : as in `fit`
            Also one image (height, width).
        missing : array of bool or path, optional

        Raises
        ------
        InputError
            The images have another size than those that were fitted.
        """
        return self._solve(self._pictures(images, missing).matrix)

    def inverse_transform(self, W: NDArray[np.floating]) -> Array:
        """Return the images that coefficients make, (n, height, width) or with channels."""
        self._fitted()
        W = np.atleast_2d(np.asarray(W))
        if W.shape[1] != len(self.components_):
            raise InputError(
                f"W has shape {W.shape} · this model has {len(self.components_)} parts · pass what "
                "transform returned"
            )
        return self._shown(self._unscaled(W @ self.components_))

    def inpaint(self, images: object, missing: object = None, *, neighbors: bool = True) -> Array:
        """Fill missing pixels.

        Parameters
        ----------
        images : as in `fit`
            One image (height, width), or several.
        missing : array of bool or path, optional
            True where a pixel is missing, besides NaN.
        neighbors : bool, default True
            Also use what parts leave over at known pixels nearby. False: parts alone.

        Returns
        -------
        ndarray
            As many images as were given, in their unit (with scaling="image" from 0 to 1): known
            pixels are as they were.
        """
        pictures = self._pictures(images, missing)
        X = pictures.matrix
        filled = self._fill(X, neighbors)
        result = self._shown(self._unscaled(filled))
        single = isinstance(images, np.ndarray) and images.ndim == 2
        return result[0] if single else result

    def errors(self, images: object, *, missing: object = None) -> Array:
        """Return the relative error of each image as a sum of parts; 0 is exact."""
        X = self._pictures(images, missing).matrix
        return _relative(X, self._solve(X) @ self.components_)

    def knows(self, images: object, *, missing: object = None) -> NDArray[np.bool_]:
        """Return whether images are of the kind that was fitted: with an error up to `limit_`."""
        return self.errors(images, missing=missing) <= self.limit_

    def stages(self, image: object, n: int | None = None, *, missing: object = None) -> list[Stage]:
        """Return how an image comes together from its parts, the largest first.

        Parameters
        ----------
        image : one image, as in `fit`
        n : int, optional
            How many parts to add. Default: all that it holds.
        """
        X = self._pictures(image, missing).matrix
        if len(X) != 1:
            raise InputError(f"{len(X)} images · stages are those of one · give one image")
        w = self._solve(X)[0].astype(np.float64)
        H = self.components_.astype(np.float64)
        brightness = w * H.sum(axis=1)
        total = float(brightness.sum()) or 1.0
        order = [int(t) for t in np.argsort(-brightness, kind="stable") if w[t] > 0]
        so_far, stages = np.zeros(H.shape[1]), []
        for t in order[: len(order) if n is None else whole_number("n", n)]:
            so_far = so_far + w[t] * H[t]
            error = float(_relative(X, so_far[None])[0])
            image_so_far = self._shown(self._unscaled(so_far[None]))[0]
            stages.append(Stage(t, float(w[t]), float(brightness[t]) / total, error, image_so_far))
        return stages

    def nearest(self, image: object, n: int = 5, *, missing: object = None) -> Ranking[Similar]:
        """Return the fitted images most like this one, by cosine of what parts they hold."""
        W = self.transform(image, missing=missing)
        if len(W) != 1:
            raise InputError(f"{len(W)} images · neighbours are those of one · give one image")
        cosines = (self.metric_.features(W) @ self._gallery().T)[0]
        best = np.argsort(-cosines, kind="stable")[: whole_number("n", n)]
        return Ranking([Similar(self.names_[i], float(cosines[i])) for i in best], Similar)

    def features(self, images: object, *, missing: object = None) -> Array:
        """Return what images are compared by, one unit vector each: for classifiers."""
        return self.metric_.features(self.transform(images, missing=missing))

    def identify(self, images: object, *, missing: object = None) -> list[Identity]:
        """Say whose pictures these are: the label of the nearest fitted one, or unknown.

        An image is unknown where its error is beyond `limit_`, or where the nearest label is not
        ahead of the next ones by as much as it is for 98 % of the fitted images (each told by the
        others).

        Raises
        ------
        InputError
            No labels were fitted.
        """
        if self.labels_ is None:
            raise InputError(
                "no labels were fitted · nobody can be recognised · fit(images, labels), or put "
                "the pictures of each label into a folder of its own"
            )
        X = self._pictures(images, missing).matrix
        W = self._solve(X)
        errors = _relative(X, W @ self.components_)
        cosines = self.metric_.features(W) @ self._gallery().T
        ahead = leads(cosines, np.unique(np.array(self.labels_), return_inverse=True)[1])
        found = []
        for x, error, row, lead in zip(X, errors, cosines, ahead, strict=True):
            best = int(row.argmax())
            reason = ""
            if np.isnan(x).all():
                reason = "all of its pixels are missing"
            elif error > self.limit_:
                reason = "the parts do not fit it"
            elif lead < self.metric_.limit:
                reason = "no label stands out"
            found.append(
                Identity(
                    None if reason else self.labels_[best], self.names_[best], float(row[best]),
                    float(lead), float(error), reason,
                )
            )  # fmt: skip
        return found

    @property
    def part_images_(self) -> Array:
        """The parts as pictures (n_parts, height, width), or with channels, brightest pixel 1."""
        self._fitted()
        H = self.components_.astype(np.float64)
        peaks = H.max(axis=1, keepdims=True)
        return self._shown(H / np.where(peaks > 0, peaks, 1.0))

    @property
    def sparseness_(self) -> Array:
        """Hoyer's measure of each part."""
        return np.asarray(hoyer_sparseness(self.components_, axis=1))

    @property
    def energy_(self) -> Array:
        """‖w‖²‖h‖² of each part as a share of all."""
        energy = _energy(self.coefficients_, self.components_)
        return energy / (float(energy.sum()) or 1.0)

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything a fitted model consists of: plain values, and arrays."""
        self._fitted()
        return to_parts(self)

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a fitted model from `to_record`.

        Raises
        ------
        KeyError, TypeError, ValueError
            The record is not one of image parts, or its parts contradict one another.
        """
        parameters, attributes = from_parts(meta, arrays)
        model = cls(**parameters)
        vars(model).update(attributes)
        return model

    # --- how ----------------------------------------------------------------------------------

    def _rank(self, X: FloatArray) -> int:
        k = whole_number("n_parts", self.n_parts)
        if k > min(X.shape):
            images = "one image" if len(X) == 1 else f"{len(X):,} images"
            raise InputError(
                f"n_parts={k} · {images} of {X.shape[1]:,} pixels can hold no more than "
                f"{min(X.shape)} · lower it"
            )
        return k

    def _factorize(
        self, X: FloatArray, k: int, wishes: Wishes, rng: np.random.Generator
    ) -> Factorization:
        loss, starts = self.loss, self.n_init
        if starts is None:
            starts = _STARTS if wishes.variant == "local" and wishes.overlap else 1
        starts = whole_number("n_init", starts)
        if not wishes.any:
            found = self._plain(X, k, n_init=starts, max_iter=self.max_iter, random_state=rng)
            if self.n_init is None and _may_be_exact(X, k):
                found = self._exact(X, k, found, rng)
            return found
        if not (loss in ("frobenius", "huber") or isinstance(loss, HuberLoss)):
            raise InputError(
                f"loss={loss!r} goes with variant='plain' alone, without sparseness and smoothness "
                "· use 'frobenius' or 'huber'"
            )
        weights = (~np.isnan(X)).astype(np.float64) if self.ridge_ else None
        filled = np.nan_to_num(X).astype(np.float64)

        def refine(start: Factorization, max_iter: int) -> Factorization:
            W, H, status, history = fit_wishes(
                filled, weights, start.W, start.H, self.shape_, wishes, delta=start.delta,
                max_iter=max_iter, tol=self.tol, callback=self.callback,
            )  # fmt: skip
            n_iter, objective = start.n_iter + len(history), history[-1].objective
            return replace(
                start, W=W, H=H, status=status, n_iter=n_iter, objective=objective, history=history
            )

        begun: list[Factorization] = []
        for _ in range(starts):
            first = self._plain(
                X, k, init="random", max_iter=_FIRST_ITERATIONS, random_state=draw_seed(rng)
            )
            budget = self.max_iter if starts == 1 else min(_SHORT_ITERATIONS, self.max_iter)
            # Who stops the start still gets parts as they were asked for.
            found = refine(first, 1 if first.status in _CUT_SHORT else budget)
            begun.append(found)
            cut = next((fit.status for fit in (first, found) if fit.status in _CUT_SHORT), None)
            if cut is not None:
                return replace(min(begun, key=lambda fit: fit.objective), status=cut)
        best = min(begun, key=lambda fit: fit.objective)
        if best.status is not Status.MAX_ITER or starts == 1:
            return best
        return refine(best, self.max_iter)

    def _exact(
        self, X: FloatArray, k: int, found: Factorization, rng: np.random.Generator
    ) -> Factorization:
        """Begin anew while a fit is not exact that may be; the best of all starts."""
        for _ in range(_STARTS - 1):
            if found.relative_error < _INEXACT or found.status in _CUT_SHORT:
                break
            other = self._plain(X, k, max_iter=self.max_iter, random_state=draw_seed(rng))
            best = min((found, other), key=lambda fit: fit.objective)
            cut = other.status in _CUT_SHORT
            found = replace(best, status=other.status) if cut else best
        return found

    def _plain(
        self,
        X: FloatArray,
        k: int,
        *,
        max_iter: int,
        random_state: np.random.Generator | int,
        init: str = "auto",
        n_init: int = 1,
        watched: bool = True,
    ) -> Factorization:
        """Factorize without wishes."""
        callback = self.callback if watched else None
        holes = float(np.isnan(X).mean())
        tol = _COARSER * self.tol if holes else self.tol
        if self.loss == "frobenius" and 0 < holes <= _COMPLETED:
            return factorize_holes(
                X, k, ridge_per_entry=_RIDGE, n_init=n_init, max_iter=max_iter, tol=tol,
                random_state=random_state, n_threads=self.n_threads, callback=callback,
            )  # fmt: skip
        return factorize(
            X, k, loss=self.loss, ridge_per_entry=self.ridge_, init=init, n_init=n_init,
            max_iter=max_iter, tol=tol, random_state=random_state, n_threads=self.n_threads,
            callback=callback,
        )  # fmt: skip

    def _adopt(self, found: Factorization, X: FloatArray) -> None:
        """Store what was found: balanced, largest energy first, coefficients at their optimum."""
        W, H = found.W.astype(np.float64), found.H.astype(np.float64)
        seen = ~np.isnan(X).all(axis=0)
        # Not where every part is to have a sparseness: it would have another one.
        if not seen.all() and self.sparseness is None:
            H = from_around(H, seen.reshape(self.shape_))
        # Equal mean squares: the balance that a ridge asks for, and one that has no unit.
        w, h = (np.sqrt(np.mean(np.square(F), axis=axis)) for F, axis in ((W, 0), (H, 1)))
        alive = (w > 0) & (h > 0)
        scale = np.sqrt(np.where(alive, w, 1.0) / np.where(alive, h, 1.0))
        self.components_ = cast(FloatArray, (H * scale[:, None]).astype(X.dtype))
        self.status_, self.n_iter_, self.delta_ = found.status, found.n_iter, found.delta
        self.prior_ = None
        self.coefficients_ = self._solve(X)
        if self.loss == "frobenius":
            rest = X - self.coefficients_ @ self.components_
            noise = float(np.nanmean(np.square(rest, dtype=np.float64)))
            self.prior_ = Prior.of(self.coefficients_, noise)
            self.coefficients_ = self._solve(X)
        order = np.argsort(-_energy(self.coefficients_, self.components_), kind="stable")
        self.components_ = cast(FloatArray, np.ascontiguousarray(self.components_[order]))
        self.coefficients_ = cast(FloatArray, np.ascontiguousarray(self.coefficients_[:, order]))
        if self.prior_ is not None:
            self.prior_ = self.prior_.reordered(order)
        Y = self.coefficients_ @ self.components_
        self.errors_ = _relative(X, Y)
        self.relative_error_ = relative_error(X, self.coefficients_, self.components_)
        self.metric_ = learn_metric(self.coefficients_, self.components_, self.labels_)

    def _measure_limit(self, X: FloatArray, k: int, seed: int) -> float:
        """The error that nearly all images stay below that were not fitted."""
        if len(X) < _ENOUGH or self.status_ in _CUT_SHORT:
            return math.inf
        order = np.random.default_rng(seed).permutation(len(X))
        n_out = len(X) // 5
        out, used = order[:n_out], order[n_out:]
        try:
            trial = self._plain(
                X[used], min(k, len(used)), max_iter=_TRIAL_ITERATIONS, random_state=seed,
                watched=False,
            )  # fmt: skip
        except KeyboardInterrupt:
            trial = None
        if trial is None or trial.status in _CUT_SHORT:
            # The parts are there; who interrupts does not want to wait for the limit.
            self.status_ = Status.INTERRUPTED
            return math.inf
        W = self._solve(X[out], trial.H)
        plain = _relative(X[out], W @ trial.H)
        # Parts of which more is asked fit less well: as much as they do the images they know.
        worse = float(np.median(self.errors_)) / max(
            float(np.median(_relative(X[used], trial.W @ trial.H))), 1e-12
        )
        return float(np.quantile(plain, _ACCEPTED)) * max(worse, 1.0)

    def _solve(self, X: FloatArray, H: FloatArray | None = None) -> FloatArray:
        """Coefficients: the optimum, or the most probable where pixels are missing."""
        H = self.components_ if H is None else H
        loss: str | Loss = self.loss if self.delta_ is None else HuberLoss(self.delta_)
        W = cast(FloatArray, np.empty((len(X), len(H)), dtype=H.dtype))
        holes = np.isnan(X).any(axis=1)
        if self.prior_ is not None and H is self.components_:
            W[holes] = self.prior_.solve(X[holes], H, n_threads=self.n_threads)
            holes = np.zeros_like(holes)
        if self.loss == "frobenius" and holes.any():
            W[holes] = solve_known(X[holes], H, ridge_per_entry=_RIDGE, n_threads=self.n_threads)
            holes = np.zeros_like(holes)
        for rows, ridge in ((~np.isnan(X).any(axis=1), self.ridge_), (holes, _RIDGE)):
            if rows.any():
                W[rows] = solve_left(
                    X[rows], H, loss=loss, ridge_per_entry=ridge, n_threads=self.n_threads
                )
        return W

    def _fill(self, X: FloatArray, neighbors: bool) -> Array:
        holes = np.isnan(X)
        if not holes.any():
            return X.astype(np.float64)
        Y = (self._solve(X) @ self.components_).astype(np.float64)
        if neighbors:
            reach = self._reach(X)
            if reach:
                rest = (X - Y).reshape(-1, *self.shape_)
                Y += leftovers(rest, reach).reshape(X.shape)
        return np.where(holes, np.clip(Y, 0.0, max(1.0, float(np.nanmax(X, initial=0.0)))), X)

    def _reach(self, X: FloatArray) -> float:
        """How far to look for what parts leave over: what served known pixels held out; 0 is no."""
        known = ~np.isnan(X)
        out = known & (np.random.default_rng(_MASK_SEED).random(X.shape) < _HELD_OUT)
        if not out.any():
            return 0.0
        fewer = np.where(out, np.float32(np.nan), X)
        Y = (self._solve(fewer) @ self.components_).astype(np.float64)
        rest = (fewer - Y).reshape(-1, *self.shape_)
        wrong = {0.0: float(np.mean(np.square(X - Y)[out]))}
        for reach in REACHES:
            filled = Y + leftovers(rest, reach).reshape(X.shape)
            wrong[reach] = float(np.mean(np.square(X - filled)[out]))
        return min(wrong, key=lambda reach: wrong[reach])

    def _pictures(self, images: object, missing: object) -> Pictures:
        self._fitted()
        pictures = as_pictures(images, missing=missing, choices=self.choices_, shape=self.shape_)
        if pictures.shape != self.shape_:
            raise InputError(
                f"'{pictures.names[0]}' has {_told(pictures.shape)} · those that were fitted have "
                f"{_told(self.shape_)} · resize them"
            )
        return pictures

    def _gallery(self) -> Array:
        return self.metric_.features(self.coefficients_)

    def _shown(self, rows: Array) -> Array:
        height, width, channels = self.shape_
        images = np.asarray(rows, dtype=np.float64).reshape(-1, height, width, channels)
        return images[..., 0] if channels == 1 else images

    def _unscaled(self, rows: NDArray[np.floating]) -> Array:
        return np.asarray(rows, dtype=np.float64) * self.choices_.peak

    def _fitted(self) -> None:
        if "components_" not in vars(self):
            raise InputError("this ImageParts is not fitted · call fit first")


def _check_pixels(X: FloatArray, names: Sequence[str]) -> bool:
    """Refuse images that hold nothing, warn of what no part can tell, and return "no holes"."""
    known = ~np.isnan(X)
    nowhere = int((~known.any(axis=0)).sum())
    if nowhere == X.shape[1]:
        raise InputError("every pixel is missing · there is nothing to fit · check the mask")
    if not float(np.nanmax(X)) > 0:
        raise InputError(
            f"all {len(X)} images are black · black holds no parts · check how they were read"
        )
    if nowhere:
        warnings.warn(
            f"{nowhere} of {X.shape[1]} pixels are missing in every image: no part can say "
            "anything about them, so they are filled smoothly from those around",
            UserWarning,
            stacklevel=3,
        )
    low, high = np.where(known, X, np.inf).min(axis=1), np.where(known, X, -np.inf).max(axis=1)
    flat = [name for name, dark, bright in zip(names, low, high, strict=True) if dark == bright]
    if flat:
        warnings.warn(
            f"{len(flat)} of {len(X)} images are of one shade, which tells nothing of parts: "
            f"{', '.join(flat[:_NAMED])}{', …' if len(flat) > _NAMED else ''}",
            UserWarning,
            stacklevel=3,
        )
    return bool(known.all())


def _may_be_exact(X: FloatArray, k: int) -> bool:
    """Whether images have a rank of k at most, as those made of parts have."""
    if np.isnan(X).any() or not k < min(X.shape) <= _RANKED:
        return False
    # Dots of float32 in float64: of a rank there are clearly fewer eigenvalues than of noise.
    A = X.astype(np.float64) if X.shape[0] <= X.shape[1] else X.T.astype(np.float64)
    values = np.linalg.eigvalsh(A @ A.T)
    return bool(values[: len(values) - k].sum() <= _RANK_NOISE * values.sum())


def _energy(W: NDArray[np.floating], H: NDArray[np.floating]) -> Array:
    left = np.square(W, dtype=np.float64).sum(axis=0)
    return cast(Array, left * np.square(H, dtype=np.float64).sum(axis=1))


def _relative(X: NDArray[np.floating], Y: NDArray[np.floating]) -> Array:
    """‖x − y‖ / ‖x‖ of each row over its known pixels; of a black row 0 if y is black, else 1."""
    known = ~np.isnan(X)
    R = np.where(known, X - Y, 0.0)
    size = np.sqrt(np.square(np.where(known, X, 0.0), dtype=np.float64).sum(axis=1))
    wrong = np.sqrt(np.square(R, dtype=np.float64).sum(axis=1))
    return cast(
        Array,
        np.where(size > 0, wrong / np.where(size > 0, size, 1.0), (wrong > 0).astype(float)),
    )


def _told(shape: tuple[int, int, int]) -> str:
    height, width, channels = shape
    return f"{width} × {height} pixels" + ("" if channels == 1 else f" in {channels} channels")

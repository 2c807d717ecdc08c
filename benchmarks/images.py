"""What `ImageParts` does on real pictures, beside its rivals: the protocol "Images".

    python benchmarks/images.py --data FOLDER --rivals FOLDER
    python benchmarks/images.py --data FOLDER --only swimmer recognition

Each part is printed and written to `results/images-PART.json`:

swimmer      17 true parts, ten seeds: which are found
orl          rank 25 as nimfa's example does it, beside nimfa's Lsnmf: error and seconds
cbcl         rank 49 beside scikit-learn at convergence; the sparseness that was asked for
recognition  ORL, 5 pictures of each person to learn and 5 to test, ten draws, beside PCA; the same
             with a black square of 40 × 40 pixels on each test picture; strangers refused
inpainting   ORL and CBCL with 10 to 70 % of the pixels missing, beside the mean, NMF of zeros and
             iterated SVD (its rank chosen by its error on what is missing: the best it can do)
compression  bytes, PSNR and SSIM against rank beside the truncated SVD
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import Bench
from machine import machine, today, versions, write
from sets import cbcl, orl
from sets.paths import source
from sklearn.decomposition import NMF, PCA
from sklearn.linear_model import LogisticRegression
from task import Task

from nonneg import ImageParts, factorize
from nonneg.apps.image_quality import compression
from nonneg.apps.image_recognition import Metric, learn_metric

RESULTS = Path(__file__).parent / "results"
SEEDS, DRAWS, PEOPLE = 10, 10, 40
RANKS, LEVELS = (25, 50, 100), (0.1, 0.3, 0.5, 0.7)
SQUARE = 40
# Of each fit for recognition, so that ten draws of three ranks take minutes.
ITERATIONS = 100


def main() -> None:
    """Measure what is asked for and write the records."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    parser.add_argument("--rivals", type=Path, default=Path("build/rivals"), help="of bench.py")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for part in asked.only:
        started = time.perf_counter()
        with Bench(asked.data, asked.rivals) as bench:
            found = PARTS[part](bench)
        record = {
            "benchmark": f"images, {part}",
            "date": today(),
            **found,
            "seconds_of_all": round(time.perf_counter() - started, 1),
            "machine": machine(),
            "versions": versions(),
        }
        write(asked.output / f"images-{part}.json", record)
        print(json.dumps(record, indent=1, ensure_ascii=False), flush=True)


def swimmer(bench: Bench) -> dict[str, Any]:
    """Which of the 17 parts are found, by variant."""
    with np.load(source(bench.data, "swimmer", "swimmer.npz")) as stored:
        X = stored["X_clean"].T.reshape(256, 32, 32)
        parts = stored["parts"].T.astype(float)
    rows = []
    for variant in ("plain", "local", "orthogonal"):
        for seed in range(SEEDS):
            started = time.perf_counter()
            model = ImageParts(17, variant=variant, random_state=seed).fit(X)
            seconds = time.perf_counter() - started
            best = (units(parts) @ units(model.components_.astype(float)).T).max(axis=1)
            rows.append(
                {
                    "variant": variant,
                    "seed": seed,
                    "relative_error": model.relative_error_,
                    "limbs_of_16": int((best[1:] >= 0.99).sum()),
                    "torso_cosine": round(float(best[0]), 4),
                    "seconds": round(seconds, 2),
                }
            )
    whole = {
        variant: sum(
            row["limbs_of_16"] == 16 and row["relative_error"] < 1e-6
            for row in rows
            if row["variant"] == variant
        )
        for variant in ("plain", "local", "orthogonal")
    }
    return {"seeds_with_all_limbs_and_error_below_1e-6": whole, "rows": rows}


def orl_rank_25(bench: Bench) -> dict[str, Any]:
    """Nimfa's example: squared error and seconds."""
    from PIL import Image

    faces = (orl.faces(bench.data) * 255).round().astype(np.uint8).reshape(400, 112, 92)
    small = np.stack([np.asarray(Image.fromarray(face).resize((46, 56))) for face in faces])
    V = small.reshape(400, -1).T.astype(float)
    V -= V.min(axis=0)
    V = V * 255 / (V.max(axis=0) + 1e-4) / 100
    settings: dict[str, object] = {
        "seed": "random_vcol",
        "max_iter": 50,
        "sub_iter": 10,
        "inner_sub_iter": 10,
        "beta": 0.1,
        "min_residuals": 1e-8,
    }
    result: dict[str, Any] = {
        "data": {"shape": list(V.shape), "preparation": "46 × 56, each from 0 to 2.55"},
        "settings_of_nimfa": settings,
    }
    if not bench.has("nimfa"):
        return result | {"missing": bench.missing["nimfa"]}

    def run(solver: str, seed: int, goal: float | None = None, *, single: bool = False) -> Any:
        options = settings if solver == "nimfa" else {}
        task = Task(solver, 25, seed=seed, goal=goal, settings=options)
        # ImageParts keeps pictures as float32.
        name, X = ("orl-example-float32", V.astype(np.float32)) if single else ("orl-example", V)
        done = bench.run(name, X, task)
        return done, done.told() | {"squared_error": 2 * done.objective}

    theirs = [run("nimfa", seed) for seed in range(3)]
    goal = min(done.objective for done, _ in theirs)
    to_goal = [run("ours", seed, goal)[1] for seed in range(3)]
    single = [run("ours", seed, goal, single=True)[1] for seed in range(3)]
    whole = [run("ours", seed)[1] for seed in range(3)]

    def seconds(told_of: list[Any]) -> float:
        return float(np.median([told["seconds"] for told in told_of]))

    rival = seconds([told for _, told in theirs])
    return result | {
        "nimfa": [told for _, told in theirs],
        "ours, until the best of nimfa's errors": to_goal,
        "ours in float32, until the best of nimfa's errors": single,
        "ours, default": whole,
        "times_as_fast": round(rival / seconds(to_goal), 1),
        "times_as_fast_in_float32": round(rival / seconds(single), 1),
    }


def cbcl_rank_49(bench: Bench) -> dict[str, Any]:
    """Objective beside scikit-learn at convergence, and the sparseness that was asked for."""
    X = cbcl.faces(bench.data)
    rows = []
    for init in ("nndsvda", "random"):
        started = time.perf_counter()
        theirs = NMF(49, init=init, tol=1e-6, max_iter=5000, random_state=0)
        W = theirs.fit_transform(X.astype(np.float64))
        rows.append(
            {
                "method": f"scikit-learn cd, {init}, tol 1e-6",
                "objective": half_squares(X, W, theirs.components_),
                "n_iter": int(theirs.n_iter_),
                "seconds": round(time.perf_counter() - started, 2),
            }
        )
    for tol in (1e-4, 1e-6):
        started = time.perf_counter()
        fit = factorize(X.astype(np.float64), 49, tol=tol, max_iter=5000, random_state=0)
        rows.append(
            {
                "method": f"ours, default start, tol {tol:g}",
                "objective": half_squares(X, fit.W, fit.H),
                "n_iter": fit.n_iter,
                "seconds": round(time.perf_counter() - started, 2),
            }
        )
    images = X.reshape(-1, 19, 19)
    dial = []
    options: list[dict[str, Any]] = [{"sparseness": s} for s in (None, 0.5, 0.7, 0.85, 0.95)]
    options += [{"variant": "local", "overlap": 0.1}, {"variant": "orthogonal"}]
    options += [{"smoothness": 0.3}]
    for wish in options:
        started = time.perf_counter()
        model = ImageParts(49, random_state=0, n_init=1, **wish).fit(images)
        s = model.sparseness_
        dial.append(
            {
                "asked": wish,
                "sparseness": {
                    "lowest": round(float(s.min()), 4),
                    "mean": round(float(s.mean()), 4),
                    "highest": round(float(s.max()), 4),
                },
                "relative_error": round(model.relative_error_, 4),
                "n_iter": model.n_iter_,
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
    return {"rank": 49, "rows": rows, "sparseness": dial}


def recognition(bench: Bench) -> dict[str, Any]:
    """Share of the test pictures whose person is recognised."""
    X = orl.faces(bench.data).reshape(400, 112, 92)
    y = np.repeat(np.arange(1, PEOPLE + 1), 10)
    with np.load(source(bench.data, "orl-faces", "orl_faces.npz")) as stored:
        assert np.array_equal(stored["y"], y)
    right: dict[tuple[int, str], list[float]] = {}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        order = [rng.permutation(np.flatnonzero(y == person)) for person in range(1, PEOPLE + 1)]
        train = np.concatenate([places[:5] for places in order])
        test = np.concatenate([places[5:] for places in order])
        hidden, black = X[test].copy(), X[test].copy()
        for i in range(len(test)):
            top, left = rng.integers(112 - SQUARE + 1), rng.integers(92 - SQUARE + 1)
            place = (i, slice(top, top + SQUARE), slice(left, left + SQUARE))
            hidden[place], black[place] = np.nan, 0
        for k in RANKS:
            for method, share in recognised(X[train], y[train], X[test], hidden, black, y[test], k):
                right.setdefault((k, method), []).append(share)
        print(f"draw {draw}", flush=True)
    rows = [
        {
            "k": k,
            "method": method,
            "mean": round(float(np.mean(shares)), 2),
            "deviation": round(float(np.std(shares, ddof=1)), 2),
            "draws": [round(share, 1) for share in shares],
        }
        for (k, method), shares in right.items()
    ]
    return {
        "unit": "% right of 200",
        "iterations": ITERATIONS,
        "rows": rows,
        "unknown": unknown_people(X, y),
    }


def recognised(
    A: np.ndarray,
    a: np.ndarray,
    B: np.ndarray,
    hidden: np.ndarray,
    black: np.ndarray,
    b: np.ndarray,
    k: int,
) -> list[tuple[str, float]]:
    """All methods on one draw."""
    # What who knows the square can do for PCA: fill it with the mean face.
    filled = np.where(np.isnan(hidden), A.mean(axis=0), hidden)
    flat = [images.reshape(len(images), -1) for images in (A, B, black, filled)]
    pca = PCA(k, random_state=0).fit(flat[0])
    P, Q, R, M = (pca.transform(images) for images in flat)
    model = ImageParts(k, max_iter=ITERATIONS, random_state=0).fit(A, a)
    W, T, H = model.coefficients_, model.transform(B), model.transform(hidden)
    ours = model.metric_
    plain = learn_metric(W, model.components_, None)
    found = [
        ("PCA, cosine", nearest(P, a, Q, b)),
        ("PCA, cosine, black square", nearest(P, a, R, b)),
        ("PCA, cosine, square filled with the mean", nearest(P, a, M, b)),
        ("ours", nearest(ours.features(W), a, ours.features(T), b)),
        ("ours, square missing", nearest(ours.features(W), a, ours.features(H), b)),
        ("ours, labels unused", nearest(plain.features(W), a, plain.features(T), b)),
        ("ours, coefficients as they are", nearest(W, a, T, b)),
    ]
    # The same within-label metric for both, so that what it is worth can be told from the parts.
    metric: Metric = learn_metric(P, np.eye(k), [str(one) for one in a])
    for name, images in (
        ("", Q),
        (", black square", R),
        (", square filled with the mean", M),
    ):
        found.append(
            (
                f"PCA, metric of ours{name}",
                nearest(metric.features(P), a, metric.features(images), b),
            )
        )
    for name, (train, test) in {
        "ours, logistic regression": (ours.features(W), ours.features(T)),
        "PCA, logistic regression": (P / P.std(axis=0), Q / P.std(axis=0)),
    }.items():
        classifier = LogisticRegression(C=10.0, tol=1e-3, max_iter=500).fit(train, a)
        found.append((name, 100 * float(classifier.score(test, b))))
    return found


def unknown_people(X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Thirty people are learned, ten are strangers, and noise is no face at all; ten draws."""
    shares: dict[str, list[float]] = {}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        known = np.isin(y, rng.permutation(PEOPLE)[:30] + 1)
        order = [rng.permutation(np.flatnonzero(y == person)) for person in np.unique(y[known])]
        train = np.concatenate([places[:5] for places in order])
        test = np.concatenate([places[5:] for places in order])
        model = ImageParts(50, max_iter=ITERATIONS, random_state=0).fit(X[train], y[train])
        asked = {
            "known people": X[test],
            "strangers": X[~known],
            "faces upside down": X[test][:, ::-1],
            "noise": rng.random((50, 112, 92)),
        }
        told = {name: model.identify(images) for name, images in asked.items()}
        own = [str(label) for label in y[test]]
        labels = [one.label for one in told["known people"]]
        found = {
            "known people right": [a == b for a, b in zip(labels, own, strict=True)],
            "known people wrong": [a not in (None, b) for a, b in zip(labels, own, strict=True)],
        }
        for name, of in told.items():
            found[f"{name} refused"] = [one.label is None for one in of]
            for reason in ("the parts do not fit it", "no label stands out"):
                found[f"{name} refused: {reason}"] = [one.reason == reason for one in of]
        lead = {name: [one.lead for one in of] for name, of in told.items()}
        for percent in (2, 5, 10):
            limit = np.quantile(lead["known people"], percent / 100)
            found[f"strangers below the lead that {percent} % of known people are below"] = list(
                np.array(lead["strangers"]) < limit
            )
        for name, which in found.items():
            shares.setdefault(name, []).append(round(100 * float(np.mean(which)), 1))
    return {
        "k": 50,
        "unit": "%",
        "rows": [
            {"what": name, "mean": round(float(np.mean(of)), 1), "draws": of}
            for name, of in shares.items()
        ],
    }


def inpainting(bench: Bench) -> dict[str, Any]:
    """Root mean squared error on missing pixels."""
    rows = []
    sets = {
        "CBCL": (cbcl.faces(bench.data).reshape(-1, 19, 19), (25, 50, 100)),
        "ORL": (orl.faces(bench.data).reshape(-1, 112, 92), (25, 50, 100)),
    }
    for name, (images, ranks) in sets.items():
        X = images.reshape(len(images), -1)
        for level in LEVELS:
            missing = np.random.default_rng(1).random(X.shape) < level
            holes = np.where(missing, np.float32(np.nan), X)

            def rmse(Y: np.ndarray, missing: np.ndarray = missing, X: np.ndarray = X) -> float:
                return round(float(np.sqrt(np.mean(np.square(Y.clip(0, 1) - X)[missing]))), 5)

            started, busy = time.perf_counter(), time.process_time()
            model = ImageParts(100, random_state=0).fit(holes.reshape(images.shape))
            filled = model.inpaint(holes.reshape(images.shape)).reshape(X.shape)
            seconds = time.perf_counter() - started
            of_processor = time.process_time() - busy
            alone = model.inpaint(holes.reshape(images.shape), neighbors=False).reshape(X.shape)
            mean = np.nanmean(holes, axis=0)
            zeros = factorize(np.where(missing, 0, X), 50, random_state=0)
            started = time.perf_counter()
            svd = {k: rmse(iterated_svd(holes, mean, k)) for k in ranks}
            row = {
                "data": name,
                "missing": level,
                "ours": rmse(filled),
                "ours, parts alone": rmse(alone),
                "mean image": rmse(np.broadcast_to(mean, X.shape)),
                "zero-filled NMF": rmse(zeros.W @ zeros.H),
                "iterated SVD, best rank": min(svd.values()),
                "iterated SVD by rank": svd,
                "n_iter": model.n_iter_,
                "seconds": {
                    "ours": round(seconds, 1),
                    "ours, of processors": round(of_processor, 1),
                    "all SVDs": round(time.perf_counter() - started, 1),
                },
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    return {"parts": 100, "unit": "RMSE on missing pixels, black 0 to white 1", "rows": rows}


def iterated_svd(holes: np.ndarray, mean: np.ndarray, k: int, n_iter: int = 100) -> np.ndarray:
    """Fill with the mean, then with the truncated SVD of the rest, until little changes."""
    missing = np.isnan(holes)
    X = (np.where(missing, mean, holes) - mean).astype(np.float32)
    wide = X.shape[0] < X.shape[1]
    for _ in range(n_iter):
        # On the smaller side the squares are as good: only a subspace is wanted.
        vectors = np.linalg.eigh((X @ X.T if wide else X.T @ X).astype(np.float64))[1][:, -k:]
        V = vectors.astype(np.float32)
        Y = V @ (V.T @ X) if wide else (X @ V) @ V.T
        change = np.linalg.norm((Y - X)[missing]) / max(np.linalg.norm(Y[missing]), 1e-12)
        X = np.where(missing, Y, X)
        if change < 1e-3:
            break
    return X + mean


def compressed(bench: Bench) -> dict[str, Any]:
    """Bytes and quality against rank."""
    rows = []
    for name, images in {
        "ORL": orl.faces(bench.data).reshape(400, 112, 92, 1),
        "CBCL": cbcl.faces(bench.data).reshape(-1, 19, 19, 1),
    }.items():
        found = compression(images, (10, 25, 49, 100))
        rows += [{"data": name, **vars(one)} for one in found]
    return {"bytes": "half precision", "rows": rows}


def nearest(A: np.ndarray, a: np.ndarray, B: np.ndarray, b: np.ndarray) -> float:
    """Share of B in % whose nearest of A by cosine has its label."""
    return 100 * float(np.mean(a[(units(B) @ units(A).T).argmax(axis=1)] == b))


def units(A: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return A / np.maximum(np.linalg.norm(A, axis=1, keepdims=True), 1e-12)


def half_squares(X: np.ndarray, W: np.ndarray, H: np.ndarray) -> float:
    """½‖X − WH‖² in float64."""
    return float(0.5 * np.square(X.astype(np.float64) - W.astype(np.float64) @ H).sum())


PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "swimmer": swimmer,
    "orl": orl_rank_25,
    "cbcl": cbcl_rank_49,
    "recognition": recognition,
    "inpainting": inpainting,
    "compression": compressed,
}


if __name__ == "__main__":
    main()

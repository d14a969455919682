"""How the objective of each method falls with time, from a common start, and its times to a gap."""

import time
import warnings

import numpy as np
import pandas as pd
import scipy.optimize
from peers import ADAM, NOTES, OURS, PEERS, PROXIMAL, RATES, STATELESS, WEIGHTED_PEERS

from spectralunmix.nmf.starts import starting_components
from spectralunmix.published import adam_clamped

GAPS = (1e-2, 1e-4, 1e-6)
ROWS = 2000  # worked on at once, where the objective is computed
OWN = [OURS, PROXIMAL]


class Over(Exception):
    """The seconds of a run are over."""


def common_starts(X, k, n, V=None):
    """n starts (W, H), the first NNDSVD's, without zeros, where multiplicative updates stay."""
    given = {"inverse_variance": V}
    H = [starting_components(X, k, init, **given) for init in ("nndsvd", "spa")]
    n_random = max(0, n - 2)
    H.append(starting_components(X, k, "random", n_starts=n_random, random_state=0, **given))
    roots = np.ones((1, X.shape[1])) if V is None else np.sqrt(V)
    roots = np.broadcast_to(roots, X.shape)
    for each in np.concatenate(H)[:n]:
        each = np.maximum(each, 1e-3 * each.max())
        pairs = zip(X, roots, strict=True)
        W = np.array([scipy.optimize.nnls((each * r).T, x * r)[0] for x, r in pairs])
        yield (W + 0.01 * W.mean()).astype(X.dtype), each.astype(X.dtype)


def objective(X, W, H, V=None):
    W, H, total = W.astype(float), H.astype(float), 0.0
    for i in range(0, len(X), ROWS):
        squares = np.square(X[i : i + ROWS] - W[i : i + ROWS] @ H)
        total += (squares if V is None else V[i : i + ROWS] * squares).sum()
    return total


def course(name, X, W, H, V, seconds):
    """(seconds, objective) along a run: of one that goes on, or of runs of rising length."""
    method = (PEERS if V is None else WEIGHTED_PEERS)[name]
    weights = [] if V is None else [V]
    n_iter, spent, reached = 1, 0.0, []
    start = W, H
    method(X, W, H, n_iter, *weights)  # untimed: it imports, compiles and allocates
    while spent < seconds:
        began = time.perf_counter()
        W, H = method(X, *((W, H) if name in STATELESS else start), n_iter, *weights)
        took = time.perf_counter() - began
        spent = spent + took if name in STATELESS else took
        reached.append((spent, objective(X, W, H, V)))
        if name not in STATELESS and len(reached) > 12:
            last, before = reached[-1][1], reached[-4][1]
            if abs(before - last) < 1e-9 * last:
                break  # it has converged, and may end by itself before the time is up
        n_iter = max(n_iter + 1, round(1.4 * n_iter))
    return reached


def course_of_adam(rate, X, W, H, V, seconds):
    """(seconds, objective) along one run, whose clock stands while the objective is computed.

    Components begin with maximum 1, as a step of Adam is equally large in every factor.
    """
    maximum = H.max(axis=1, keepdims=True)
    reached, wanted, paused = [], 1, 0.0
    began = time.perf_counter()

    def watch(i, W, H):
        nonlocal wanted, paused
        if i < wanted:
            return
        stopped = time.perf_counter()
        reached.append((stopped - began - paused, objective(X, W, H, V)))
        wanted = max(i + 1, round(1.2 * i))
        paused += time.perf_counter() - stopped
        if reached[-1][0] > seconds:
            raise Over

    try:
        adam_clamped(
            *(X, W * maximum.T, H / maximum, 10**9),
            inverse_variance=V,
            watch=watch,
            learning_rate=rate,
        )
    except Over:
        return reached


def methods(V):
    """Name and course of each method for a problem with or without weights."""
    found = {}
    for name in PEERS if V is None else WEIGHTED_PEERS:
        found[name] = lambda *given, name=name: course(name, *given)
    for rate in RATES:
        found[f"{ADAM} {rate}"] = lambda *given, rate=rate: course_of_adam(rate, *given)
    return found


def measure(problem, seconds, rounds):
    """The medians over rounds of the times and objectives of each method, start and point.

    And by name why a method does not run.
    """
    X, V = problem.make()
    rows, failed = [], {}
    for start, (W, H) in enumerate(common_starts(X, problem.k, problem.n_starts, V)):
        for turn in range(rounds):
            for name, run in methods(V).items():
                try:
                    with warnings.catch_warnings(), np.errstate(all="ignore"):
                        warnings.simplefilter("ignore")  # none may stop early, and some say so
                        reached = run(X, W, H, V, seconds)
                except Exception as error:  # what it does not run with, or refuses
                    print(f"  {name} failed: {error!r}", flush=True)
                    failed[name] = f"failed: {error}"
                    continue
                rows += [(name, start, turn, i, *point) for i, point in enumerate(reached)]
                last, after = reached[-1][1], reached[-1][0]
                print(
                    f"  {start + 1}.{turn + 1} {name}: {last:.8g} after {after:.3g} s", flush=True
                )
    columns = ["method", "start", "round", "point", "seconds", "objective"]
    table = pd.DataFrame(rows, columns=columns)
    order = ["method", "start", "point"]
    table = table.groupby(order, as_index=False, sort=False).median().drop(columns="round")
    table = best_rate(table)
    best = table.groupby("start")["objective"].transform("min")
    return table.assign(gap=table["objective"] / best - 1), failed


def best_rate(table):
    """The runs of Adam at several rates as one: at each time the least objective of any so far."""
    of_adam = table["method"].str.startswith(ADAM)
    runs = table[of_adam].sort_values(["start", "seconds"])
    runs = runs.assign(
        method=ADAM,
        objective=runs.groupby("start")["objective"].cummin(),
        point=runs.groupby("start").cumcount(),
    )
    return pd.concat([table[~of_adam], runs], ignore_index=True)


def times_to_gap(table, failed):
    """A row a method: the median over starts of the seconds to each gap, missing where not reached.

    Then the least gap at the first start, at how many starts the method ends lowest, to 1e-4, and
    what has to be known of it, or why it does not run.
    """
    starts = range(table["start"].nunique())
    names = table["method"].unique()
    columns = {}
    for gap in GAPS:
        reached = table[table["gap"] <= gap]
        first = reached.pivot_table("seconds", "method", "start", aggfunc="min")
        first = first.reindex(index=names, columns=starts).fillna(np.inf).astype(float)
        columns[f"{gap:.0e}"] = first.median(axis=1).replace(np.inf, np.nan)
    found = pd.DataFrame(columns).reindex(names)
    lowest = table.pivot_table("objective", "method", "start", aggfunc="min")
    found["least gap"] = table[table["start"] == 0].groupby("method")["gap"].min()
    found["ends lowest"] = lowest.le(1.0001 * lowest.min()).sum(axis=1)
    found["starts"] = len(starts)
    found["note"] = [NOTES.get(name, "") for name in names]
    for name in [name for name in failed if name not in names]:
        found.loc[name] = [*[np.nan] * (len(GAPS) + 1), 0, len(starts), failed[name]]
    return found.rename_axis("method").reset_index()


def as_text(found, seconds_given):
    """That table for a reader, and how many times longer the fastest peer took than ours.

    More than how many times, where no peer got there in the seconds given.
    """
    shown = found.set_index("method").drop(columns=["starts", "note"])
    columns = [f"{gap:.0e}" for gap in GAPS]
    seconds = shown[columns]
    peers = seconds.drop(index=OWN, errors="ignore")
    shown = shown.astype(object)
    shown[columns] = seconds.map("{:.3g}".format).replace("nan", "-")
    shown["least gap"] = (
        found.set_index("method")["least gap"].map("{:.1e}".format).replace("nan", "-")
    )
    shown["ends lowest"] = [
        f"{n} of {of}" for n, of in zip(found["ends lowest"], found["starts"], strict=True)
    ]
    ratio = []
    for column in columns:
        fastest, mine = peers[column].min(), seconds.loc[OURS, column]
        sign, fastest = (">", seconds_given) if np.isnan(fastest) else ("", fastest)
        ratio.append("-" if np.isnan(mine) else f"{sign}{fastest / mine:.3g}")
    shown.loc["fastest peer / ours", columns] = ratio
    return shown.fillna("").to_string()

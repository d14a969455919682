"""Which members of the classes are taken."""

import numpy as np
import pandas as pd
import pytest

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import selection

HOW = {
    "classes": ["hot", "cool"],
    "mode": "evenly_spaced",
    "per_class": 3,
    "order": ["teff"],
    "files": [],
    "seed": 0,
}


@pytest.fixture
def frame():
    teff = np.random.default_rng(0).permutation(20)
    labels = np.where(teff < 12, "cool", "hot")
    return pd.DataFrame({"file": [f"s{t:02d}" for t in teff], "teff": teff, "class": labels})


def files(frame, **how):
    return selection.select(frame, HOW | how)["file"].tolist()


def test_evenly_spaced_by_rank_in_the_classes_order(frame):
    # ranks round(linspace(1, 8, 3)) = 1, 4, 8 of 12..19, and 1, 6, 12 of 0..11
    assert files(frame) == ["s12", "s15", "s19", "s00", "s05", "s11"]
    found = selection.select(frame, HOW | {"classes": ["cool"]})
    assert found["class_rank"].tolist() == [1, 6, 12]
    assert found["class_size"].tolist() == [12] * 3


def test_all_and_a_list(frame):
    assert sorted(files(frame, mode="all")) == sorted(frame["file"])
    assert files(frame, mode="list", files=["s07", "s13", "s01"]) == ["s13", "s01", "s07"]


def test_random_is_seeded_and_of_the_class(frame):
    chosen = files(frame, mode="random")
    assert chosen == files(frame.sample(frac=1, random_state=1), mode="random")
    assert len(set(chosen)) == 6
    assert all(int(f[1:]) >= 12 for f in chosen[:3])
    assert len({tuple(files(frame, mode="random", seed=s)) for s in range(5)}) > 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"per_class": 9}, r"selection\.per_class: 9 .* there are 8 of hot, 12 of cool"),
        ({"order": ["tef"]}, r"selection\.order: no such parameter: tef"),
        ({"mode": "list", "files": ["s01", "x"]}, r"selection\.files: not in the library: x"),
    ],
)
def test_what_cannot_be_selected(frame, how, message):
    with pytest.raises(LibraryError, match=message):
        files(frame, **how)


def test_a_listed_file_of_no_selected_class(frame):
    with pytest.raises(LibraryError, match=r"selection\.files: of no selected class: s01"):
        files(frame, classes=["hot"], mode="list", files=["s01", "s15"])

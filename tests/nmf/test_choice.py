"""What a cross-validation says in words, on errors whose answer is known."""

import numpy as np
import pytest

from spectralunmix import CrossValidation, choice, files

SPECTRA = 50
WOBBLE = np.linspace(-1, 1, SPECTRA)
ACROSS = np.where(np.arange(SPECTRA) % 2, 1, -1)


def cross_validation(means, chi2=None, subsamples=None, same=1.0):
    """Errors (n_k, n_smoothness) whose differences have a standard error of about 0.1."""
    means = np.array(means, dtype=float)
    n_k, n_smoothness = means.shape
    k = np.arange(1, n_k + 1)[:, None, None]
    errors = means[..., None] + 0.6 * np.where(k % 2, WOBBLE, -WOBBLE)
    errors[:, 1:] += 0.6 * ACROSS
    whole = np.ones(means.shape)
    return CrossValidation(
        n_components=np.arange(1, n_k + 1),
        smoothness=np.array([0.0, 10.0])[:n_smoothness],
        errors=errors,
        reduced_chi2=np.nan * whole if chi2 is None else np.array(chi2),
        subsample_distance=0.01 * whole if subsamples is None else np.array(subsamples),
        start_distance=0.001 * whole,
        same_minimum=same * whole,
        n_not_converged=np.zeros(means.shape, dtype=int),
    )


CLEAR = [[9.0, 9.5], [5.0, 5.5], [2.0, 2.01], [1.99, 2.3], [2.1, 2.4]]


def test_the_choice_beside_what_is_configured():
    found = cross_validation(CLEAR)
    said = choice.summary(found, 4, 10.0, uncertain=False)
    assert (said["least"]["n_components"], said["least"]["smoothness"]) == (4, 0.0)
    assert (said["chosen"]["n_components"], said["chosen"]["smoothness"]) == (3, 10.0)
    assert said["configured"]["error"] == pytest.approx(2.3)
    words = " ".join(said["in_words"])
    assert not {"nan", "inf"} & set(words.replace(",", " ").split())
    assert "explained best by 4 components at lambda = 0" in words
    assert (
        "the fewest components within two, is 3 components at lambda = 10, and within one as well"
        in words
    )
    assert "14% larger than that of the choice" in words  # 2.3 over 2.01
    assert "from 3 to 4 components by +14%, from 4 to 5 components by +4%" in words
    assert "without uncertainties" in words
    assert "100% of the other starts" in words


def test_one_standard_error_and_two_may_choose_otherwise():
    means = [[9.0, 9.5], [2.15, 3.0], [2.5, 3.0], [2.06, 3.0], [1.99, 3.0], [2.3, 3.0]]
    said = choice.summary(cross_validation(means), 4, 0.0, uncertain=False)
    assert said["within_one_standard_error"]["n_components"] == 4
    assert said["chosen"]["n_components"] == 2
    assert (
        "4 components at lambda = 0 do as well within one standard error; the choice, the "
        in (said["in_words"][0])
    )
    assert "within two, is 2 components at lambda = 0" in said["in_words"][0]


def test_what_is_configured_may_be_the_choice():
    said = choice.summary(cross_validation(CLEAR), 3, 10.0, uncertain=False)
    assert "That is what is configured: 3 components at lambda = 10" in said["in_words"]


def test_an_edge_of_the_grid_is_no_answer():
    found = cross_validation([[9.0, 9.0], [5.0, 5.0], [1.0, 1.5]])
    said = choice.summary(found, 2, 0.0, uncertain=False)
    assert said["chosen"]["n_components"] == 3
    assert (
        "The choice is at the largest number compared, so this grid does not bound the"
        in (said["in_words"][0])
    )
    inside = choice.summary(cross_validation(CLEAR), 2, 0.0, uncertain=False)
    assert "number of components" not in inside["in_words"][0]


def test_noise_is_spoken_of_where_it_is_known():
    chi2 = [[8.0, 9.0], [3.0, 4.0], [0.99, 1.2], [0.98, 1.1], [0.97, 1.05]]
    found = cross_validation(CLEAR, chi2)
    (said,) = about(found, 2, 0.0, "chi")
    assert said.endswith("a reduced chi^2 of 3; it comes to 1 with 3 components")
    (said,) = about(found, 2, 10.0, "chi")
    assert said.endswith("a reduced chi^2 of 4; it stays above 1 with any number compared")
    (said,) = about(cross_validation(CLEAR, 0.1 * np.array(chi2)), 2, 0.0, "chi")
    assert said.endswith("are the uncertainties too large?")
    chi2[1][0] = np.nan
    (said,) = about(cross_validation(CLEAR, chi2), 2, 0.0, "chi")
    assert said.startswith("There are not enough pixels")


def about(found, k, smoothness, word):
    """The sentences with that word."""
    said = choice.summary(found, k, smoothness, uncertain=True)["in_words"]
    return [sentence for sentence in said if word in sentence]


def test_edges_of_any_kind_and_fits_that_did_not_end_are_told():
    found = cross_validation([[9.0, 9.0], [5.0, 4.0], [3.94, 3.95]])
    said = choice.summary(found, 2, 0.0, uncertain=False)
    assert (said["chosen"]["n_components"], said["chosen"]["smoothness"]) == (2, 10.0)
    assert "The least error is at the largest number compared" in said["in_words"][0]
    assert "at the largest smoothness compared" in said["in_words"][0]
    found.n_not_converged[1, 1] = 3
    assert about(found, 2, 0.0, "stopped")[0].startswith("3 of the fits stopped at smooth_nmf.max_")


def test_an_equal_error_is_said_to_be_equal():
    found = cross_validation(CLEAR)
    found.errors[2, 0] = found.errors[2, 1]
    said = choice.summary(found, 3, 0.0, uncertain=False)
    assert said["chosen"]["smoothness"] == 10.0
    assert said["in_words"][1].endswith("with the same error as the choice")


def test_components_that_hang_on_few_spectra_are_told():
    subsamples = [[0.01, 0.01], [0.012, 0.01], [0.011, 0.02], [0.03, 0.05], [0.04, 0.05]]
    found = cross_validation(CLEAR, subsamples=subsamples, same=0.25)
    said = choice.summary(found, 3, 0.0, uncertain=False)["in_words"][-1]
    assert said == (
        "Without the spectra held out the configured components, whose maximum is 1, move by 0.011 "
        "(rms), those of 4 components by more than 0.02; 25% of the other starts end at the same "
        "minimum"
    )


def test_tables_give_back_what_they_were_made_of(tmp_path):
    found = cross_validation(CLEAR, chi2=np.ones((5, 2)))
    paths = []
    for k in (3, 1, 2, 0, 4):  # in any order
        part = CrossValidation(
            smoothness=found.smoothness,
            n_components=found.n_components[[k]],
            **{name: getattr(found, name)[[k]] for name in choice.BY_SMOOTHNESS},
        )
        paths.append(str(tmp_path / f"{k}.fits"))
        files.write_fits_table(paths[-1], choice.as_table(part, uncertain=True))
    again, uncertain = choice.of_tables([files.read_fits_table(path) for path in paths])
    assert uncertain is True
    for name in ("n_components", "smoothness", *choice.BY_SMOOTHNESS):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    masks = choice.as_table(found, uncertain=False)  # no chi^2 of weights that are a mask
    assert np.isnan(masks["reduced_chi2"]).all()
    shown = choice.for_readers(found)
    assert shown["rms"][0] == pytest.approx(3.0)
    assert "errors" not in shown.colnames

"""The entries of libraries, on files in their layouts: those that are out of reach here, and those
of which a part of the layout is worth a test.

Each library's files are written as it ships them, under its own names, fetched through the
entry's own list of files, and read, labelled and selected as its entry says.
"""

import gzip
import io
import itertools
import tarfile
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

from paper_rule import paper_class
from spectralunmix.libraries import quality, sources
from spectralunmix.libraries.entry import read_entry
from spectralunmix.libraries.survey import survey

ROOT = Path(__file__).parents[2]


def entry_of(name):
    return read_entry(ROOT / f"config/libraries/{name}.yaml")


def black_body(wavelength, teff, log_g=0.0):
    """A spectrum per Angstrom that differs with each parameter."""
    wavelength = np.asarray(wavelength, float)
    planck = 1e20 / wavelength**5 / np.expm1(1.43877e8 / (wavelength * teff))
    return planck * (1 + 0.01 * log_g * np.cos(wavelength / 300))


def surveyed(name, folder, tmp_path, run_on="layout"):
    entry = entry_of(name)
    assert entry["run_on"] == run_on
    (source,) = entry["sources"]
    index = entry["parameters"].get("index")
    target = tmp_path / "library"
    also = [index["file"]] if index else []
    sources.fetch(entry["sources"], str(folder), target, tmp_path / "kept", also)
    found = survey(target, source, entry)
    found.check(name)
    return found


def names(name, i):
    """The file names that the entry's i-th file stands for, with their fields."""
    (source,) = entry_of(name)["sources"]
    file = source["files"][i]
    for values in itertools.product(*file["over"].values()):
        fields = dict(zip(file["over"], values, strict=True))
        yield PurePosixPath(file["addresses"][0].format(**fields)).name, fields


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def check_classes(table):
    for label, teff, log_g in zip(table["class"], table["teff"], table["log_g"], strict=True):
        assert (None if pd.isna(label) else label) == paper_class(teff, log_g)


def test_castelli_kurucz(folder, tmp_path):
    wave = np.geomspace(1000, 1e5, 300)
    for name, fields in names("ck04", 0):
        columns = [fits.Column("WAVELENGTH", "D", unit="ANGSTROMS", array=wave)]
        for tenths in range(0, 51, 5):
            flux = black_body(wave, fields["teff"], tenths / 10)
            flux *= tenths >= 40 or fields["teff"] < 20000  # zeros: no model there
            columns.append(fits.Column(f"g{tenths:02d}", "E", unit="FLAM", array=flux))
        primary = fits.PrimaryHDU()
        primary.header["TEFF"] = fields["teff"]
        hdus = [primary, fits.BinTableHDU.from_columns(columns)]
        fits.HDUList(hdus).writeto(folder / name)
    found = surveyed("ck04", folder, tmp_path)
    hot = sum(teff >= 20000 for teff in entry_of("ck04")["sources"][0]["files"][0]["over"]["teff"])
    assert len(found.table) == 76 * 11 - hot * 8
    check_classes(found.table)
    assert set(found.table["log_g"]) == set(np.arange(0, 5.1, 0.5))
    assert len(found.chosen) == 80
    row = found.table[(found.table["teff"] == 5750) & (found.table["log_g"] == 4.5)].index[0]
    expected = black_body(wave, 5750, 4.5)
    np.testing.assert_allclose(found.spectra[row].flux, expected, rtol=1e-6)


def test_phoenix(folder, tmp_path):
    wave = np.geomspace(500, 55000, 20000)
    fits.PrimaryHDU(wave).writeto(folder / "WAVE_PHOENIX-ACES-AGSS-COND-2011.fits")
    for name, fields in names("phoenix", 1):
        assert name.startswith(f"lte{fields['teff']:05d}-{fields['log_g']:.2f}-0.0.PHOENIX")
        flux = 1e8 * black_body(wave, fields["teff"], fields["log_g"])  # per cm
        hdu = fits.PrimaryHDU(flux.astype("f4"))
        hdu.header["PHXTEFF"], hdu.header["PHXLOGG"] = fields["teff"], fields["log_g"]
        hdu.header["PHXM_H"], hdu.header["BUNIT"] = -0.0, "erg/s/cm^2/cm"
        hdu.writeto(folder / name)
    found = surveyed("phoenix", folder, tmp_path)
    assert len(found.table) == 73 * 3
    check_classes(found.table)
    spectrum = found.spectra[0]
    np.testing.assert_allclose(spectrum.wavelength, np.arange(3000, 25001, 5))
    teff, log_g = found.table.loc[0, ["teff", "log_g"]]
    expected = black_body(spectrum.wavelength, teff, log_g)
    np.testing.assert_allclose(spectrum.flux, expected, rtol=1e-3)


def test_bosz(folder, tmp_path):
    wave = np.geomspace(500, 320000, 500)
    np.savetxt(folder / "bosz2024_wave_r500.txt", wave)
    for i in (1, 2):
        for name, fields in names("bosz2024", i):
            flux = black_body(wave, fields["teff"], fields["log_g"])
            text = io.StringIO()
            np.savetxt(text, np.transpose([flux, 1.1 * flux]))
            (folder / name).write_bytes(gzip.compress(text.getvalue().encode(), 1))
    found = surveyed("bosz2024", folder, tmp_path)
    assert found.table["teff"].agg(["min", "max"]).tolist() == [2800, 16000]
    check_classes(found.table)
    np.testing.assert_allclose(found.spectra[0].wavelength, wave)
    assert len(found.chosen) == 48


def test_xsl(folder, tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    with tarfile.open(folder / "XSL_DR3_release.tar", "w") as tar:
        for i in range(1, 201):
            teff, log_g = rng.uniform(3000, 15000), rng.choice([1.5, 4.5])
            wave = np.geomspace(350 + i / 100, 2480 - i / 100, 3000)  # nm, each its own
            flux = black_body(10 * wave, teff, log_g)
            table = Table({"WAVE": wave, "FLUX": 0.9 * flux, "FLUX_DR": flux, "ERR": 0.01 * flux})
            buffer = io.BytesIO()
            fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(table)]).writeto(buffer)
            info = tarfile.TarInfo(f"XSL_DR3_release/xsl_spectrum_X{i:04d}_merged.fits")
            info.size = buffer.tell()
            tar.addfile(info, io.BytesIO(buffer.getvalue()))
            if i != 50:  # one without parameters
                start = f"{'HD ' + str(i):25s}{i:5d}{'':36s}{teff:5.0f}{'':6s}{log_g:5.2f}"
                lines.append(f"{start}      -0.10\n")
    (folder / "tablea1.dat").write_text("".join(lines))
    found = surveyed("xsl", folder, tmp_path)
    assert len(found.table) == 200
    check_classes(found.table.dropna(subset=["teff"]))
    spectrum = found.spectra[3]
    teff, log_g = found.table.loc[3, ["teff", "log_g"]]
    expected = black_body(spectrum.wavelength, teff, log_g)
    np.testing.assert_allclose(spectrum.flux, expected, rtol=0.01)
    # a new channel takes from two or three old ones there
    ratio = spectrum.inverse_variance * (0.01 * expected) ** 2
    assert 1.9 < ratio[:50].mean() < 2.6
    assert found.table["class"][found.table["star"] == 50].isna().all()


def test_mastar(folder, tmp_path):
    rng = np.random.default_rng(0)
    wave = 10 ** (np.log10(3621.6) + 1e-4 * np.arange(4563))
    n = 400
    teff, log_g = rng.uniform(3000, 15000, n), rng.choice([1.5, 4.5], n)
    flux = np.array([black_body(wave, t, g) for t, g in zip(teff, log_g, strict=True)])
    mask = np.zeros((n, len(wave)), dtype="i4")
    mask[:, 1000] = 2**10
    stars = [f"7-{i}" for i in range(n)]
    table = Table({"MANGAID": stars, "WAVE": np.tile(wave, (n, 1)), "FLUX": flux.astype("f4")})
    table["IVAR"], table["MASK"] = (1e4 / flux**2).astype("f4"), mask
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(table)]).writeto(buffer)
    name = "mastar-combspec-v3_1_1-v1_7_7-lsfpercent99.5.fits.gz"
    (folder / name).write_bytes(gzip.compress(buffer.getvalue(), 1))
    order = rng.permutation(n)
    params = Table({"MANGAID": np.array(stars)[order], "TEFF_MED": teff[order]})
    params["LOGG_MED"], params["FEH_MED"] = log_g[order], np.zeros(n)
    params["TEFF_MED"][params["MANGAID"] == "7-17"] = -999
    params.write(folder / "mastar-goodstars-v3_1_1-v1_7_7-params-v2.fits")
    found = surveyed("mastar", folder, tmp_path)
    assert len(found.table) == n
    assert np.isnan(found.table["teff"][17])
    np.testing.assert_allclose(found.table["teff"][18:], teff[18:])
    check_classes(found.table.dropna(subset=["teff"]))
    np.testing.assert_allclose(found.spectra[0].wavelength, np.arange(3650, 10301, 2))
    expected = black_body(np.arange(3650, 10301, 2), teff[0], log_g[0])
    np.testing.assert_allclose(found.spectra[0].flux, expected, rtol=2e-3)


def test_irtf(folder, tmp_path):
    wave = np.linspace(0.8, 5.0, 6000)
    types = [f"{c}{i}{space}{lum}" for c in "FGK" for i in range(10) for space, lum in
             ((" ", "V"), ("", "III"), (" ", "Ib"))]  # fmt: skip
    types += [f"M{i} {lum}" for i in range(10) for lum in ("V", "III")]
    spectra = {f"{t.replace(' ', '')}_HD{i}": (t, 7000 - 20 * i) for i, t in enumerate(types)}
    for letter in "FGKM":
        with tarfile.open(folder / f"{letter}_fits_091201.tar", "w") as tar:
            for name, (kind, teff) in spectra.items():
                if not kind.startswith(letter):
                    continue
                flux = 10 * black_body(1e4 * wave, teff)  # per micron
                for end in ("", "_ext"):
                    hdu = fits.PrimaryHDU(np.array([wave, flux, 0.01 * flux]))
                    hdu.header["SPTYPE"], hdu.header["XUNITS"] = kind, "um"
                    buffer = io.BytesIO()
                    hdu.writeto(buffer)
                    info = tarfile.TarInfo(f"{letter}_fits_091201/{name}{end}.fits")
                    info.size = buffer.tell()
                    tar.addfile(info, io.BytesIO(buffer.getvalue()))
    found = surveyed("irtf", folder, tmp_path)
    assert len(found.table) == len(types)  # without those dereddened
    sizes = found.table["class"].value_counts().to_dict()
    # F: 10 x 3; G and K0, K1: 12 x 3; K2 to K9: 8 x 3, M 10 x 2, giants and supergiants
    assert sizes == {"f_star": 30, "solar_like": 36, "cool_giant": 26, "cool_dwarf": 18}
    assert len(found.chosen) == 40
    spectrum = found.spectra[0]
    assert spectrum.wavelength[0] == 8200
    name = found.table["file"][0].removesuffix(".fits")
    expected = black_body(spectrum.wavelength, spectra[name][1])
    np.testing.assert_allclose(spectrum.flux / spectrum.flux[0], expected / expected[0], rtol=1e-3)


def test_stelib(folder, tmp_path):
    types = [f"{c}{i}{lum}" for c in "OBAFGKM" for i in range(8) for lum in ("V", "III", "Ib")]
    types += ["WN", "WN", "sdG2", "DA:", "G8III"]
    for i, kind in enumerate(types):
        start, step = 3200 + i / 100, 1 + i * 1e-6  # shifted to its rest frame
        wave = start + step * np.arange(6700)
        flux = black_body(wave, 20000 - 100 * i)
        last = i == len(types) - 1
        flux[(wave > 8000) & (wave < (8100 if i % 2 else 8500)) | (last & (wave > 6000))] = 0
        hdu = fits.PrimaryHDU(flux.astype("f4"))
        cards = {"CRVAL1": start, "CRPIX1": 1.0, "CDELT1": step, "CTYPE1": "LINEAR"}
        cards |= {"BUNIT": "erg /s /cm2 /angstroms ", "OBJECT": f"HD{i}", "SPECTYPE": kind}
        hdu.header.update(cards | {"TEFF": "5000" if i else "-", "LOG_G": "4.20", "FE_H": "-"})
        hdu.writeto(folder / f"STELIB_v3.2_HD{i:06d}.fits")
    found = surveyed("stelib", folder, tmp_path, "original")
    sizes = found.table["class"].value_counts().to_dict()
    assert sizes == {"hot_star": 48, "a_f_star": 48, "solar_like": 30, "cool_giant": 28}
    assert len(found.chosen) == 80
    assert list(found.left_out) == [f"STELIB_v3.2_HD{len(types) - 1:06d}.fits"]
    assert found.remarks[0].endswith("no spectral_class: WN (2), sdG2, DA:")
    assert np.isnan(found.table["teff"][0])
    assert set(found.table["teff"][1:]) == {5000}
    arrays = quality.normalised(found.spectra, "maximum")
    missing = (arrays["inverse_variance"] == 0).sum(axis=1)
    assert set(missing[::2]) <= {498, 499, 500}
    assert set(missing[1::2]) <= {98, 99, 100}


def test_mastarhc(folder, tmp_path):
    wave = 10 ** (3.5601 + 1e-4 * np.arange(4538))
    clusters = [c for rule in entry_of("mastarhc")["classes"].values() for c in
                rule["where"]["cluster"]["in"]]  # fmt: skip
    for cluster in clusters:
        flux = black_body(wave, 3000 + 100 * cluster)
        hdus = [fits.PrimaryHDU(flux), fits.ImageHDU(1e4 / flux**2, name="IVAR")]
        hdus[0].header.update({"CTYPE1": "WAVE-LOG", "CRPIX1": 1, "CRVAL1": 3.5601, "CDELT1": 1e-4})
        buffer = io.BytesIO()
        fits.HDUList(hdus).writeto(buffer)
        name = f"MaStarHC_{cluster:02d}.fits.gz"
        (folder / name).write_bytes(gzip.compress(buffer.getvalue(), 1))
    found = surveyed("mastarhc", folder, tmp_path, "original")
    assert len(set(clusters)) == len(clusters) == len(found.chosen) == 65
    np.testing.assert_allclose(found.spectra[0].wavelength, wave)
    arrays = quality.normalised(found.spectra, "maximum")
    np.testing.assert_allclose(arrays["inverse_variance"] * arrays["flux"] ** 2, 1e4)

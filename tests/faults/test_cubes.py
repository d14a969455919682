"""The table of faults of cubes: each ends in one clear error, and the mended cube is then read.

A row is what is done to the cube or its entry, and what the run then has to say.
"""

import re
import shutil

import numpy as np
import pytest
from astropy.io import fits

from project import Project
from tiny_cube import TinyCube

SPAXELS = "results/tinycube/spaxels.fits"


def of_file(change):
    """The cube, changed."""

    def inject(cube):
        whole = cube.path.read_bytes()
        with fits.open(cube.path, memmap=False) as hdus:
            change(hdus)
            hdus.writeto(cube.path, overwrite=True, output_verify="silentfix")
        return lambda: cube.path.write_bytes(whole)

    return inject


def without(name):
    def change(hdus):
        del hdus[name]

    return of_file(change)


def card(key, value, name="DATA"):
    def change(hdus):
        hdus[name].header[key] = value

    return of_file(change)


def data(change, name="DATA"):
    def apply(hdus):
        hdus[name].data = change(hdus[name].data)

    return of_file(apply)


def no_coordinates(hdus):
    for key in [*hdus["DATA"].header]:
        if key[:5] in ("CTYPE", "CRVAL", "CDELT", "CRPIX", "CUNIT", "WCSAX"):
            del hdus["DATA"].header[key]


def content(change):
    """The bytes of the file, changed."""

    def inject(cube):
        whole = cube.path.read_bytes()
        cube.path.write_bytes(change(whole))
        return lambda: cube.path.write_bytes(whole)

    return inject


def entry(**changes):
    def inject(cube):
        before = dict(cube.entry)
        cube.entry.update(changes)
        cube.save()

        def repair():
            cube.entry = before
            cube.save()

        return repair

    return inject


def source(**changes):
    def inject(cube):
        return entry(sources=[cube.entry["sources"][0] | changes])(cube)

    return inject


def axis_moved(cube):
    """Wavelength along the axis that varies fastest, and a header that says the other end."""

    def change(hdus):
        for name in ("DATA", "STAT"):
            hdus[name].data = np.moveaxis(hdus[name].data, 0, 2)
        hdus.append(fits.ImageHDU(np.linspace(5000, 5100, 60), name="WAVE"))

    repairs = [of_file(change)(cube), source(options={"flux": "DATA", "wavelength": "WAVE"})(cube)]
    return lambda: [repair() for repair in repairs]


def no_file(cube):
    aside = shutil.move(cube.path, cube.path.with_suffix(".aside"))
    return lambda: shutil.move(aside, cube.path)


FAULTS = {
    "missing variance": (without("STAT"), "tiny.fits: no extension STAT with its uncertainty"),
    "missing flux": (without("DATA"), "tiny.fits: not in a layout that is known"),
    "axis in the wrong place": (
        axis_moved,
        "60 wavelengths for 6 channels: its header has to say, by CTYPE1, 2 or 3, which axis",
    ),
    "all NaN": (data(lambda z: np.full_like(z, np.nan)), "no spaxel has a value that counts"),
    "variance of zero": (data(np.zeros_like, "STAT"), "no spaxel has a value that counts"),
    "WCS missing": (of_file(no_coordinates), "its header has no wavelengths"),
    "unit of another kind": (card("CUNIT3", "km/s"), "no world coordinates that can be .*km/s"),
    "no unit": (card("CUNIT3", "counts"), "no world coordinates|none of wavelength"),
    "sigma where variance should be": (
        card("BUNIT", "10**(-20)*erg/s/cm**2/Angstrom", "STAT"),
        "is that of the sigma",
    ),
    "another shape": (data(lambda z: z[:-1], "STAT"), r"uncertainty is of shape \(59, 6, 7\)"),
    "an image": (data(lambda z: z[0]), "not in a layout that is known"),
    "a table of text": (content(lambda whole: b"a,b\n1,2\n"), "tiny.fits: not a FITS file"),
    "cut off": (content(lambda whole: whole[: len(whole) // 2]), "tiny.fits"),
    "no file": (no_file, "tiny.fits does not exist"),
    "no such member": (source(members=["other.fits"]), "other.fits"),
    "a file too large": (source(largest_member=1000), "passes the size limit.*largest_member"),
    "no such extension": (source(options={"flux": "NONE"}), "no extension NONE with its flux"),
    "window beside it": (entry(window=[1000, 2000]), "lie in the window of 1000 to 2000"),
    "bins too wide": (entry(bin_spaxels=50), "too few for bins of 50 x 50 spaxels"),
    "all left out": (entry(leave_out=[[1, 99999]]), "no spaxel has a value that counts"),
    "more components than channels": (
        entry(bin_channels=29),
        "n_components: 3 is more than .* of 2 channels",
    ),
}
QUICK = {"missing variance", "axis in the wrong place", "cut off"}


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return TinyCube(Project(tmp_path_factory.mktemp("faults")).folder).create()


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAULTS],
)
def test_row(cube, name):
    shutil.rmtree(cube.folder / "results", ignore_errors=True)
    inject, message = FAULTS[name]
    repair = inject(cube)
    target = SPAXELS if "components" not in name else "results/tinycube/nmf_fit.json"
    try:
        code, printed = cube.run("run", target, "--set", "cubes.smooth_nmf.n_components=3")
        assert code != 0, printed
        assert re.search(message, printed), printed
        assert "Traceback" not in printed
        assert not (cube.folder / target).exists()
        left = [path for path in cube.folder.glob("results/**/.*") if path.name != ".gitkeep"]
        assert left == []
    finally:
        repair()
    code, printed = cube.run("run", SPAXELS)
    assert code == 0, printed

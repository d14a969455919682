"""The table of faults: each injected for real, ending in one clear error, and got over.

A row is what is done to the project, and what the run then has to say.  It ends with another
exit status than 0, without a traceback, leaves nothing half-written, and once the fault is
put right the next run ends well by itself.
"""

import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from faulty_server import Server, cut_off, drips, flipped, html, redirects, stalls, status, whole

SELECTION = "results/tiny/selection.ecsv"


def archive(tiny):
    """The library as a tgz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tgz:
        for path in sorted(tiny.spectra.glob("t*.txt")):
            tgz.add(path, path.name)
    return buffer.getvalue()


def served(answer, checksum=True, mirrors=1):
    """A fault of the server that the library comes from."""

    def inject(tiny):
        body = archive(tiny)
        server = Server(lambda handler: answer(handler, body))
        digest = hashlib.sha256(body).hexdigest() if checksum else None
        tiny.source(
            addresses=[f"{server.url}/{i}/stars.tgz" for i in range(mirrors)], sha256=digest
        )
        path = tiny.folder / "src/spectralunmix/libraries/downloads.py"
        text = path.read_text()
        for old, new in (("TIMEOUT = 30", "TIMEOUT = 1"), ("RETRIES = 2", "RETRIES = 0")):
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)

        def repair():
            server.close()
            good = Server(lambda handler: whole(handler, body))
            tiny.source(addresses=[f"{good.url}/stars.tgz"], sha256=digest)

        return repair

    return inject


def server_down(tiny):
    tiny.source(addresses=["http://127.0.0.1:9/stars.tgz"])
    return lambda: tiny.source(addresses=["spectra"])


def member(name, content=b"1 2\n3 4\n", kind=tarfile.REGTYPE, link=""):
    """A tgz with one more member."""

    def inject(tiny):
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as tgz:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            tgz.addfile(info, io.BytesIO(content))
        return as_archive(body.getvalue())(tiny)

    return inject


def as_archive(body, name="stars.tgz"):
    def inject(tiny):
        (tiny.folder / name).write_bytes(body)
        tiny.source(addresses=[name])

        def repair():
            (tiny.folder / name).write_bytes(archive(tiny))

        return repair

    return inject


def zip_that_reaches_out(tiny):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as z:
        z.writestr("../../t5000.txt", "1 2\n")
    return as_archive(body.getvalue(), "stars.zip")(tiny)


def bomb(tiny):
    """100 MB of zeros in a few kilobytes."""
    return member("t1.txt", bytes(100 * 2**20))(tiny)


def cut_archive(tiny):
    return as_archive(archive(tiny)[:-200])(tiny)


def spectrum(name, content):
    """One file of the library at fault."""

    def inject(tiny):
        path = tiny.spectra / name
        before = path.read_bytes() if path.exists() else None
        value = content(tiny) if callable(content) else content
        path.write_bytes(value)

        def repair():
            path.unlink() if before is None else path.write_bytes(before)

        return repair

    return inject


def values(change):
    """The fluxes of t5200.txt, changed."""

    def inject(tiny):
        path = tiny.spectra / "t5200.txt"
        before = path.read_bytes()
        wave, flux = np.loadtxt(path).T
        tiny.write("t5200.txt", *reversed(change(wave, flux)))
        return lambda: path.write_bytes(before)

    return inject


def entry(**changes):
    """Keys of the library's entry, wrong."""

    def inject(tiny):
        before = {key: tiny.entry.get(key) for key in changes}
        tiny.entry.update(changes)
        tiny.save()

        def repair():
            for key, value in before.items():
                tiny.entry.pop(key) if value is None else tiny.entry.update({key: value})
            tiny.save()

        return repair

    return inject


def source_file(**file):
    """The file of the entry's source, wrong."""

    def inject(tiny):
        tiny.source(**file)
        return lambda: tiny.source(addresses=["spectra"])

    return inject


def config(old, new):
    def inject(tiny):
        path = tiny.folder / "config/config.yaml"
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))
        return lambda: path.write_text(before)

    return inject


def fits_library(spoil):
    """A FITS file, cut off or with a flipped bit."""

    def inject(tiny):
        hdu = fits.PrimaryHDU(np.ones(5000))
        hdu.header.update(CRVAL1=4000.0, CDELT1=1.0)
        buffer = io.BytesIO()
        hdu.writeto(buffer, checksum=True)
        (tiny.spectra / "t5000.fits").write_bytes(spoil(bytearray(buffer.getvalue())))
        tiny.source("fits_image", ["*.fits"], addresses=["spectra"])
        return lambda: tiny.source("text", ["t*.txt"], addresses=["spectra"])

    return inject


def flip(content):
    content[-1000] ^= 1
    return content


def r_file(body):
    def inject(tiny):
        (tiny.spectra / "stars.rds").write_bytes(body)
        tiny.source("r_subset", ["stars.rds"], addresses=["spectra"])
        return lambda: tiny.source("text", ["t*.txt"], addresses=["spectra"])

    return inject


DUPLICATE_KEY = ("library: tiny", "library: tiny\nlibrary: other")
FAULTS = {
    # the server
    "server down": (server_down, "127.0.0.1.*9"),
    "server stalls": (served(stalls), "stars.tgz: .*timed out"),
    "server drips": (served(drips), "stars.tgz: .*too slow"),
    "cut off, length said": (served(cut_off(True)), "stars.tgz: "),
    "cut off, no length": (served(cut_off(False)), "another file, or a part of it"),
    "redirects in a circle": (served(redirects), "stars.tgz: Exceeded 30 redirects"),
    "HTML with status 200": (served(html), "an HTML page"),
    "HTML, no checksum given": (served(html, checksum=False), "sent an HTML page"),
    "cut off, no length, no checksum": (served(cut_off(False), checksum=False), "not a whole tar"),
    "wrong checksum": (served(flipped), "sha256 .* is not"),
    "status 404": (served(status(404)), "404"),
    "status 500": (served(status(500)), "500"),
    "all mirrors dead": (served(status(503), mirrors=3), "0/stars(.|\n)*1/stars(.|\n)*2/stars"),
    # the archive
    "member with ..": (member("../t5000.txt"), "points outside"),
    "member with an absolute name": (member("/tmp/t5000.txt"), "points outside"),
    "symbolic link": (member("t1.txt", b"", tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
    "hard link": (member("t1.txt", b"", tarfile.LNKTYPE, "t2.txt"), "is a link"),
    "device": (member("t1.txt", b"", tarfile.CHRTYPE), "no file of the library matches"),
    "zip that reaches out": (zip_that_reaches_out, "points outside"),
    "bomb": (bomb, "size limit"),
    "archive cut off": (cut_archive, "not a whole tar or zip"),
    "no archive": (as_archive(b"junk"), "no file of the library matches"),
    # the files
    "gzip bomb": (spectrum("t1.txt", gzip.compress(bytes(100 * 2**20), 1)), "size limit"),
    "gzip cut off": (spectrum("t1.txt", gzip.compress(b"1 2\n" * 99)[:-9]), "not a whole gzip"),
    "FITS cut off": (fits_library(lambda c: c[:9000]), "t5000.fits: not a whole FITS"),
    "FITS with a flipped bit": (fits_library(flip), "t5000.fits: .*[Cc]hecksum"),
    "malformed .rds": (r_file(b"junk"), "stars.rds: not the subset's R list"),
    ".rds of gzipped junk": (r_file(gzip.compress(b"X\nju")), "stars.rds: not the subset's R list"),
    "text that is no table": (spectrum("t5200.txt", b"<html>"), "t5200.txt: "),
    "empty file": (spectrum("t5200.txt", b""), "t5200.txt: "),
    # the spectra
    "NaN": (values(lambda w, f: (w, np.where(w < 4500, np.nan, f))), "t5200.txt: .*NaN"),
    "negative": (values(lambda w, f: (w, np.where(w < 4500, -f, f))), "t5200.txt: .*negative"),
    "zero": (values(lambda w, f: (w, 0 * f)), "t5200.txt: no flux above zero"),
    "wavelengths that turn": (values(lambda w, f: (np.roll(w, 5), f)), "t5200.txt: .*increase"),
    "wavelengths in metres": (values(lambda w, f: (w / 1e10, f)), "t5200.txt: .*not plausible"),
    "another unit": (values(lambda w, f: (w / 10, f)), "t5200.txt: .*unit another"),
    "there twice": (
        spectrum("t5201.txt", lambda tiny: (tiny.spectra / "t5200.txt").read_bytes()),
        "t5201.txt: the same fluxes as t5200.txt",
    ),
    "a name that does not match": (spectrum("tx.txt", b"1 2\n3 4\n"), "."),
    # the entry and the configuration
    "no such key": (entry(clases={}), "'clases' was unexpected"),
    "bad regular expression": (
        entry(parameters={"file_name": "t(?P<teff>"}),
        "parameters.file_name: not a regular expression",
    ),
    "a parameter of a name that is taken": (
        entry(parameters={"file_name": r"t(?P<teff>\d+)\.txt", "derived": {"class": "teff"}}),
        "tiny.yaml: parameters: class: .* choose another",
    ),
    "a class of a name that is taken": (
        entry(classes={"wavelength": {"label": "W", "where": {"teff": {"min": 1}}}}),
        "tiny.yaml: classes: wavelength: .* choose another",
    ),
    "a file's name that leads elsewhere": (
        source_file(addresses=["http://127.0.0.1:9/a"], name="../../a"),
        "tiny.yaml: sources.0.files.0.name: '../../a': the name of a file has no folder",
    ),
    "a wheel that pip would build": (
        source_file(addresses=["pypi:/tmp/evil.tar.gz"], name="e.whl", sha256="0" * 64),
        "pypi:/tmp/evil.tar.gz: a wheel is pypi:name==version",
    ),
    "a field that reaches into its value": (
        source_file(addresses=["http://x/{a.__class__}"], over={"a": [1]}),
        r"{a.__class__}: a field looks like {teff}",
    ),
    "a class named by a number": (
        entry(classes={1: {"label": "Hot", "where": {"teff": {"min": 5000}}}}),
        "tiny.yaml: the key 1 is not text: put it in quotes",
    ),
    "a limit that is no number": (
        entry(classes={"hot": {"label": "Hot", "where": {"teff": {"min": "warm"}}}}),
        "classes.hot.where.teff: 'warm' is not a number",
    ),
    "empty class": (
        entry(classes={"none": {"label": "N", "where": {"teff": {"min": 99999}}}}),
        "classes.none: empty",
    ),
    "too few members": (entry(selection={"per_class": 9}), "selection.per_class: 9 spectra"),
    "range not covered": (entry(grid={"start": 100}), "grid: no spectrum covers it"),
    "typing error": (config("smoothness:", "smothness:"), "'smothness' was unexpected"),
    "NaN as a number": (config("smoothness: 10", "smoothness: .nan"), "smoothness: .*nan"),
    "too many components": (config("n_components: 2", "n_components: 99"), "99 is more than"),
    "a key twice": (config(*DUPLICATE_KEY), "config.yaml: library is there twice"),
}


# One of each kind; most others have tests without the workflow, too.
QUICK = {"server down", "wrong checksum", "member with ..", "bomb", "NaN", "no such key"}


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAULTS],
)
def test_row(tiny, name):
    inject, message = FAULTS[name]
    repair = inject(tiny)
    code, printed = tiny.run(SELECTION)
    assert code != 0, printed
    assert re.search(message, printed), printed
    assert "Traceback" not in printed
    assert not (tiny.folder / SELECTION).exists()
    assert tiny.half_written() == []
    repair()
    code, printed = tiny.run(SELECTION)
    assert code == 0, printed


def test_nothing_is_unpickled():
    loads = re.compile(r"pickle|joblib|torch\.load|allow_pickle|read_pickle|shelve|marshal")
    for path in Path(__file__).parents[2].joinpath("workflow").rglob("*.py"):
        assert not loads.search(path.read_text()), path

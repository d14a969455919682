"""The paper's library: its published subset, and the full archive in the official format."""

import csv
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading

import numpy as np
import pytest
import rdata
import yaml
from astropy.io import fits
from astropy.table import Table

from paper_rule import paper_class

ENTRY = "config/libraries/coelho2014.yaml"
CLASSES = ("hot_star", "a_f_star", "solar_like", "cool_dwarf")


def official_names():
    """File names as the archive has them, on a part of its grid."""
    mixtures = ["m13p04", "m10p00", "m05p04", "m01p04", "p00p00", "p02p04"]
    for teff in [*range(3000, 4001, 200), *range(4250, 13001, 500), *range(14000, 26001, 2000)]:
        for log_g in (-0.5, 1.5, 3.5, 4.5):
            for mixture in mixtures:
                yield teff, log_g, mixture, f"t{teff:05d}_g{log_g:+.1f}_{mixture}_sed.fits"


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """A tgz of black bodies with the official names, cards and log10 axis."""
    path = tmp_path_factory.mktemp("official") / "s_coelho14_sed.tgz"
    n_wave = 2250
    axis = np.linspace(np.log10(1300), 5, n_wave)
    with tarfile.open(path, "w:gz", compresslevel=1) as tgz:
        for teff, log_g, mixture, name in official_names():
            metals = 1 + 0.3 * float(mixture[1:3]) / 10 * np.sin(40 * axis)
            metals += 0.02 * log_g * np.cos(60 * axis)
            flux = metals / 10 ** (5 * axis) / np.expm1(1.43877e8 / (10**axis * teff))
            hdu = fits.PrimaryHDU(flux.astype("f4") * 1e20)
            hdu.header.update(CRVAL1=axis[0], CDELT1=axis[1] - axis[0], CRPIX1=1.0)
            hdu.header.update(TEFF=float(teff), LOG_G=log_g)
            buffer = io.BytesIO()
            hdu.writeto(buffer)
            info = tarfile.TarInfo(f"s_coelho14_sed/{name}")
            info.size = buffer.tell()
            tgz.addfile(info, io.BytesIO(buffer.getvalue()))
    return path


def sizes():
    found = {}
    for teff, log_g, _, _ in official_names():
        name = paper_class(teff, log_g)
        found[name] = found.get(name, 0) + 1
    found.pop(None, None)
    return found


def use_only(project, archive_sizes=None, addresses=None, **changes):
    """Leave the official archive as the entry's one source, with changes to its file."""
    path = project.folder / ENTRY
    entry = yaml.safe_load(path.read_text())
    entry["sources"] = [entry["sources"][1]]
    (file,) = entry["sources"][0]["files"]
    file |= changes
    if addresses:
        file["addresses"] = addresses
    if archive_sizes:
        entry["sources"][0]["class_sizes"] = archive_sizes
    path.write_text(yaml.safe_dump(entry, sort_keys=False))


def expected_selection(per_class=20):
    rows = {name: [] for name in CLASSES}
    for teff, log_g, mixture, name in official_names():
        sign = -1 if mixture[0] == "m" else 1
        published = sign * (int(mixture[1:3]) / 10 + int(mixture[4:6]) / 100)
        label = paper_class(teff, log_g)
        if label in rows:
            rows[label].append((teff, log_g, published, name))
    for label in CLASSES:
        members = sorted(rows[label])
        for i in range(per_class):
            yield members[round(i * (len(members) - 1) / (per_class - 1))][3]


@pytest.mark.slow
def test_the_full_archive(project, archive):
    use_only(project, sizes())
    run = project.run(f"library_path={archive.parent}")
    assert run.returncode == 0, run.stderr
    results = project.results("coelho2014")
    selection = Table.read(results / "selection.ecsv", format="ascii.ecsv")
    assert list(selection["file"]) == list(expected_selection())
    summary = json.loads((results / "summary.json").read_text())
    assert summary["n_spectra"] == 80
    assert summary["nmf"]["converged"]
    with fits.open(results / "spectra.fits") as hdus:
        assert hdus[0].data.shape == (80, 2250)
        np.testing.assert_allclose(hdus[0].data.max(axis=1), 1)
        np.testing.assert_allclose(hdus[1].data["WAVELENGTH"][[0, -1]], [1300, 1e5])
        assert hdus[1].columns["WAVELENGTH"].unit == "Angstrom"
    for name in ("figure.pdf", "figure.png", "distances.ecsv", "assignments.ecsv"):
        assert (results / name).stat().st_size > 0
    again = project.run(f"library_path={archive.parent}")
    assert again.returncode == 0
    assert "nothing to be done" in again.stdout + again.stderr


def test_another_archive_than_the_official_is_refused(project, archive):
    use_only(project)
    run = project.run(f"library_path={archive.parent}")
    assert run.returncode != 0
    assert "not 1233" in run.stderr
    assert not (project.results("coelho2014") / "spectra.fits").exists()


def test_an_unpacked_folder_is_taken(project, archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tgz:
        tgz.extractall(folder, filter="data")
    use_only(project, sizes())
    run = project.run(f"library_path={folder}", target="results/coelho2014/selection.ecsv")
    assert run.returncode == 0, run.stderr
    selection = Table.read(project.results("coelho2014") / "selection.ecsv", format="ascii.ecsv")
    assert list(selection["file"]) == list(expected_selection())


@pytest.mark.filterwarnings("ignore:Missing constructor")
def test_the_published_subset(project, coelho2014):
    run = project.run(f"library_path={coelho2014}")
    assert run.returncode == 0, run.stderr
    results = project.results("coelho2014")
    selection = Table.read(results / "selection.ecsv", format="ascii.ecsv")
    with open(coelho2014 / "paper_selection.csv") as file:
        published = [row for row in csv.DictReader(file) if row["class"] in CLASSES]
    by_file = {row["file"]: row for row in selection}
    assert set(by_file) == {row["filename"] for row in published}
    for row in published:
        ours = by_file[row["filename"]]
        assert ours["class"] == row["class"]
        for mine, theirs in [
            ("teff", "teff"),
            ("log_g", "logg"),
            ("feh", "feh_from_name"),
            ("afe", "afe_from_name"),
            ("feh_published", "feh_published"),
        ]:
            assert ours[mine] == pytest.approx(float(row[theirs]))

    content = rdata.read_rds(coelho2014 / "coelho-stellar-subset.rds")
    names = list(content["metadata"]["filename"])
    matrix = np.asarray(content["matrix"])[[names.index(f) for f in selection["file"]]]
    with fits.open(results / "spectra.fits") as hdus:
        assert np.array_equal(hdus[0].data, matrix)
        assert np.array_equal(hdus[1].data["WAVELENGTH"], np.asarray(content["wavelength"]))

    summary = json.loads((results / "summary.json").read_text())
    assert summary["nmf"]["objective"] == pytest.approx(232.595519628, rel=1e-6)
    assert {row["class"] for row in summary["nmf"]["assignment"]} == set(CLASSES)
    verified = project.verify("coelho2014")
    assert verified.returncode == 0, verified.stderr


class Server:
    """Serves one body for every address on this machine, and remembers what was asked."""

    def __init__(self, body, declared=None, content_type="application/octet-stream"):
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                served.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(declared or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Keep the tests' output clean."""

        self.asked = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def served_from(project, server, archive):
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    use_only(project, sizes(), addresses=[f"{server.address}/s_coelho14_sed.tgz"], sha256=digest)


def test_download_from_a_server(project, archive):
    with Server(archive.read_bytes()) as server:
        served_from(project, server, archive)
        run = project.run(target="results/coelho2014/selection.ecsv")
    assert run.returncode == 0, run.stderr
    source = json.loads((project.results("coelho2014") / "download/source.json").read_text())
    (file,) = source["files"]
    assert file["from"] == f"{server.address}/s_coelho14_sed.tgz"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert file["sha256"] == source["sha256"] == digest


def test_the_subset_from_a_mirror(project, coelho2014):
    body = (coelho2014 / "coelho-stellar-subset.rds").read_bytes()
    with Server(body) as server:
        run = project.run(
            f"library_path={server.address}", target="results/coelho2014/selection.ecsv"
        )
    assert run.returncode == 0, run.stderr
    assert server.asked == ["/coelho-stellar-subset.rds"]


def test_a_mirror_that_names_a_file_is_asked_for_that_file_alone(project, archive):
    with Server(b"<html>gone") as server:
        address = f"{server.address}/s_coelho14_sed.tgz"
        use_only(project, sizes(), addresses=["http://127.0.0.1:9/s_coelho14_sed.tgz"])
        run = project.run(f"library_path={address}")
    assert run.returncode != 0
    assert server.asked == ["/s_coelho14_sed.tgz"]
    assert "HTML page" in run.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: {"body": body[:-1000], "declared": len(body)}, "s_coelho14_sed.tgz: "),
        (lambda body: {"body": body[:-1000]}, "another file, or a part of it"),
        (lambda body: {"body": body[:-1] + b"x"}, "another file, or a part of it"),
        (
            lambda body: {"body": b"<!DOCTYPE html><p>moved", "content_type": "text/html"},
            "an HTML page",
        ),
    ],
    ids=["cut off", "truncated", "wrong", "html"],
)
def test_a_bad_download_ends_in_one_error_and_leaves_nothing(project, archive, change, message):
    with Server(**change(archive.read_bytes())) as server:
        served_from(project, server, archive)
        run = project.run()
    assert run.returncode != 0
    assert message in run.stderr
    for part in (server.address, "LIBRARY_PATH=", "make demo"):
        assert part in run.stderr
    assert "Traceback" not in run.stderr
    left = [p for p in (project.folder / "results").rglob("*") if p.is_file()]
    assert [p.name for p in left] == ["download.log"]


def dead_first(project):
    """The entry with a dead mirror before the address, and a dead source before both."""
    path = project.folder / ENTRY
    entry = yaml.safe_load(path.read_text())
    (source,) = entry["sources"]
    dead = "http://127.0.0.1:9/s_coelho14_sed.tgz"
    source["files"][0]["addresses"].insert(0, dead)
    entry["sources"].insert(0, source | {"files": [{"addresses": [dead]}]})
    path.write_text(yaml.safe_dump(entry, sort_keys=False))


@pytest.mark.slow
def test_dead_sources_and_mirrors_are_passed_over(project, archive):
    with Server(archive.read_bytes()) as server:
        served_from(project, server, archive)
        dead_first(project)
        run = project.run(target="results/coelho2014/selection.ecsv")
    assert run.returncode == 0, run.stderr
    log = (project.results("coelho2014") / "logs/download.log").read_text()
    assert log.count("127.0.0.1:9") >= 2
    assert server.asked == ["/s_coelho14_sed.tgz"]


def test_a_file_had_before_is_not_fetched_again(project, archive):
    with Server(archive.read_bytes()) as server:
        served_from(project, server, archive)
        assert project.run(target="results/coelho2014/selection.ecsv").returncode == 0
    shutil.rmtree(project.results("coelho2014"))
    run = project.run(target="results/coelho2014/selection.ecsv")
    assert run.returncode == 0, run.stderr
    assert len(server.asked) == 1
    source = json.loads((project.results("coelho2014") / "download/source.json").read_text())
    assert source["files"][0]["from"] == f"results/downloads/{source['sha256']}"

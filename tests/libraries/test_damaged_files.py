"""Files as a bad disk, or somebody who means harm, would leave them: read, or one error."""

import base64
import bz2
import gzip
import io
import lzma
import struct
import time
import tracemalloc
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import rdata  # noqa: F401  imported here, its memory is none of a test's
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import entry_options, readers
from spectralunmix.libraries.entry import Index
from spectralunmix.libraries.readers import text

ROOT = Path(__file__).parents[2]
WAVE = np.linspace(4000.0, 5000.0, 400)
FLUX = 1 + np.arange(400.0) / 7


def read(tmp_path, reader, name, content, **options):
    """The spectra of one file of that content."""
    (tmp_path / name).write_bytes(content)
    source = {"reader": reader, "members": [name], "options": options, "largest_member": 2**22}
    return list(readers.read(tmp_path, source))


def is_read(tmp_path, reader, name, content, **options):
    """Whether it is; where it is not, there is one error, which names the file."""
    try:
        read(tmp_path, reader, name, content, **options)
    except LibraryError as error:
        if name not in str(error):
            raise
        return False
    return True


def hdus(kind):
    """A FITS file of a kind, and the extension that has the spectra."""
    buffer = io.BytesIO()
    if kind == "table":
        found = Table({"WAVELENGTH": WAVE, "FLUX": FLUX})
        found["WAVELENGTH"].unit = "nm"
        hdu = fits.table_to_hdu(found)
    elif kind == "compressed":
        image = np.tile(FLUX.astype("f4"), (3, 1))
        hdu = fits.CompImageHDU(image, compression_type="RICE_1")
    else:
        hdu = fits.PrimaryHDU(FLUX.astype("f4"))
    if kind != "table":
        hdu.header.update(CRVAL1=4000.0, CDELT1=2.5, CRPIX1=1.0, CUNIT1="Angstrom", BUNIT="FLAM")
    found = [hdu] if kind == "image" else [fits.PrimaryHDU(), hdu]
    fits.HDUList(found).writeto(buffer)
    return buffer.getvalue()


def with_card(content, keyword, card):
    """That card of the last extension, written anew."""
    start = content.rindex(f"{keyword:8s}=".encode())
    assert start % 80 == 0
    return content[:start] + card.ljust(80).encode() + content[start + 80 :]


OPTIONS = {"image": {}, "compressed": {"extension": 1}, "table": {}}
READER = {"image": "fits_image", "compressed": "fits_image", "table": "fits_table"}


@pytest.mark.parametrize(
    ("kind", "keyword", "value", "message"),
    [
        ("image", "NAXIS", "999", "not a whole FITS file"),
        ("image", "BITPIX", "7", "not a whole FITS file"),
        ("image", "NAXIS1", "1000000000", "not a whole FITS file"),
        ("image", "CRVAL1", "'here'", "the card CRVAL1 is 'here', not a number"),
        ("image", "CRVAL1", "T", "the card CRVAL1 is True, not a number"),
        ("image", "CDELT1", "NaN", "CDELT1"),
        ("image", "CDELT1", "1E999", "the card CDELT1 is inf, not a number"),
        ("image", "CRPIX1", "1 1 2.0", "Unparsable card .CRPIX1."),
        ("image", "BUNIT", "1 1 2.0", "Unparsable card .BUNIT."),
        ("image", "BUNIT", "'10**99999999 m'", "flux unit '10..99999999 m' cannot be converted"),
        ("image", "CUNIT1", "'10**99999999 m'", "wavelength unit .* is not one of wavelength"),
        ("compressed", "ZNAXIS1", "1000000000", "not a whole FITS file"),
        ("compressed", "ZBITPIX", "7", "not a whole FITS file"),
        ("table", "TFORM1", "'7Y'", "not a whole FITS file"),
        ("table", "NAXIS1", "1000000000", "not a whole FITS file"),
    ],
)
def test_a_damaged_card_is_an_error_that_names_the_file(tmp_path, kind, keyword, value, message):
    content = with_card(hdus(kind), keyword, f"{keyword:8s}= {value:>20s}")
    began = time.monotonic()
    with pytest.raises(LibraryError, match=rf"bad\.fits: .*{message}"):
        read(tmp_path, READER[kind], "bad.fits", content, **OPTIONS[kind])
    assert time.monotonic() - began < 1


def test_a_damaged_tile_is_an_error(tmp_path):
    content = bytearray(hdus("compressed"))
    content[-2880:-1000] = bytes(255 - byte for byte in content[-2880:-1000])
    with pytest.raises(LibraryError, match=r"bad\.fits: not a whole FITS file"):
        read(tmp_path, "fits_image", "bad.fits", bytes(content), extension=1)


def test_compressed_images_unpack_to_a_limit(tmp_path):
    """Each tile is gzip's, which does not say how much it will be."""
    packed = np.frombuffer(gzip.compress(bytes(2**25)), np.uint8)
    content = bytearray(hdus("compressed"))
    table = fits.open(io.BytesIO(content), disable_image_compression=True)
    tiles = np.array([packed] * 3, dtype=object)
    column = fits.Column("COMPRESSED_DATA", "1PB()", array=tiles)
    bomb = fits.BinTableHDU.from_columns([column], header=table[1].header)
    bomb.header["ZCMPTYPE"] = "GZIP_1"
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), bomb]).writeto(buffer, output_verify="ignore")

    def refused():
        with pytest.raises(LibraryError, match=r"s\.fits: not a whole FITS file"):
            read(tmp_path, "fits_image", "s.fits", buffer.getvalue(), extension=1)

    assert peak(refused) < 30


def test_compressions_that_write_past_their_image_are_not_read(tmp_path):
    image = fits.CompImageHDU(np.tile(FLUX.astype("i2"), (8, 1)), compression_type="HCOMPRESS_1")
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(buffer)
    with pytest.raises(LibraryError, match=r"s\.fits: .* its compression is HCOMPRESS_1"):
        read(tmp_path, "fits_image", "s.fits", buffer.getvalue(), extension=1)


@pytest.mark.parametrize("kind", ["image", "compressed", "table"])
def test_a_card_that_nobody_asks_for_may_be_unreadable(tmp_path, kind):
    """STELIB has such cards."""
    content = hdus(kind)
    end = content.rindex(b"END" + 77 * b" ")
    card = b"APNUM1  = 1 1 36.29 41.29".ljust(80)
    content = content[:end] + card + content[end : end + 80] + content[end + 160 :]
    (found, *_) = read(tmp_path, READER[kind], "s.fits", content, **OPTIONS[kind])
    np.testing.assert_allclose(found.flux, FLUX, rtol=1e-6)
    assert "APNUM1" in found.header
    with pytest.raises(LibraryError, match=r"s\.fits: Unparsable card .APNUM1."):
        found.header["APNUM1"]


@pytest.mark.parametrize("kind", ["image", "compressed", "table"])
def test_mutated_fits_files_are_read_or_are_one_error(tmp_path, kind):
    rng = np.random.default_rng(0)
    whole = hdus(kind)
    values = [b"-1", b"0", b"7", b"999", b"1000000000", b"99999999999999999999", b"'x'", b"NaN"]
    values += [b"T", b"", b"1E400", b"'1000000000PE(9)'", b"'0A'", b"(1, 2)", b"'\xff'", b"1 2"]
    ends = [i for i in range(0, len(whole), 80) if whole[i : i + 3] == b"END"]
    n_cards = ends[-1] // 80
    slowest = 0.0
    outcomes = {True: 0, False: 0}
    for _ in range(170):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 3)):
            at = 80 * int(rng.integers(n_cards))
            if rng.random() < 0.2:
                content[at + int(rng.integers(80))] = int(rng.integers(256))
            else:
                content[at + 10 : at + 40] = rng.choice(values).rjust(20).ljust(30)
        if rng.random() < 0.3:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        began = time.monotonic()
        outcomes[is_read(tmp_path, READER[kind], "m.fits", bytes(content), **OPTIONS[kind])] += 1
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 1
    assert min(outcomes.values()) > 20, outcomes


def votable():
    """A VOTable of two columns."""
    buffer = io.BytesIO()
    from_table(Table({"WAVELENGTH": WAVE, "FLUX": FLUX})).to_xml(buffer)
    return buffer.getvalue()


def elsewhere(address):
    """A VOTable whose data are a stream at an address."""
    content = votable().decode()
    start, end = content.index("<TABLEDATA>"), content.index("</TABLEDATA>")
    stream = f'<BINARY><STREAM encoding="base64" href="{address}"/></BINARY>'
    return (content[:start] + stream + content[end + len("</TABLEDATA>") :]).encode()


def test_a_votables_data_are_its_own(tmp_path):
    """Neither a file nor an address that it names is opened."""
    numbers = np.column_stack([WAVE, FLUX]).astype(">f8").tobytes()
    (tmp_path / "secret").write_bytes(base64.b64encode(numbers))
    for address in (f"file://{tmp_path}/secret", "http://127.0.0.1:9/x", "secret"):
        with pytest.raises(LibraryError, match=r"s\.xml: its STREAM is at .*; not read"):
            read(tmp_path, "votable", "s.xml", elsewhere(address))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<TABLE", '<TABLE nrows="100000000000"', "more than the file can hold"),
        ("<FIELD ", '<FIELD arraysize="99999x99999" ', "more than the file can hold"),
        ("<VOTABLE", '<!DOCTYPE V [<!ENTITY e SYSTEM "file:///etc/passwd">]><VOTABLE', "entities"),
        ("<VOTABLE", '<!DOCTYPE V [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><VOTABLE', "entities"),
    ],
)
def test_votables_that_ask_for_too_much(tmp_path, old, new, message):
    content = votable().replace(old.encode(), new.encode(), 1)
    with pytest.raises(LibraryError, match=rf"s\.xml: .*{message}"):
        read(tmp_path, "votable", "s.xml", content)


WIDE = '<FIELD name="a" datatype="double" arraysize="10000"/>'
PARAM = '<PARAM name="p" datatype="double" arraysize="10000" value=""/>'


@pytest.mark.parametrize(
    "table",
    [
        f'<TABLE nrows="10000">{WIDE}<DATA><TABLEDATA>',
        f"<TABLE>{WIDE}<DATA><TABLEDATA>" + "<TR><TD/></TR>" * 500,
        f"<TABLE>{PARAM * 150}{WIDE}<DATA><TABLEDATA>",
    ],
)
def test_a_votable_has_no_more_values_than_its_file_can_hold(tmp_path, table):
    """Neither its rows nor its columns alone ask for too much."""
    content = f"<VOTABLE><RESOURCE>{table}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    content = content.ljust(20_000).encode()

    def refused():
        with pytest.raises(LibraryError, match=r"s\.xml: .* are more than the file can hold"):
            read(tmp_path, "votable", "s.xml", content)

    assert peak(refused) < 10


def test_texts_of_a_votable_may_be_shorter_than_announced(tmp_path):
    buffer, table = io.BytesIO(), Table({"WAVELENGTH": WAVE, "FLUX": FLUX})
    table["NOTE"] = ["none"] * 399 + ["x" * 1000]
    table["FLAG"] = np.zeros(400, bool)
    from_table(table).to_xml(buffer)
    assert b'arraysize="1000"' in buffer.getvalue()
    (found,) = read(tmp_path, "votable", "s.xml", buffer.getvalue())
    np.testing.assert_allclose(found.flux, FLUX)


WRITTEN = ["basic", "commented_header", "csv", "ecsv", "fixed_width", "fixed_width_no_header"]
WRITTEN += ["fixed_width_two_line", "ipac", "no_header", "rdb", "tab"]


@pytest.mark.parametrize("kind", WRITTEN)
def test_text_is_content_and_never_the_name_of_a_file(tmp_path, kind):
    Table({"w": WAVE, "f": FLUX}).write(tmp_path / "other", format=f"ascii.{kind}")
    options = {"format": kind, "wavelength": 0, "flux": 1}
    assert read(tmp_path, "text", "other", (tmp_path / "other").read_bytes(), **options)
    with pytest.raises(LibraryError, match=r"s\.txt: "):
        read(tmp_path, "text", "s.txt", str(tmp_path / "other").encode(), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "html"},
        {"format": "html", "table": {"htmldict": {}}},
        {"format": "latex"},
        {"table": {"fast_reader": {"parallel": 99}}},
        {"table": {"guess": True}},
        {"table": {"comment": "(a|a)*b"}},
    ],
)
def test_formats_and_settings_that_are_not_text_alone_are_refused(tmp_path, options):
    content = Table({"w": WAVE, "f": FLUX})
    content.write(tmp_path / "t.txt", format="ascii.no_header")
    with pytest.raises(LibraryError, match=r"s\.txt: .*(not a format or setting|more than)"):
        read(tmp_path, "text", "s.txt", (tmp_path / "t.txt").read_bytes(), **options)


def test_the_model_has_the_readers_formats_and_settings():
    assert set(get_args(entry_options.Format)) == text.FORMATS
    of_index = get_args(Index.model_fields["format"].annotation)
    assert set(of_index) - {"fits", "votable"} == text.FORMATS
    assert set(get_args(entry_options.Setting)) == text.SETTINGS - {"converters"}


def peak(action):
    """Megabytes that an action takes at its peak."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("between", [" ", ",", "|"])
def test_text_of_too_many_columns_is_refused(tmp_path, between):
    content = (between.join(["1"] * 1_000_000) + "\n").encode() * 2
    options = {"table": {"delimiter": between}}

    def refused():
        with pytest.raises(LibraryError, match=r"s\.txt: line 1 has more than 20000 columns"):
            read(tmp_path, "text", "s.txt", content, **options)

    assert peak(refused) < 50


def test_ecsv_that_merges_its_keys_without_end(tmp_path):
    lines = ["# %ECSV 1.0", "# ---", "# datatype: [{name: a, datatype: int64}]", "# meta:"]
    lines += ["#   m0: &m0 {a: 1, b: 2}"]
    lines += [f"#   m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}]}}" for i in range(1, 40)]
    content = "\n".join([*lines, "a", "1"]).encode()
    with pytest.raises(LibraryError, match=r"s\.txt: .*merge keys"):
        read(tmp_path, "text", "s.txt", content, format="ecsv")


@pytest.mark.parametrize("packed", [lzma.compress, bz2.compress, gzip.compress])
def test_r_lists_that_unpack_past_the_limit(tmp_path, packed):
    content = packed(b"X\n" + bytes(2**25))
    for bomb in (content, gzip.compress(content), packed(content)):

        def refused(bomb=bomb):
            with pytest.raises(LibraryError, match=r"s\.rds: (passes the size|not the subset)"):
                read(tmp_path, "r_subset", "s.rds", bomb)

        assert peak(refused) < 30


def test_an_r_vector_in_short_form_is_refused(tmp_path):
    """A few bytes of R's stand for 10^9 numbers."""

    def symbol(name):
        return struct.pack(">iii", 1, 0x40009, len(name)) + name

    nil = struct.pack(">i", 254)
    pairs = [symbol(b"compact_intseq"), symbol(b"base"), struct.pack(">iii", 13, 1, 13)]
    info = b"".join(struct.pack(">i", 2) + pair for pair in pairs) + nil
    state = struct.pack(">ii3d", 14, 3, 1e9, 1, 1)
    header = b"X\n" + struct.pack(">iii", 3, 0x40000, 0x30500) + struct.pack(">i", 5) + b"UTF-8"
    content = header + struct.pack(">i", 238) + info + state + nil
    with pytest.raises(LibraryError, match=r"s\.rds: not the subset's R list .*compact_intseq"):
        read(tmp_path, "r_subset", "s.rds", content)


@pytest.mark.parametrize("reader", ["votable", "text"])
def test_flipped_bits_are_read_or_are_one_error(tmp_path, reader):
    rng = np.random.default_rng(0)
    lines = [b"%f %f\n" % pair for pair in zip(WAVE, FLUX, strict=True)]
    name, whole = {"votable": ("s.xml", votable()), "text": ("s.txt", b"".join(lines))}[reader]
    outcomes = {True: 0, False: 0}
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            content[int(rng.integers(min(len(content), 3000)))] ^= 1 << int(rng.integers(8))
        outcomes[is_read(tmp_path, reader, name, bytes(content))] += 1
    assert min(outcomes.values()) > 5, outcomes

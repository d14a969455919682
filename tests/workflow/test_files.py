"""The workflow's own files."""

import pytest
from astropy import units
from astropy.table import Column, Table

from spectralunmix.files import read_table, write_table


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\u2028", "\x0b", "\x85"])
def test_a_line_break_in_a_text_of_the_data(tmp_path, mark):
    """ECSV has a row a line: astropy writes such a text, and cannot read the file again."""
    path = tmp_path / "table.ecsv"
    table = Table({"star": Column([f"HD{mark}1", "HD 2"], description="name")})
    table["teff"] = Column([5000.0, 6000.123456789], unit=units.K)
    write_table(path, table)
    again = read_table(path)
    assert list(again["star"]) == ["HD 1", "HD 2"]
    assert again["star"].description == "name"
    assert list(again["teff"]) == [5000, 6000.1235]
    assert again["teff"].unit == units.K

"""CSV files as people have them: what is read from them, and what can't be."""

import io
import tracemalloc
from contextlib import suppress

import pytest

from app.core.csv_files import MAX_LINE, TOO_LONG, UNCLOSED
from app.core.errors import InvalidInputError
from app.core.number_tables import NumberTable
from app.core.phone import PhoneReader

PHONES = PhoneReader("IT", "made up for tests: fingerprints")

ROSSI, VERDI = "333 1234567", "+39 347 7654321"


def table_of(content: str | bytes, column: str | None = None) -> NumberTable:
    raw = content.encode() if isinstance(content, str) else content
    return NumberTable(io.BytesIO(raw), PHONES, column)


def numbers_of(content: str | bytes, column: str | None = None) -> list[str]:
    table = table_of(content, column)
    return [table.number(row) for row in table]


def plain_file(delimiter: str = ",", end: str = "\n") -> str:
    rows = [("nome", "telefono", "città"), ("Rossi", ROSSI, "Forlì"), ("Verdi", VERDI, "Bari")]
    return "".join(delimiter.join(row) + end for row in rows)


DIALECTS = {
    "commas": plain_file().encode(),
    "semicolons": plain_file(";").encode(),
    "tabs": plain_file("\t").encode(),
    "bars": plain_file("|").encode(),
    "Windows line ends": plain_file(";", "\r\n").encode(),
    "old Mac line ends": plain_file(";", "\r").encode(),
    "no line end at the end": plain_file().strip().encode(),
    "a byte order mark": plain_file().encode("utf-8-sig"),
    "UTF-16 with mark": plain_file("\t").encode("utf-16"),
    "UTF-16 little-endian": plain_file(";").encode("utf-16-le"),
    "UTF-16 big-endian": plain_file(";").encode("utf-16-be"),
    "Latin-1": plain_file(";").encode("latin-1"),
    "broken UTF-8 far behind": plain_file().encode() + b"x" * 70_000 + b"\xff,,\n",
    "Excel's hint": b"sep=;\r\n" + plain_file(";", "\r\n").encode(),
    "quoted": f'"nome","telefono"\n"Rossi","{ROSSI}"\n"Verdi","{VERDI}"\n'.encode(),
    "delimiters and quotes in quotes": (
        f'nome;telefono\n"Rossi; ""il rosso""";{ROSSI}\n"a,b,c";{VERDI}\n'.encode()
    ),
    "line breaks in quotes": f'telefono,nota\n{ROSSI},"due\nrighe"\n{VERDI},"\r\n"\n'.encode(),
    "no header": f"{ROSSI}\n{VERDI}\n".encode(),
    "no header, several columns": f"Rossi;{ROSSI};1\nVerdi;{VERDI};2\n".encode(),
    "a header of unknown words": f"chi,dove\nRossi,{ROSSI}\nVerdi,{VERDI}\n".encode(),
    "one column with header": f"Numéro\n{ROSSI}\n{VERDI}\n".encode(),
    "empty lines and rows": f"telefono;x\n\n{ROSSI};\n;;\n \n{VERDI};1\n\n".encode(),
    "longer and shorter rows": f"telefono,x,y\n{ROSSI}\n{VERDI},1,2,3,4\n".encode(),
    "formulas around numbers": f'telefono;x\n="{ROSSI}";1\n="{VERDI}";2\n'.encode(),
    "a mobile beside a fixed number": (
        f"Telefono;Cellulare\n06 69812345;{ROSSI}\n02 12345678;{VERDI}\n".encode()
    ),
}


@pytest.mark.parametrize("content", DIALECTS.values(), ids=DIALECTS.keys())
def test_the_numbers_are_found_in_every_dialect(content: bytes):
    """Whatever program wrote the file, its first two numbers are read, and the header is not."""
    assert numbers_of(content)[:2] == [ROSSI, VERDI]


HEADERS = ["to", "Number", "PHONE", "phone_number", "Telefono", "numero", "MSISDN", "Cellulare",
           "Número de teléfono", "Téléphone", "Handynummer", "Telemóvel"]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_the_column_is_found_by_its_name(header: str):
    """A column with a telling name is the one, even where another has numbers as well."""
    content = f"fax,{header}\n06 69812345,{ROSSI}\n06 69812346,{VERDI}\n"
    assert numbers_of(content) == [ROSSI, VERDI]


@pytest.mark.parametrize("column", ["ufficio", "UFFICIO ", "2"])
def test_a_column_can_be_asked_for(column: str):
    """By its name, in any case, or by its place from 1."""
    content = f"telefono,ufficio\n06 69812345,{ROSSI}\n06 69812346,{VERDI}\n"
    assert numbers_of(content, column) == [ROSSI, VERDI]


@pytest.mark.parametrize("column", ["3", "0", "fax", "²", "9" * 5000])
def test_a_column_that_is_not_there_is_an_error(column: str):
    """It says what to do, and shows nothing of the file."""
    with pytest.raises(InvalidInputError, match=r"no such column.*from 1 to 2") as error:
        table_of(f"telefono,x\n{ROSSI},1\n", column)
    assert "333" not in str(error.value)


def test_a_file_without_numbers_is_an_error():
    """Rather than an import of nothing."""
    with pytest.raises(InvalidInputError, match="no column of telephone numbers"):
        table_of("a,b\nc,d\n")


def test_an_empty_file_has_no_rows():
    """Nothing at all is no error."""
    assert numbers_of("") == []


def test_rows_keep_their_text_and_their_line():
    """What is handed on is, byte by byte, what came, and the lines are those an editor shows."""
    content = plain_file(";", "\r\n") + '"x\r\ny";1;2\r\n\r\n  z ; "q" ;\r\n'
    table = table_of(content.encode("latin-1"))
    rows = list(table)
    text = table.header.text + "".join(row.text for row in rows)
    written = text.encode(table.file.encoding, table.file.errors)

    assert written == content.replace("\r\n\r\n", "\r\n").encode("latin-1")
    assert [row.line for row in rows] == [2, 3, 4, 7]


def test_bytes_that_are_no_text_come_out_as_they_went_in():
    """A single broken character in a large file changes nothing."""
    content = plain_file().encode() + b"\xff\xfe\x00,333 1234568,\x80\n"
    content = content.replace(b"Bari", b"Bari" + b"." * 100_000)  # behind what is sampled
    table = table_of(content)
    rows = list(table)

    assert rows[-1].text.encode(table.file.encoding, table.file.errors) == content.splitlines(
        keepends=True
    )[-1]  # fmt: skip


def test_a_number_with_a_nul_in_it_is_read():
    """NUL bytes are invisible, in the file as in the number."""
    table = table_of(f"telefono,x\n3331\x00234567,1\n{VERDI},\x00\n")
    assert PHONES.parse(table.number(next(iter(table)))).e164 == "+393331234567"


def test_a_quotation_mark_left_open_spoils_one_line():
    """The rows that follow it are read, although a later mark seems to close it."""
    table = table_of(f'nome;telefono\n"Rossi;333 1111111\nA;{ROSSI}\nB";{VERDI}\n')
    rows = list(table)

    assert [row.fault for row in rows] == [UNCLOSED, None, None]
    assert [table.number(row) for row in rows] == ["", ROSSI, VERDI]


def test_a_quotation_mark_that_is_never_closed_spoils_one_line():
    """A million rows are not one cell."""
    table = table_of('telefono;x\n3331111111;"\n' + "3332222222;\n" * 200)
    rows = list(table)

    assert rows[0].fault == UNCLOSED
    assert len(rows) == 201


def test_a_line_without_end_is_passed_over():
    """It is reported, and the next one is read."""
    table = table_of(f"telefono,x\n{ROSSI},{'y' * 3 * MAX_LINE}\n{VERDI},1\n")
    rows = list(table)

    assert [row.fault for row in rows] == [TOO_LONG, None]
    assert [row.line for row in rows] == [2, 3]


def test_a_quoted_cell_without_end_is_passed_over():
    """However long its lines are, and although none of them ends it."""
    long_line = "y" * (MAX_LINE - 40)
    table = table_of(f'telefono,x\n{ROSSI},"{long_line}\n{long_line}\n{long_line}\n{VERDI},1\n')
    rows = list(table)

    assert rows[0].fault == UNCLOSED
    assert table.number(rows[-1]) == VERDI


def test_a_row_of_which_a_part_is_not_read_is_no_row():
    """What was cut off must not be missing, unseen, from a row that is handed on."""
    table = table_of(f'telefono,x\n{ROSSI},"a\n{"y" * 2 * MAX_LINE}\nb"\n')
    assert next(iter(table)).fault == UNCLOSED


def test_any_bytes_are_a_file():
    """Nothing that stands in a file raises anything but that it has no numbers."""
    for seed in range(256):
        noise = bytes((seed * i * 7 + i * i) % 256 for i in range(997))
        with suppress(InvalidInputError):
            table = table_of(noise)
            assert all(row.fault or isinstance(table.number(row), str) for row in table)
        assert len(numbers_of(f"telefono\n{ROSSI}\n".encode() + noise)) > 0


def test_a_large_file_needs_no_memory():
    """A file of 6 MB is read in 1 MB."""
    lines = b"".join(b"%d,some more text beside the number\n" % (3331000000 + i) for i in range(25))

    class Endless(io.RawIOBase):
        left = 6_000_000

        def read(self, size: int = -1) -> bytes:
            self.left -= len(lines)
            return lines if self.left > 0 else b""

    tracemalloc.start()
    count = sum(1 for _ in NumberTable(Endless(), PHONES))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count > 100_000
    assert peak < 1_000_000

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.data.sources.parquet import DAMAGED, read_parquet
from r1flow.components.data.sources.records import Broken, Record
from tests.components.data.sources.reading import read


def parquet(rows: int = 3000, group: int = 1000) -> bytes:
    table = pa.table(
        {
            "prompt": [f"What is {n} plus {n}?" for n in range(rows)],
            "answer": [str(2 * n) for n in range(rows)],
            "other": [{"deep": [n]} for n in range(rows)],
        }
    )
    stream = io.BytesIO()
    pq.write_table(
        table, stream, row_group_size=group, compression="zstd", write_page_checksum=True, use_dictionary=False
    )
    return stream.getvalue()


def test_rows_come_in_order_and_only_the_named_columns_are_read() -> None:
    items = list(read_parquet(io.BytesIO(parquet()), {"prompt", "answer", "absent"}, "s"))
    assert [item.number for item in items] == list(range(1, 3001))
    assert isinstance(items[2999], Record)
    assert items[2999].columns == {"prompt": "What is 2999 plus 2999?", "answer": "5998"}


def test_a_damaged_part_costs_its_own_rows_each_of_them_by_its_number() -> None:
    data = bytearray(parquet())
    column = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0)
    middle = column.data_page_offset + column.total_compressed_size // 2
    data[middle : middle + 8] = b"damaged!"
    items = list(read_parquet(io.BytesIO(data), {"prompt", "answer"}, "s"))
    lost = [item.number for item in items if isinstance(item, Broken) and item.reason == DAMAGED]
    assert [item.number for item in items] == list(range(1, 3001))
    assert set(lost) <= set(range(1001, 2001))
    assert lost[-1] == 2000


@pytest.mark.parametrize("spoil", [lambda b: b[:-8], lambda b: b"", lambda b: b"PAR1 and no more PAR1"])
def test_a_file_without_a_footer_is_an_error_that_names_the_setting(spoil) -> None:
    with pytest.raises(DataError, match=r"data\.sources\.s: this is no Parquet file"):
        list(read_parquet(io.BytesIO(spoil(parquet())), (), "data.sources.s"))


def test_texts_that_are_not_utf_8_and_other_types_are_put_aside(tmp_path: Path) -> None:
    texts = pa.array([b"fine", b"\xff", b"fine"]).cast(pa.binary()).view(pa.string())
    numbers = pa.array([1.0, 2.0, float("nan")])
    pq.write_table(pa.table({"prompt": texts, "answer": numbers}), tmp_path / "a.parquet")
    rows, bad = read(tmp_path / "a.parquet")
    assert [row.answer for row in rows] == ["1"]
    assert [(entry.line, entry.reason) for entry in bad] == [(2, "not UTF-8"), (3, "no finite number in 'answer'")]


def test_lists_and_structures_are_columns_too(tmp_path: Path) -> None:
    talk = [[{"role": "user", "content": "1+1"}]]
    table = pa.table({"prompt": talk, "reward_model": [{"ground_truth": "2"}]})
    pq.write_table(table, tmp_path / "a.parquet")
    rows, bad = read(tmp_path / "a.parquet", messages="prompt", answer="reward_model.ground_truth")
    assert (bad, [(row.prompt, row.answer) for row in rows]) == ([], [("1+1", "2")])


def test_parquet_is_compressed_inside(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"without \.gz"):
        read(tmp_path / "a.parquet.gz")

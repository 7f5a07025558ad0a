#!/usr/bin/env python3
"""Writes the tables beside it as Hugging Face's `datasets` does: by pyarrow, with dictionaries,
Snappy and row groups of 100. `pip install pyarrow`"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent
ROWS = 250


def said(row: int) -> list[dict[str, str]]:
    """A conversation of one to three questions."""
    turns = []
    for turn in range(row % 3 + 1):
        turns.append({"from": "human", "value": f"question {row}.{turn}"})
        turns.append({"from": "gpt", "value": f"answer {row}.{turn}"})
    return turns


pictures = pa.array(
    [{"bytes": b"\x89PNG" + bytes([row]), "path": None} for row in range(ROWS)],
    pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
)
rows = pa.array(
    [said(row) for row in range(ROWS)],
    pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())])),
)
turned = pa.array(
    [{key: [one[key] for one in said(row)] for key in ("from", "value")} for row in range(ROWS)],
    pa.struct([("from", pa.list_(pa.string())), ("value", pa.list_(pa.string()))]),
)
numbers = pa.array(range(ROWS), pa.int64())
for name, conversations in (("list_of_structs", rows), ("struct_of_lists", turned)):
    table = pa.table({"id": numbers, "image": pictures, "conversations": conversations})
    pq.write_table(table, FOLDER / f"{name}.parquet", row_group_size=100)

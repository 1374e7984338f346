"""SQL on a small store: what can be asked, and that nothing else can be done."""

import os

import pyarrow.parquet as pq
import pytest

from r1flow.cli.lake import query
from r1flow.components.core.errors import ConfigError, DataError, IntegrityError
from r1flow.components.evals.lake.query import open_lake
from r1flow.components.evals.lake.tables import Source, sources
from r1flow.components.store.objects import open_store
from tests.components.evals.lake.lake_store import fill, fill_former


@pytest.fixture
def store(tmp_path):
    opened = open_store((tmp_path / "it's a store").as_uri())
    fill(opened, tmp_path / "made")
    return opened


@pytest.fixture
def asked(store, tmp_path):
    with open_lake(sources(store, tmp_path / "cache"), threads=1) as lake:
        yield lake


def test_rollouts_have_their_stage_and_evaluations_their_suite(asked):
    assert asked.tables == ["evaluations", "rollouts"]
    found = asked.ask(
        "SELECT artifact, run, stage, dataset, step, prompt_id, sample, num_tokens FROM rollouts ORDER BY ALL"
    )
    assert found.columns[:2] == ["artifact", "run"]
    assert found.rows[0] == ("rl/200000000000", "run-1", "r1_zero", "dataset/100000000000", 1, "a", 0, 3)
    assert len(found.rows) == 6
    answers = asked.ask("SELECT model, suite, count(*) FROM evaluations GROUP BY ALL").rows
    assert answers == [("rl/200000000000", "exam", 2)]


def test_lakes_of_before_have_the_same_columns(tmp_path):
    old = open_store((tmp_path / "old").as_uri())
    fill_former(old, tmp_path / "made")
    with open_lake(sources(old, tmp_path / "cache")) as lake:
        found = lake.ask("SELECT artifact, policy, dataset, count(*) FROM rollouts GROUP BY ALL").rows
        assert found == [("grpo/200000000000", None, "dataset/100000000000", 6)]
        assert lake.ask("SELECT DISTINCT model, suite FROM evaluations").rows == [("grpo/200000000000", "exam")]


def test_the_three_questions(asked):
    never = "SELECT prompt_id FROM rollouts GROUP BY 1 HAVING count(*) FILTER (verdict = 'CORRECT') = 0 ORDER BY 1"
    assert asked.ask(never).rows == [("a",), ("c",)]
    halves = "SELECT reward, ntile(2) OVER (ORDER BY num_tokens) AS half FROM rollouts"
    decile = f"SELECT half, avg(reward) FROM ({halves}) GROUP BY 1 ORDER BY 1"
    assert asked.ask(decile).rows == [(1, pytest.approx(1 / 3)), (2, 0.5)]
    assert asked.ask("SELECT rewards['accuracy'] FROM rollouts WHERE prompt_id = 'b'").rows == [(1.0,), (1.0,)]


def test_a_lake_from_before_the_column_has_its_lengths_counted(store, tmp_path):
    files = sources(store, tmp_path / "cache")
    older = []
    for number, source in enumerate(files):
        table = pq.read_table(source.path)
        path = tmp_path / f"older-{number}.parquet"
        pq.write_table(table.drop_columns([name for name in ("num_tokens",) if name in table.column_names]), path)
        older.append(Source(source.table, path, source.facts))
    lengths = "SELECT prompt_id, num_tokens FROM rollouts ORDER BY ALL"
    with open_lake(files) as new, open_lake(older) as old:
        assert new.ask(lengths) == old.ask(lengths)


def test_a_long_answer_says_that_there_is_more(asked):
    found = asked.ask("SELECT sample FROM rollouts", limit=4)
    assert (len(found.rows), found.more) == (4, True)
    assert asked.ask("SELECT sample FROM rollouts", limit=6).more is False


HOSTILE = [
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_parquet('https://example.org/x.parquet')",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{target}''')",
    "COPY (SELECT 1) TO '{target}'",
    "COPY (SELECT 1) TO '{shard}' (FORMAT parquet, USE_TMP_FILE false)",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{shard}' (FORMAT parquet, USE_TMP_FILE false)",
    "SELECT 1; COPY (SELECT 1) TO '{target}'",
    "EXPORT DATABASE '{target}'",
    "ATTACH '{target}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET allowed_paths = ['/etc/passwd']",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "CREATE OR REPLACE VIEW rollouts AS SELECT 1",
    "DROP VIEW rollouts",
    "SELECT * FROM hidden",
    "SELECT * FROM nowhere",
    "SELECT",
    "",
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_a_question_reads_the_tables_and_does_nothing_else(store, asked, tmp_path, monkeypatch, sql):
    import pandas

    monkeypatch.chdir(tmp_path)
    secret, target = tmp_path / "secret.csv", tmp_path / "target"
    secret.write_text("password\nhunter2\n")
    shard = next(source.path for source in sources(store, tmp_path / "cache") if source.table == "rollouts")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    hidden = pandas.DataFrame({"x": [1]})
    with pytest.raises(ConfigError):
        asked.ask(
            sql.format(
                **{k: str(v).replace("'", "''") for k, v in locals().items() if k in ("secret", "target", "shard")}
            )
        )
    assert len(hidden) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert len(asked.ask("SELECT * FROM rollouts").rows) == 6


def test_an_empty_store_says_what_makes_rollouts(tmp_path):
    with pytest.raises(DataError, match="r1 run tiny"), open_lake(sources(open_store(tmp_path.as_uri()), tmp_path)):
        pass


def test_a_file_of_another_size_is_refused(store, tmp_path):
    shard = next(source.path for source in sources(store, tmp_path / "cache") if source.table == "rollouts")
    os.chmod(shard, 0o644)
    shard.write_bytes(shard.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="is not what"):
        sources(store, tmp_path / "cache")
    shard.unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        sources(store, tmp_path / "cache")


def test_the_command_prints_a_table_or_json_lines_and_no_control_character(store, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("R1_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("R1_STORE", store.uri)
    query("SELECT 'a' || chr(27) || '[31m[bold]' AS hostile, 0.5 AS half, NULL AS nothing", json_lines=False)
    printed = capsys.readouterr().out
    assert "\x1b[31m" not in printed
    assert "\u241b[31m[bold]" in printed
    assert "1 rows" in printed
    query("SELECT prompt_id, rewards FROM rollouts WHERE prompt_id = 'b' AND sample = 0", json_lines=True)
    assert capsys.readouterr().out == '{"prompt_id": "b", "rewards": {"accuracy": 1.0}}\n'

import random

from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.schema import Row
from r1flow.components.data.mixture import chooser, quotas
from r1flow.components.recipe.data import SourceConfig

names = st.sampled_from("abcd")
weights = st.dictionaries(names, st.tuples(st.integers(0, 500), st.floats(0.1, 10)), min_size=1)


@given(weights)
def test_shares_are_those_of_the_weights_and_one_source_is_used_up(given_sources: dict[str, tuple[int, float]]) -> None:
    sources = {name: SourceConfig(weight=weight) for name, (_, weight) in given_sources.items()}
    available = {name: num for name, (num, _) in given_sources.items()}
    found = quotas(available, sources)
    assert all(0 <= found[name] <= num for name, num in available.items())
    filled = [name for name, num in available.items() if num]
    if filled:
        assert any(found[name] == available[name] for name in filled)
        scale = min(available[name] / given_sources[name][1] for name in filled)
        assert all(abs(found[name] - scale * given_sources[name][1]) <= 0.5 + 1e-9 for name in filled)


def test_without_weights_everything_is_taken_up_to_rows() -> None:
    sources = {"a": SourceConfig(), "b": SourceConfig(rows=3)}
    assert quotas({"a": 5, "b": 5, "tinyworld": 9}, sources) == {"a": 5, "b": 3}


def row(source: str, number: int) -> Row:
    return Row(id=f"{source}:{number}", prompt="p", answer="a", verifier="exact", source=source)


def test_the_choice_depends_on_the_seed_and_on_nothing_else() -> None:
    sources = {"a": SourceConfig(weight=3.0), "b": SourceConfig(weight=1.0)}
    rows = [row("a", n) for n in range(300)] + [row("b", n) for n in range(500)]

    def chosen(order: list[Row], seed: int) -> set[str]:
        keep = chooser(((r.source, r.id) for r in order), sources, seed)
        return {r.id for r in order if keep(r.source, r.id)}

    first = chosen(rows, 0)
    assert (sum(i.startswith("a") for i in first), sum(i.startswith("b") for i in first)) == (300, 100)
    assert chosen(random.Random(1).sample(rows, len(rows)), 0) == first
    assert chosen(rows, 1) != first

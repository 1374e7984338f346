"""The order of the rooms, and the program that shows it."""

from benchmarks.house import Import, arrows_of, cycles, floors, imports_between_rooms, room, rooms, size, upward
from tests.runs import ROOT

ORDER = ["attic", "hall", "cellar"]


def imports(*pairs: str) -> list[Import]:
    return [Import(*(f"r1flow.components.{name}.module" for name in pair.split())) for pair in pairs]


def test_no_room_imports_one_above_it_and_none_leads_back_to_itself() -> None:
    order, found = rooms(ROOT / "pyproject.toml"), list(imports_between_rooms())
    assert order[:4] + order[-1:] == ["cli", "notebook", "flows", "tasks", "core"]
    assert {name for one in found for name in one.rooms} == set(order)
    assert (upward(order, found), cycles(arrows_of(found))) == ([], [])
    assert all(size(name)[0] for name in order)


def test_a_floor_is_the_longest_way_down() -> None:
    assert floors(ORDER, arrows_of(imports("attic hall", "attic cellar", "hall cellar"))) == dict(
        attic=3, hall=2, cellar=1
    )
    assert floors(ORDER, {}) == dict.fromkeys(ORDER, 1)


def test_what_rises_and_what_goes_in_a_circle_is_named() -> None:
    rising = imports("cellar attic")
    given = [*imports("attic hall", "hall cellar"), *rising]
    assert upward(ORDER, given) == rising
    assert cycles(arrows_of(given)) == [frozenset(ORDER)]
    assert cycles(arrows_of(imports("attic hall", "hall attic", "hall cellar"))) == [frozenset({"attic", "hall"})]


def test_a_module_is_of_the_first_folder_below_the_package_or_its_components() -> None:
    names = ["r1flow.components.store.rollouts.lake", "r1flow.flows", "r1flow.components", "r1flow"]
    assert [room(name) for name in names] == ["store", "flows", "", ""]

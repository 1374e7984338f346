"""Cases for ``verifier="exact"``: the text behind the thought is the answer, white space around it apart."""

from r1flow.components.core.seeds import python_rng
from r1flow.components.rewards.adversarial.attacks import Target, adversarial_cases
from r1flow.components.rewards.adversarial.cases import Case, Family, text_row, thought

ROUNDS = 20
TARGETS = 2


def make_cases(seed: int = 0) -> list[Case]:
    """A few hundred cases, the same for the same seed."""
    cases: list[Case] = []
    for number in range(ROUNDS):
        rng = python_rng(seed, "adversarial", "exact", number)
        n = rng.randint(10, 9999)
        gold = rng.choice((f"{n}", f"{n} apples", f"x{n}"))
        row = text_row(gold, "exact")
        same = {"as it is": gold, "spaces": f"  {gold} ", "lines": f"\n{gold}\n\n", "tab": f"\t{gold}"}
        different = {
            "doubled": gold + gold,
            "first character missing": gold[1:],
            "last character missing": gold[:-1],
            "one more": gold.replace(f"{n}", f"{n + 1}"),
            "words before": f"It is {gold}",
            "words behind": f"{gold} I think",
            "letter inserted": f"{gold[0]}o{gold[1:]}",
        }
        for name, text in same.items():
            cases.append(Case(Family.EQUIVALENT, name, row, thought(rng, inside=f"{n + 1}") + text))
        for name, text in different.items():
            cases.append(Case(Family.NEAR_MISS, name, row, thought(rng, inside=gold) + text))
    for number in range(TARGETS):
        rng = python_rng(seed, "adversarial", "exact", "attack", number)
        gold_number = rng.randint(10, 999)
        others = tuple(str(gold_number + step) for step in range(1, 7))
        target = Target(f"{gold_number}", others, "Which number is it?")
        cases += adversarial_cases("exact", target, rng)
    return cases

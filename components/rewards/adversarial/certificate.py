"""What the adversarial tests found out about one verifier, as a record that can be stored and put on models as tags."""

import hashlib
import json
from dataclasses import dataclass

from r1flow.components.rewards.adversarial.cases import Family, Kind

FLOORS: dict[Kind, float] = {
    "math": 1.0,
    "choice": 1.0,
    "exact": 1.0,
    "code": 1.0,
    "format": 1.0,
    "language_en": 1.0,
    "language_zh": 1.0,
}
"""The share of each family that must come out right. Below 1 a verifier teaches what its holes pay for."""


@dataclass(frozen=True)
class Failure:
    """A case that came out wrong; ``completion`` is shortened and printable, ``got`` a verdict or an error."""

    mutation: str
    gold: str
    completion: str
    expected: str
    got: str


@dataclass(frozen=True)
class FamilyResult:
    """``failed`` has the mutations with their number of failures; ``worst`` an example of each of the most frequent."""

    family: Family
    cases: int
    passed: int
    failed: tuple[tuple[str, int], ...]
    worst: tuple[Failure, ...]

    @property
    def share(self) -> float:
        """Passed cases among all; 0 where there is none."""
        return self.passed / self.cases if self.cases else 0.0


@dataclass(frozen=True)
class Certificate:
    """The results of one verifier on the cases that ``kind`` and ``seed`` make; ``cases_digest`` is theirs."""

    kind: Kind
    seed: int
    floor: float
    cases_digest: str
    families: tuple[FamilyResult, ...]

    @property
    def cases(self) -> int:
        """All cases together."""
        return sum(result.cases for result in self.families)

    @property
    def passed(self) -> bool:
        """Whether every family is at the floor or above."""
        return bool(self.families) and all(result.share >= self.floor for result in self.families)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of the cases and of what failed; the same again for the same behaviour."""
        found = [[result.family, result.cases, result.passed, result.failed] for result in self.families]
        text = json.dumps([self.kind, self.seed, self.floor, self.cases_digest, found])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def tags(self) -> dict[str, str]:
        """The certificate in short strings: ``certificate.math`` is ``passed`` or ``failed``; counts; the digest."""
        head = f"certificate.{self.kind}"
        shares = {f"{head}.{result.family}": f"{result.passed}/{result.cases}" for result in self.families}
        return {head: "passed" if self.passed else "failed", **shares, f"{head}.digest": self.digest}

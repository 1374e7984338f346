"""The graph of a recipe: what is computed, from what, in which order. Pure; read from the annotations of the settings."""

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.kinds import IMPLIED, STAGES, Kind, kind_of
from r1flow.components.recipe.references import Gives, Named, named_in, with_roles
from r1flow.components.recipe.stages import RlStage, SelectStage, Stage

if TYPE_CHECKING:
    from r1flow.components.recipe.recipe import Recipe

SUITES, REPORT = "suites", "report"
ADDRESS = re.compile(r"(?!evaluate/)[a-z_]+/[0-9a-f]{4,64}")
"""An artifact, as `r1 ls` prints it; the evaluation of a model that is called `cafe` is none."""
STRICT_FORMATS = ("think_answer", "think_answer_strict")
LANGUAGES = ("en", "zh")
RESERVED = frozenset(
    {"name", "preset", "description", "seed", "run", "models", "datasets", "stages", "suites", "evaluate", "promote"}
    | {"deviations", "certify", "report", "champion", "last"}
    | {
        "home",
        "store",
        "mlflow_uri",
        "experiment",
        "prefect_api_url",
        "slots",
        "prices",
        "power",
        "child_env",
        "sandbox",
    }
)
"""Names that ``--set``, the command line or an implied node take already."""


@dataclass(frozen=True)
class Node:
    """Something that is computed once. ``inputs``: by role the node, or the artifact's address, that it takes; ``after``: what
    must have succeeded before and is no input; ``subject``: the stage or model that an implied node is about."""

    name: str
    kind: Kind
    inputs: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    subject: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """The nodes that come before it."""
        return tuple(
            dict.fromkeys(name for name in (*self.inputs.values(), *self.after) if not ADDRESS.fullmatch(name))
        )

    @property
    def gives_model(self) -> bool:
        return "model" in self.kind.gives


@dataclass(frozen=True)
class Graph:
    """Nodes by name, each behind those that it needs."""

    nodes: Mapping[str, Node]
    promoted: tuple[str, ...] = ()

    def line(self, name: str) -> Iterator[str]:
        """The models that ``name`` was trained from, nearest first."""
        node = self.nodes.get(name)
        while node is not None and (before := node.inputs.get("model")) and before in self.nodes:
            yield before
            node = self.nodes[before]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """``names`` and whatever they need."""
        found, left = set[str](), list(names)
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self.nodes[name].needs
        return found

    def models(self) -> list[str]:
        """Start models and stages that give a model, in order."""
        return [name for name, node in self.nodes.items() if node.gives_model]

    def root(self, name: str) -> str:
        """The model that the training of ``name`` began with: an imported one, one that was pre-trained, or itself."""
        return [name, *self.line(name)][-1]

    def main_line(self) -> list[str]:
        """The models that the promoted ones were made from, in order; without a promotion all models. Of several start models
        what comes from the first promoted one's."""
        wanted = self.ancestors(self.promoted) if self.promoted else set(self.nodes)
        models = [name for name in self.models() if name in wanted]
        root = next((self.root(name) for name in (*self.promoted, *models)), "")
        return [name for name in models if self.root(name) == root]

    def rivals(self) -> list[tuple[str, str]]:
        """Pairs of trained models of one start model of which neither was made from the other."""
        trained = [name for name in self.models() if self.root(name) != name]
        made_from = {name: self.ancestors([name]) for name in trained}
        return [
            (one, other)
            for one, other in itertools.combinations(trained, 2)
            if self.root(one) == self.root(other) and one not in made_from[other] and other not in made_from[one]
        ]

    def only(self, names: Iterable[str]) -> "Graph":
        """``names`` with what they need, and the evaluations of those that are models; nothing is promoted.

        ConfigError for a name that no node has.
        """
        chosen = list(names)
        for name in chosen:
            if name not in self.nodes:
                raise ConfigError(f"there is no stage {name!r}; {_nearest(name, self.nodes)}")
        evaluations = [
            node.name
            for node in self.nodes.values()
            if node.name == f"evaluate/{node.subject}" and node.subject in chosen
        ]
        wanted = self.ancestors([*chosen, *evaluations])
        return Graph({name: node for name, node in self.nodes.items() if name in wanted})

    def urgency(self) -> dict[str, int]:
        """What goes first where several could: ancestors of what is promoted, then other training, then evaluations."""
        main = self.ancestors(self.promoted)
        return {
            name: (0 if name in main else 2 if node.kind is IMPLIED["evaluate"] else 1)
            for name, node in self.nodes.items()
        }


def graph_of(recipe: "Recipe") -> Graph:
    """Every node of a recipe, implied ones too.

    Raises ValueError naming the stage and field, and the nearest right name: an unknown name, a cycle, a part where another
    kind of part is due, two parts of one name, a reserved name, a promoted model that is not evaluated on its suite.
    """
    gives = _givers(recipe)
    nodes: dict[str, Node] = {}
    suites = {SUITES: SUITES} if recipe.suites else {}
    if recipe.suites:
        nodes[SUITES] = Node(SUITES, IMPLIED["suites"])
    for name in recipe.datasets:
        nodes[name] = Node(name, IMPLIED["curate"], suites)
    for name in recipe.models:
        nodes[name] = Node(name, IMPLIED["import"])
    stages: dict[str, Node] = {}
    for name, stage in recipe.stages.items():
        for reference in named_in(stage):
            _check(f"stages.{name}", reference, gives)
        stages[name] = Node(name, kind_of(stage), with_roles(stage)[1] | (suites if stage.kind == "pretrain" else {}))
    for name in _in_order(stages):
        for node in _with_implied(recipe, stages[name], recipe.stages[name], stages):
            nodes[node.name] = node
    evaluations = _evaluations(recipe, nodes, gives)
    nodes |= evaluations
    _check_promotions(recipe, nodes, gives)
    promoted = tuple(dict.fromkeys(promotion.model for promotion in recipe.promote.values()))
    if any(node.kind is not IMPLIED["curate"] and node.kind is not IMPLIED["suites"] for node in nodes.values()):
        nodes[REPORT] = Node(REPORT, IMPLIED["report"], after=tuple(nodes))
    return Graph(nodes, promoted)


def _givers(recipe: "Recipe") -> dict[str, tuple[Gives, ...]]:
    """What every named part gives."""
    found: dict[str, tuple[Gives, ...]] = {}
    sections: dict[str, str] = {}
    parts: list[tuple[str, str, tuple[Gives, ...]]] = [
        *(("models", name, ("model",)) for name in recipe.models),
        *(("datasets", name, (dataset.kind,)) for name, dataset in recipe.datasets.items()),
        *(("stages", name, kind_of(stage).gives) for name, stage in recipe.stages.items()),
    ]
    for section, name, given in parts:
        if name in RESERVED:
            raise ValueError(f"{section}.{name}: the name is reserved; call it otherwise")
        if name in found:
            raise ValueError(
                f"{section}.{name}: {sections[name]}.{name} has that name already; call one of the two otherwise"
            )
        found[name], sections[name] = given, section
    return found


def _check(owner: str, named: Named, gives: Mapping[str, tuple[Gives, ...]]) -> None:
    """ValueError where a reference does not name what it should."""
    wanted, name = named.reference.gives, named.name
    if named.reference.address and ADDRESS.fullmatch(name):
        return
    right = [other for other, given in gives.items() if set(given) & set(wanted)]
    due = " or ".join(wanted)
    if name not in gives:
        raise ValueError(f"{owner}.{named.field}: nothing is called {name!r}; {_nearest(name, right, due)}")
    if not set(gives[name]) & set(wanted):
        given = " and ".join(gives[name]) or "nothing that could be named"
        raise ValueError(
            f"{owner}.{named.field}: {name!r} gives {given}, and {due} is due; {_nearest(name, right, due)}"
        )


def _nearest(name: str, right: Iterable[str], due: str = "") -> str:
    known = list(right)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(known)}" if known else f"this recipe has no {due or 'stage'}"


def _in_order(stages: Mapping[str, Node]) -> list[str]:
    """Stages behind what they need, otherwise as they are written; ValueError for a cycle."""
    done: list[str] = []
    left = list(stages)
    while left:
        ready = next((n for n in left if all(need in done or need not in stages for need in stages[n].needs)), None)
        if ready is None:
            raise ValueError(
                f"stages.{left[0]}: {' -> '.join(_cycle(stages, left[0]))} is a cycle; no stage can come first"
            )
        done.append(ready)
        left.remove(ready)
    return done


def _cycle(stages: Mapping[str, Node], start: str) -> list[str]:
    path = [start]
    while True:
        name = next(need for need in stages[path[-1]].needs if need in stages)
        if name in path:
            return [*path[path.index(name) :], name]
        path.append(name)


def _with_implied(recipe: "Recipe", node: Node, stage: Stage, stages: Mapping[str, Node]) -> Iterator[Node]:
    """A stage's node behind those that it implies."""
    inputs = dict(node.inputs)
    if isinstance(stage, SelectStage) and (source := recipe.stages.get(stage.source)) is not None:
        asked = [named.name for named in named_in(source) if "problems" in named.reference.gives]
        if asked and "rollouts" in kind_of(source).gives:
            inputs["problems"] = asked[0]
    if not isinstance(stage, RlStage):
        yield replace(node, inputs=inputs)
        return
    for verifier in verifiers_of(recipe, node.name, stage):
        certificate = f"certify/{verifier}"
        yield Node(certificate, IMPLIED["certify"], subject=verifier)
        inputs[f"certificate.{verifier}"] = certificate
    gradient = Node(f"{node.name}/gradient", IMPLIED["gradient"], subject=node.name)
    yield gradient
    if stage.difficulty is not None and not stage.difficulty.rates:
        yield Node(f"{node.name}/rate", STAGES["rate"], {"model": stage.model, "data": stage.data}, subject=node.name)
        inputs["difficulty.rates"] = f"{node.name}/rate"
    yield replace(node, inputs=inputs, after=(gradient.name,))


def verifiers_of(recipe: "Recipe", name: str, stage: RlStage) -> list[str]:
    """What the rewards of an RL stage rest on, as certificates are named: verifiers, a strict format, a natural language."""
    dataset = recipe.datasets.get(stage.data)
    found: list[str] = [*(dataset.verifiers if dataset else ["exact"])]
    prompt, language = inherited(recipe, name, "prompt"), inherited(recipe, name, "language")
    if getattr(prompt, "format", "think_answer") in STRICT_FORMATS:
        found.append(getattr(prompt, "format", "think_answer"))
    target = getattr(language, "target", "en")
    if getattr(language, "other", None) is None and target in LANGUAGES:
        found.append(f"language_{target}")
    return found


def inherited(recipe: "Recipe", name: str, attribute: str) -> object:
    """A setting of a stage or model; where it has none, of the model it starts from; None where nobody has one."""
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        part = recipe.stages.get(name) or recipe.models.get(name)
        if (value := getattr(part, attribute, None)) is not None:
            return value
        name = getattr(part, "source", name) if isinstance(part, SelectStage) else getattr(part, "model", name)
    return None


def _evaluations(
    recipe: "Recipe", nodes: Mapping[str, Node], gives: Mapping[str, tuple[Gives, ...]]
) -> dict[str, Node]:
    """An evaluation of every model that is to be measured."""
    for named in named_in(recipe.evaluate):
        _check("evaluate", named, gives)
    for suite in recipe.evaluate.suites or ():
        if suite not in recipe.suites:
            raise ValueError(
                f"evaluate.suites: no suite is called {suite!r}; {_nearest(suite, recipe.suites, 'suite')}"
            )
    chosen = recipe.evaluate.models
    models = [name for name, node in nodes.items() if node.gives_model] if chosen is None else chosen
    if not recipe.suites or recipe.evaluate.suites == ():
        return {}
    return {
        f"evaluate/{model}": Node(
            f"evaluate/{model}", IMPLIED["evaluate"], {"model": model, "suites": SUITES}, subject=model
        )
        for model in models
    }


def _check_promotions(recipe: "Recipe", nodes: Mapping[str, Node], gives: Mapping[str, tuple[Gives, ...]]) -> None:
    for registered, promotion in recipe.promote.items():
        owner = f"promote.{registered}"
        for named in named_in(promotion):
            _check(owner, named, gives)
        measured = recipe.evaluate.suites if recipe.evaluate.suites is not None else tuple(recipe.suites)
        if promotion.suite not in measured:
            hint = _nearest(promotion.suite, measured, "suite that is evaluated")
            raise ValueError(f"{owner}.suite: no model is evaluated on {promotion.suite!r}; {hint}")
        if f"evaluate/{promotion.model}" not in nodes:
            raise ValueError(f"{owner}.model: {promotion.model} is not evaluated; add it to evaluate.models")

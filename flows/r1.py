"""The whole recipe: DeepSeek-R1, section 2, from a base model to a champion and its students."""

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from r1flow.components.programs.admission import admit_models
from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.cold_start import cold_start
from r1flow.flows.curate import curate
from r1flow.flows.distill import distill
from r1flow.flows.final import grpo2, sft2
from r1flow.flows.grpo import grpo
from r1flow.flows.promote import promote
from r1flow.flows.r1_zero import r1_zero
from r1flow.flows.reject import reject
from r1flow.flows.start import start_model, start_student
from r1flow.tasks.certify import certify
from r1flow.tasks.difficulty import difficulty_of
from r1flow.tasks.evaluate import evaluate_model
from r1flow.tasks.report import publish_report
from r1flow.tasks.session import Champion, StageOutcome, session
from r1flow.tasks.train import train_grpo


@flow(name="r1", flow_run_name="{recipe.preset}-{recipe.seed}", task_runner=ThreadPoolTaskRunner(max_workers=1))
def r1(recipe: Recipe) -> Champion:
    """Data to champion. Evaluations and the RL-only student run beside the main line, as far as lanes allow."""
    with session(recipe):
        admit_models(recipe)
        dataset = curate(recipe)
        certificates = certify(recipe)
        beside: list[PrefectFuture[StageOutcome]] = []

        def measure(model: StageOutcome) -> StageOutcome:
            beside.append(evaluate_model.submit(recipe, f"evaluate/{model.name}", model.ref, dataset.ref))
            return model

        base = measure(start_model(recipe))
        zero = measure(r1_zero(recipe, base, dataset))
        if recipe.student and recipe.student_rl:
            student = measure(start_student(recipe))
            rated = difficulty_of(recipe, "student_rl", recipe.student_rl, student.ref, dataset.ref)
            alone = train_grpo.submit(
                recipe, "student_rl", recipe.student_rl, student.ref, dataset.ref, certificates, rated
            )
        dev1 = measure(cold_start(recipe, zero))
        dev2 = measure(grpo(recipe, dev1))
        teaching = reject(recipe, dev2)
        dev3 = measure(sft2(recipe, teaching))
        if recipe.distill:
            measure(distill(recipe, teaching))
        final = measure(grpo2(recipe, dev3))
        if recipe.student and recipe.student_rl:
            measure(alone.result())

        evaluations = {outcome.name: outcome for outcome in (future.result() for future in beside)}
        champion = promote(recipe, final, evaluations[f"evaluate/{final.name}"])
        publish_report(recipe)
        return champion

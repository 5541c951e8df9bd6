"""The steps of a cycle by name, in the order in which they run."""

from miaod_nb.config import Config

NOT_A_TERM = ("cycle", "stage", "epoch", "step", "learning_rate", "images_per_s", "memory_mb")


def stage_names(config: Config, adversarial: bool) -> list[str]:
    """The training stages of a cycle: label_set, minimize_1, maximize_1, label_set_1, ...

    adversarial: whether images without labels are trained on too; else there is one stage.
    """
    if not adversarial:
        return ["label_set"]
    pair = ["minimize", "maximize"]
    if config.stage_order == "maximize_first":
        pair.reverse()
    rounds = range(1, config.rounds + 1)
    return ["label_set", *(f"{kind}_{r}" for r in rounds for kind in (*pair, "label_set"))]


def goes_on(config: Config, cycle: int, first_cycle: int = 0) -> bool:
    """Whether the training of a cycle begins with the detector of the cycle before. first_cycle:
    the first one that the run trains."""
    return config.start_from == "previous" and cycle > first_cycle


def step_names(stages: list[str], *, evaluates: bool, scores: bool, chooses: bool) -> list[str]:
    """The steps of a cycle with these stages: what there is to evaluate on, and what the strategy
    asks for, decide which others there are."""
    after = ["evaluate"] * evaluates + ["score"] * (scores and chooses) + ["select"] * chooses
    return ["split", *stages, *after]


def shown(name: str) -> str:
    """A step's name as it is written for people: label_set_1 is "label-set 1"."""
    return name.replace("label_set", "label-set").replace("_", " ")

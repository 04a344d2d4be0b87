"""A stage of a run: its module, the flag that switches it, and the ranks that run it."""

import importlib
from dataclasses import dataclass

from misc.machine import ranks
from misc.running.dataset import Dataset
from misc.running.plan import Plan
from misc.settings.config import Config


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        module: its module, which has `run(config)` and `plan(config, dataset)`.
        flag: the setting that switches it.
        once: whether only the first of several ranks runs it; else all do, sharing its images.
    """

    module: str
    flag: str
    once: bool = False

    @property
    def name(self) -> str:
        """Return the stage's name, the last part of its module's."""
        return self.module.rpartition(".")[2]

    def run(self, config: Config, dataset: Dataset) -> None:
        """Run the stage."""
        run = importlib.import_module(self.module).run
        if self.once:
            ranks.on_first(lambda: run(config, dataset))
        else:
            run(config, dataset)

    def plan(self, config: Config, dataset: Dataset) -> Plan:
        """Return what the stage will read and write."""
        plan: Plan = importlib.import_module(self.module).plan(config, dataset)
        return plan

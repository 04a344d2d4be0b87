"""The images and files that stages read and write in a run, from their descriptions."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from misc.files.cam_names import cam_names
from misc.files.dataset import Dataset
from misc.run.stage import Stage, supervised_path
from misc.settings.config import Config

# A folder, and names in it: paths of 120,000 images would take seconds a stage.
Files = tuple[Path, Sequence[str]]


class StageFiles:
    """What stages read and write in a run.

    Args:
        config: the settings.
        dataset: the data set.
        stages: all stages.
    """

    def __init__(self, config: Config, dataset: Dataset, stages: Sequence[Stage]) -> None:
        self.config, self.dataset = config, dataset
        self.values = vars(config)
        self.makers = {stage.writes: stage for stage in stages if stage.writes}
        self.split = cache(dataset.split)

    def lists(self, stage: Stage) -> list[str]:
        """Return the settings that name the lists whose images a stage reads in this run."""
        evaluates = self.config.runs_stage("eval_cam_pass")
        return [
            name
            for name in stage.lists
            if self.values[name] and (evaluates or name != "chainer_eval_set")
        ]

    def images(self, stage: Stage) -> list[str]:
        """Return the images that a stage reads, each once."""
        names = [self.values[name] for name in self.lists(stage)]
        return list(dict.fromkeys(i for name in names for i in self.split(name)))

    def ids(self, stage: Stage) -> list[str]:
        """Return the images of which it reads what other stages make, and of which it learns."""
        if stage.lists:
            return self.split(self.values[stage.lists[0]])
        ids = self.split(self.values[stage.measures])
        return self.with_truth(stage, ids) if self.dataset.may_lack_truth else ids

    def kinds(self, stage: Stage) -> tuple[str, ...]:
        """Return the kinds of ground truth that an image must have to be measured."""
        return stage.truth[:1] if self.dataset.may_lack_truth else stage.truth

    def with_truth(self, stage: Stage, ids: Sequence[str]) -> list[str]:
        """Return those of the images that have the ground truth that a stage reads."""
        return self.dataset.with_truth(ids, kinds=self.kinds(stage))

    def truth_lists(self, stage: Stage) -> list[str]:
        """Return the lists whose ground truth a stage reads; it learns from that of infer_list."""
        is_learnt = stage.supervised and "full" in self.config.supervision
        learnt = ["infer_list"] * (is_learnt and "infer_list" in stage.lists)
        return [*[stage.measures] * bool(stage.measures), *learnt]

    def truth(self, stage: Stage) -> list[str]:
        """Return the images whose ground truth a stage reads, each once."""
        lists = [self.split(self.values[name]) for name in self.truth_lists(stage)]
        return list(dict.fromkeys(i for ids in lists for i in self.with_truth(stage, ids)))

    def inputs(self, stage: Stage) -> list[tuple[str, Files]]:
        """Return what a stage reads that is made before: the setting and the files."""
        found = []
        for flag in stage.reads:
            if stage.supervised and flag.endswith("_out_dir"):
                source = "cam" if flag == "cam_out_dir" else "irn"
                if source not in self.config.supervision:
                    continue
            if flag == "pretrained" and self.config.pretrained in ("imagenet", "none"):
                if self.config.pretrained == "imagenet" or stage.writes == "cam_weights_name":
                    continue
                # From scratch, the other networks begin with the classification network's backbone.
                flag = "cam_weights_name"
            found.append((flag, self._files(flag, self.ids(stage))))
        return found

    def _files(self, flag: str, ids: Sequence[str]) -> Files:
        place, maker = Path(self.values[flag]), self.makers.get(flag)
        if flag == "cam_out_dir":
            return place, cam_names(place, ids)
        if maker is not None and maker.files:
            return place, [maker.files[0].replace("{}", image_id) for image_id in ids]
        names = self.config.supervision if maker is not None and maker.supervised else ["irn"]
        return place.parent, [supervised_path(str(place), name).name for name in names]

    def outputs(self, stage: Stage) -> list[Files]:
        """Return what a stage writes; of an image, its first file."""
        if not stage.writes or stage.writes == "coco_name":
            return []
        if not stage.files:
            return [self._files(stage.writes, [])]
        supervisions = self.config.supervision if stage.supervised else ["irn"]
        found: list[Files] = []
        for server in (False, True):
            lists = [n for n in self.lists(stage) if n.endswith("_server_list") == server]
            flag = stage.writes.replace("_out_dir", "_server_dir") if server else stage.writes
            ids = dict.fromkeys(i for name in lists for i in self.split(self.values[name]))
            names = [stage.files[0].replace("{}", image_id) for image_id in ids]
            if names:
                folders = [supervised_path(self.values[flag], name) for name in supervisions]
                found += [(folder, names) for folder in folders]
        return found

    def places(self, stage: Stage) -> list[Path]:
        """Return the folders and weights that a stage claims for its settings."""
        if stage.writes == "report_file":
            return []
        return [
            place
            for folder, names in self.outputs(stage)
            for place in ([folder] if stage.files else [folder / name for name in names])
        ]

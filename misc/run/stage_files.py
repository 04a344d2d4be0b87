"""The images and files that a stage reads and writes in a run, from its description."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property, partial
from pathlib import Path

from misc.files.dataset import Dataset
from misc.run.stage import Stage, all_stages, image_names, label_source_path, stage_writing
from misc.settings.config import Config

# A folder, and names in it: paths of 120,000 images would take seconds a stage.
Files = tuple[Path, Sequence[str]]


def chosen_stages(config: Config, dataset: Dataset) -> list["StageFiles"]:
    """Return what each stage of a run reads and writes, in their order."""
    split = cache(dataset.split)
    chosen = [stage for stage in all_stages() if config.runs_stage(stage.flag)]
    return [StageFiles(stage, config, dataset, split) for stage in chosen]


class StageFiles:
    """What a stage reads and writes in a run."""

    def __init__(
        self, stage: Stage, config: Config, dataset: Dataset, split: Callable[[str], list[str]]
    ) -> None:
        self.stage, self.config, self.dataset = stage, config, dataset
        self._split = split
        # Of the ground truth that an image must have to be measured.
        self.kinds = stage.truth[:1] if dataset.may_lack_truth else stage.truth

    @cached_property
    def lists(self) -> dict[str, list[str]]:
        """The images of each list that it reads, by the setting that names it."""
        evaluates = self.config.runs_stage("eval_cam_pass")
        return {
            flag: self._split(vars(self.config)[flag])
            for flag in self.stage.lists
            if vars(self.config)[flag] and (evaluates or flag != "chainer_eval_set")
        }

    @cached_property
    def truth_lists(self) -> dict[str, list[str]]:
        """The images of each list whose ground truth it reads; of infer_list it learns."""
        is_learnt = self.stage.supervised and "full" in self.config.supervision
        learnt = ["infer_list"] * (is_learnt and "infer_list" in self.stage.lists)
        flags = [*[self.stage.measures] * bool(self.stage.measures), *learnt]
        return {flag: self._split(vars(self.config)[flag]) for flag in flags}

    @cached_property
    def truth(self) -> dict[str, list[str]]:
        """Those images of each of these lists that have the ground truth."""
        with_truth = partial(self.dataset.with_truth, kinds=self.kinds)
        return {flag: with_truth(ids) for flag, ids in self.truth_lists.items()}

    @property
    def images(self) -> list[str]:
        """The images that it reads, each once."""
        return each_once(self.lists.values())

    @property
    def ids(self) -> list[str]:
        """The images of which it reads what other stages make, and of which it learns."""
        measured = self.truth if self.dataset.may_lack_truth else self.truth_lists
        return next(iter((self.lists or measured).values()), [])

    def inputs(self) -> list[tuple[str, Files]]:
        """Return what it reads that is made before: the setting and the files."""
        found: list[tuple[str, Files]] = []
        for flag in self.stage.reads_of(self.config):
            if self.stage.supervised and flag.endswith("_out_dir"):
                source = "cam" if flag == "cam_out_dir" else "irn"
                if source not in self.config.supervision:
                    continue
            if flag == "pretrained" and self.config.pretrained in ("imagenet", "none"):
                if self.config.pretrained == "imagenet" or self.stage.name == "train_cam":
                    continue
                # From scratch, the other networks begin with the classification network's backbone.
                flag = "cam_weights_name"
            place, maker = Path(vars(self.config)[flag]), stage_writing(flag)
            if maker is None:
                found.append((flag, (place.parent, [place.name])))
            elif maker.files:
                found.append((flag, (place, image_names(flag, place, self.ids))))
            else:
                found.append((flag, self._single_files(maker)))
        return found

    def outputs(self) -> Iterator[Files]:
        """Yield what it writes; of an image, its first file."""
        if not self.stage.writes or self.stage.writes == "coco_name":
            return
        if not self.stage.files:
            yield self._single_files(self.stage)
            return
        for is_server in (False, True):
            lists = [i for flag, i in self.lists.items() if ("_server_" in flag) == is_server]
            flag = self.stage.writes
            flag = flag.replace("_out_dir", "_server_dir") if is_server else flag
            names = [self.stage.files[0].replace("{}", i) for i in each_once(lists)]
            if names:
                for source in self.config.supervision if self.stage.supervised else ["irn"]:
                    yield label_source_path(vars(self.config)[flag], source), names

    def sources(self) -> list[Path]:
        """Return the folders and weights that it reads."""
        return [place for flag, files in self.inputs() for place in _places(flag, files)]

    def claims(self) -> list[Path]:
        """Return the folders and weights that it claims for its settings."""
        if self.stage.writes == "report_file":
            return []
        flag = self.stage.writes
        return [place for files in self.outputs() for place in _places(flag, files)]

    def _single_files(self, maker: Stage) -> Files:
        place = Path(vars(self.config)[maker.writes])
        sources = self.config.supervision if maker.supervised else ["irn"]
        return place.parent, [label_source_path(str(place), source).name for source in sources]


def each_once(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the images of lists, each once."""
    return list(dict.fromkeys(image_id for ids in lists for image_id in ids))


def _places(flag: str, files: Files) -> list[Path]:
    folder, names = files
    maker = stage_writing(flag)
    return [folder] if maker and maker.files else [folder / name for name in names]

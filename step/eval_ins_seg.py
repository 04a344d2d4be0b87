"""Evaluate instance labels: VOC's AP of masks (METHOD section 8)."""

from functools import partial

from misc.files.instance_files import load_instances
from misc.files.labels import INSTANCE_FILES
from misc.measuring.details import plain, write_details
from misc.measuring.evaluation import match_image, precision_measures
from misc.measuring.measures import record_measures
from misc.metrics import average_precision, average_precision_spread
from misc.running.dataset import Dataset
from misc.running.open_dataset import evaluated_truths
from misc.running.plan import Files, Plan, Truths, made_by
from misc.running.truths import measured, to_measure
from misc.running.workers import collect_images
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute AP at four thresholds, AP50's spread over orders, and the data set's own AP."""
    ids = measured(dataset, _truths(config, dataset), "eval_ins_seg")
    if not ids:
        return
    found = collect_images(
        ids,
        partial(match_image, dataset, config.ins_seg_out_dir),
        num_workers=config.num_workers,
        description="eval_ins_seg",
    )
    records, own = [record for record, _ in found], [matches for _, matches in found]
    num_classes = len(dataset.class_names)
    spread = average_precision_spread(records, num_classes=num_classes)
    record_measures(
        config,
        dataset,
        "eval_ins_seg",
        {
            **precision_measures(records, num_classes),
            "AP50 mean of 10 orders": spread["mean"],
            "AP50 deviation of 10 orders": spread["std"],
            **dataset.instance_measures(own),
        },
    )
    by_class = average_precision(records, (0.5,), num_classes=num_classes)[0]
    write_details(config, "eval_ins_seg", {"AP50": plain(by_class)})


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read."""
    truths = _truths(config, dataset)
    ids = to_measure(dataset, truths)
    files = Files.of_images(config.ins_seg_out_dir, INSTANCE_FILES[0], ids)
    need = made_by("ins_seg_out_dir", "make_ins_seg", files, load_instances)
    return Plan(truths=[truths], needs=[need])


def _truths(config: Config, dataset: Dataset) -> Truths:
    return evaluated_truths(config, dataset, ("instance",))

"""Evaluate instance labels: VOC's AP of masks (METHOD section 8)."""

from functools import partial

from misc.evaluate.details import plain, write_details
from misc.evaluate.evaluation import match_image, precision_measures
from misc.evaluate.measures import record_measures
from misc.files.dataset import Dataset
from misc.metrics import average_precision, average_precision_spread
from misc.run.open_dataset import evaluated_images
from misc.run.workers import collect_images
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute AP at four thresholds, AP50's spread over orders, and the data set's own AP."""
    ids = evaluated_images(config, dataset, ("instance",), stage="eval_ins_seg")
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

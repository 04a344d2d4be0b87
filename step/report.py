"""Write the report: one page of all results on disk, for any browser."""

import time
from pathlib import Path

from misc.evaluate.measures import read_details, read_seconds, read_since
from misc.files.dataset import Dataset
from misc.run.log import logger
from misc.run.stage import all_stages, label_source_path
from misc.settings.config import Config
from misc.view import charts, page, tables
from misc.view.gallery import PICTURES, gallery_from
from misc.view.label_section import label_section_from

CAUTION = (
    "Choosing a threshold by these curves is for analysis only: labels made with it would have "
    "used ground truth, not only image-level labels."
)


def run(config: Config, dataset: Dataset) -> None:
    """Write --report_file from the stages' results on disk."""
    stages = [stage.name for stage in all_stages() if config.applies(stage.flag)]
    seconds = read_seconds(f"{config.details_dir}/seconds.jsonl")
    measured = tables.measure_rows(read_since(config.metrics_file, 0), seconds, stages)
    head, *rows = tables.filled_columns(measured)  # without ground truth there are but seconds
    missing = [name for name in stages[:-1] if not any(name == row[0] for row in measured)]
    breakdowns = {stage: read_details(config.details_dir, stage) for stage in tables.STAGES}
    classes = tables.class_rows(dataset.class_names, breakdowns.values())

    thresholds: dict[str, bytes] = {}
    if curve := breakdowns["eval_cam"].get("thresholds"):
        thresholds |= charts.threshold_chart(curve)
    sweep = Path(config.sweep_dir, "sweep.svg")
    if sweep.is_file():
        thresholds[f"--sweep, as in {sweep.stem}.md"] = sweep.read_bytes()

    weights: dict[str, Path] = {}
    for stage in all_stages():
        if stage.name in stages and stage.name.startswith("train_"):
            for source in config.supervision if stage.supervised else ("irn",):
                title = stage.name if source == "irn" else f"{stage.name} ({source})"
                weights[title] = label_source_path(vars(config)[stage.writes], source)
    labels, warnings = label_section_from(config, dataset)
    articles = gallery_from(config, dataset)
    explained = page.html_table(("picture", "what it shows"), PICTURES)
    sections = {
        "Measures": page.html_table(head, rows)
        + page.paragraph("Seconds are those of a stage's longest run." if rows else "")
        + page.paragraph(f"No results yet: {', '.join(missing)}." if missing else ""),
        "Labels": labels,
        "Gallery": "\n".join([explained, *articles]),
        "Thresholds": page.paragraph(CAUTION) + page.figures(thresholds) if thresholds else "",
        "Training": page.figures(charts.training_charts(weights)),
        "Classes": page.html_table(classes[0], classes[1:]) if classes else "",
    }
    about = f"preset {config.preset}, evaluated on {config.chainer_eval_set}"
    subtitle = f"{about}; written {time.strftime('%Y-%m-%d %H:%M')}"
    report = Path(config.report_file)
    page.write_page(report, "IRNet: report of a run", subtitle, sections)
    logger.info("%s: %d images, %.1f MB", report, len(articles), report.stat().st_size / 1e6)
    for warning in warnings:
        logger.warning("%s", warning)

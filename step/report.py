"""Write the report: one page of all results on disk, for any browser."""

import time

from misc.files.atomic import write_bytes
from misc.files.dataset import Dataset
from misc.run.log import logger
from misc.settings.config import Config
from misc.view import charts, page
from misc.view.gallery import draw_images
from misc.view.run_facts import changed_settings, measure_rows
from step import STAGES

CAUTION = (
    "Choosing a threshold by these curves is for analysis only: labels made with it would have "
    "used ground truth, not only image-level labels."
)


def run(config: Config, dataset: Dataset) -> None:
    """Write --report_file from the stages' results on disk."""
    images = draw_images(config, dataset)
    stages = [stage.name for stage in STAGES]
    rows = measure_rows(config, stages)
    missing = [name for name in stages[:-1] if not any(name == row[0] for row in rows)]
    thresholds = page.figures(charts.threshold_charts(config))
    sections = {
        "Measures": page.html_table(
            ("stage", "seconds", "measure", "split", "value", "published"), rows
        )
        + page.note("Seconds are those of a stage's longest run.")
        + page.note(f"No results yet: {', '.join(missing)}." if missing else ""),
        "Gallery": page.gallery(
            "The images are the worst and the best by IoU, then others to show every class."
        ),
        "Settings": page.html_table(
            ("flag", "preset", "this run", "stages"), changed_settings(config)
        ),
        "Thresholds": page.note(CAUTION) + thresholds if thresholds else "",
        "Training": page.figures(charts.training_charts(config)),
        "Classes": page.figures(charts.class_charts(config, dataset)),
    }
    about = f"preset {config.preset}, evaluated on {config.chainer_eval_set}"
    subtitle = f"{about}; written {time.strftime('%Y-%m-%d %H:%M')}"
    content = page.fill_page("IRNet: report of a run", subtitle, sections, images)
    write_bytes(config.report_file, content)
    logger.info("%s: %d images, %.1f MB", config.report_file, len(images), len(content) / 1e6)

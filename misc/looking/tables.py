"""The tables of all measures: pseudo labels with published figures, networks with bounds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from misc.measuring.measures import table

LABEL_STAGES = {
    "eval_cam": "CAMs",
    "eval_ins_seg": "instance labels",
    "eval_sem_seg": "semantic labels",
}
NETWORK_STAGES = {"eval_mask_rcnn": "Mask R-CNN", "eval_deeplab": "DeepLab"}

Line = Mapping[str, Any]


def make_tables(lines: Iterable[Line]) -> str:
    """Format measures as Markdown; of a repeated measure the last one counts.

    Args:
        lines: of the metrics file: stage, split, supervision, measure, value, published.
    """
    last: dict[tuple[str, str, str, str], Line] = {}
    for line in lines:
        last[_key(line, line.get("supervision", "irn"))] = line
    parts = []
    labels = [line for line in last.values() if line["stage"] in LABEL_STAGES]
    if labels:
        parts += ["## Pseudo labels", label_table(labels)]
    if any(line["stage"] in NETWORK_STAGES for line in last.values()):
        parts += [
            "## Networks trained on the labels",
            "Trained on the CAMs' own components (the lower bound), on IRNet's labels, and on "
            "ground truth (the upper bound); measured on the split that is named.",
            network_table(last),
        ]
    return "\n\n".join(["# Measures", *parts]) + "\n"


def label_table(lines: Sequence[Line]) -> str:
    """Tabulate each measure of the pseudo labels with the published one."""
    rows: list[Sequence[str]] = [("labels", "split", "measure", "ours", "published", "difference")]
    for line in sorted(lines, key=lambda line: list(LABEL_STAGES).index(line["stage"])):
        published = line.get("published")
        rows.append(
            (
                LABEL_STAGES[line["stage"]],
                line["split"],
                line["measure"],
                f"{line['value']:.3f}",
                _number(published),
                "" if published is None else f"{line['value'] - published:+.3f}",
            )
        )
    return table(rows)


def network_table(last: Mapping[tuple[str, str, str, str], Line]) -> str:
    """Tabulate each measure of a network with its bounds, and its percentage of the upper one."""
    rows: list[Sequence[str]] = [
        (
            "network",
            "split",
            "measure",
            "CAM",
            "IRNet",
            "ground truth",
            "IRNet / truth",
            "published",
        )
    ]
    wanted = {_key(line, ""): line for line in last.values() if line["stage"] in NETWORK_STAGES}
    for stage, split, measure, _ in wanted:
        cam, irn, full = (last.get((stage, split, measure, n)) for n in ("cam", "irn", "full"))
        share = f"{irn['value'] / full['value']:.0%}" if irn and full and full["value"] else ""
        values = [_number(line["value"] if line else None) for line in (cam, irn, full)]
        published = _number(irn.get("published") if irn else None)
        rows.append((NETWORK_STAGES[stage], split, measure, *values, share, published))
    return table(rows)


def _key(line: Line, supervision: str) -> tuple[str, str, str, str]:
    return (line["stage"], line["split"], line["measure"], supervision)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"

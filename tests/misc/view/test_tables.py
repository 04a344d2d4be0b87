import csv
import io

from misc.view.tables import as_csv, latex, make_tables, markdown


def line(stage, measure, value, *, split="train", supervision="irn", published=None):
    return {
        "stage": stage,
        "split": split,
        "supervision": supervision,
        "measure": measure,
        "value": value,
        "published": published,
    }


def cells(text, start):
    (row,) = [row for row in text.splitlines() if row.startswith(start)]
    return [cell.strip() for cell in row.split("|")[1:-1]]


def test_a_label_stands_beside_the_published_figure():
    text = markdown(make_tables([line("eval_sem_seg", "mIoU", 0.67, published=0.665)]))
    assert cells(text, "| semantic") == [
        "semantic labels",
        "train",
        "mIoU",
        "0.670",
        "0.665",
        "+0.005",
    ]


def test_a_network_stands_between_its_bounds():
    values = {"cam": 0.2, "irn": 0.3, "full": 0.4}
    lines = [
        line("eval_mask_rcnn", "AP50", v, split="val", supervision=s, published=None)
        for s, v in values.items()
    ]
    assert cells(markdown(make_tables(lines)), "| Mask R-CNN")[3:7] == [
        "0.200",
        "0.300",
        "0.400",
        "75%",
    ]


def test_a_measure_without_a_value_is_a_dash():
    nan = float("nan")
    text = markdown(make_tables([line("eval_ins_seg", "AP50", nan, published=0.4)]))
    assert cells(text, "| instance")[3:] == ["–", "0.400", ""]
    lines = [line("eval_deeplab", "mIoU", nan, supervision=name) for name in ("irn", "full")]
    assert cells(markdown(make_tables(lines)), "| DeepLab")[3:7] == ["", "–", "–", ""]


def test_measures_come_as_csv_and_latex():
    lines = [line("eval_sem_seg", "mIoU", value, split=r"~\a^{b}[:8]") for value in (0.5, 2 / 3)]
    lines += [line("eval_deeplab", "mIoU", 0.4, supervision=s) for s in ("irn", "full")]
    found = list(csv.DictReader(io.StringIO(as_csv(lines))))
    assert [row["supervision"] for row in found] == ["irn", "irn", "full"]
    assert float(found[0]["value"]) == 2 / 3
    text = latex(make_tables(lines))
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == 2
    split = r"\textasciitilde{}\textbackslash{}a\textasciicircum{}\{b\}[:8]"
    assert rf"semantic labels & {split} & mIoU & 0.667 &  &  \\" in text
    assert r"100\%" in text

"""Every form of labels is read as the same, and what is wrong in one is named in one line."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_tree import NAMES, TAGS, make_photos, write_csv

from folder import Dataset

VECTORS = {name: [float(c in found) for c in NAMES] for name, found in TAGS.items()}
COCO = {
    "images": [{"id": n, "file_name": name} for n, name in enumerate(TAGS, 7)],
    "categories": [{"id": 3 * n, "name": name} for n, name in enumerate(NAMES, 1)],
    "annotations": [
        {"id": 100 * n + c, "image_id": n, "category_id": 3 * (NAMES.index(name) + 1)}
        for n, classes in enumerate(TAGS.values(), 7)
        for c, name in enumerate([*classes, *classes])
    ],
}


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos")


def table(ending="\n", join=",", quote='"', header=(), bom="", slash="/"):
    rows = [",".join(header)] if header else []
    for name, classes in TAGS.items():
        path = name.replace("/", slash)
        rows.append(f"{quote}{path}{quote}{join}{quote}{'; '.join(classes)}{quote}")
    return (bom + ending.join([*rows, ""])).encode()


def columns(join=", ", header="filename", zero="0", one="1"):
    rows = [[header, *NAMES]]
    rows += [[name, *(one if c in found else zero for c in NAMES)] for name, found in TAGS.items()]
    return "\n".join(map(join.join, rows)).encode()


def array(value):
    return lambda path: np.save(path, value, allow_pickle=True)


def dumped(content):
    return json.dumps(content).encode()


def one_each(ending, content):
    """Give what writes a folder with a file for each image, where its image lies."""

    def write(path):
        for name, classes in TAGS.items():
            file = path / f"{name.rpartition('.')[0]}{ending}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content(name.rpartition("/")[2], classes))

    return write


def voc(name, classes):
    objects = "".join(f"<object><name>{c}</name></object>" for c in [*classes, *classes])
    return f"<annotation><filename>{name}</filename>{objects}</annotation>"


def labelme(name, classes):
    return json.dumps({"shapes": [{"label": c} for c in classes], "imagePath": name, "flags": {}})


def yolo(_, classes):
    return "".join(f"{NAMES.index(c)} 0.5 0.5 0.1 0.1\n" for c in classes)


def boxes(classes):
    return [{"x": 1, "rectanglelabels": [c], "original_width": 9} for c in classes]


def task(number, name, classes):
    results = [
        {"from_name": "label", "type": "rectanglelabels", "value": b} for b in boxes(classes)
    ]
    url = (
        f"/data/upload/1/{number:08x}-{name}" if "/" not in name else f"/data/local-files/?d={name}"
    )
    return {
        "id": number,
        "data": {"image": url.replace(" ", "%20")},
        "annotations": [{"result": results}, {"was_cancelled": True, "result": [{"value": "x"}]}],
    }


def shortened(full):
    classes = [box["value"] for box in full["annotations"][0]["result"]]
    return {"id": 1, "image": full["data"]["image"], "label": classes, "created_at": "2024-01-01"}


def region(name):
    return {"shape_attributes": {"name": "rect"}, "region_attributes": {"kind": name}}


TASKS = [task(n, name, classes) for n, (name, classes) in enumerate(TAGS.items())]
VIA = {
    f"{name}12": {
        "filename": name,
        "regions": [region(c) for c in classes],
        "file_attributes": {"caption": "", "public_domain": "no"},
    }
    for name, classes in TAGS.items()
}
CVAT = "".join(
    f'<image id="{n}" name="{name}">{"".join(f"<box label={c!r}/>" for c in classes)}</image>'
    for n, (name, classes) in enumerate(TAGS.items())
)
RECORDS = [{"file_name": name, "labels": classes} for name, classes in TAGS.items()]


def lines(row, *head):
    return "\n".join([*head, *(row(*item) for item in TAGS.items())]).encode()


FORMS = {
    "quoted.csv": table(),
    "excel.csv": table(ending="\r\n", header=("Path", "Classes"), bom="\ufeff"),
    "windows.csv": table(slash="\\"),
    "tabs.csv": table(join="\t"),
    "spaces.csv": table(quote="", join=" , "),
    "europe.csv": table(join=";", header=("path;classes",), ending="\r\n", bom="\ufeff"),
    "columns.csv": columns(),
    "columns of a spreadsheet.csv": columns(join=";", header="Bild"),
    "columns of a data frame.csv": columns(join=",", zero="0.0", one="1.0"),
    "columns below no heading.csv": columns().partition(b"\n")[2],
    "utf-16.csv": table(join="\t").decode().encode("utf-16"),
    "sep.csv": b"sep=;\n" + table(join=";"),
    "pipes.csv": lines(lambda name, found: f"{name},{'|'.join(found)}"),
    "commas in a cell.csv": lines(lambda name, found: f'"{name}","{",".join(found)}"'),
    "lists.csv": lines(lambda name, found: f'{name},"{found}"'),
    "spaces.txt": lines(lambda name, found: f"{name} {' '.join(found)}"),
    "numbers.txt": lines(
        lambda name, found: " ".join([name, *(str(NAMES.index(c)) for c in found)])
    ),
    "more columns.csv": lines(
        lambda name, found: f"0,{name},{'|'.join(found)},640,train", ",image,Finding Labels,width,"
    ),
    "truths.csv": columns(zero="False", one="True"),
    "own.csv": table().replace(b'"field', b'"photos/field'),
    "lists.json": json.dumps(TAGS).encode(),
    "coco.json": json.dumps(COCO).encode(),
    "label studio.json": dumped(TASKS),
    "label studio min.json": dumped(list(map(shortened, TASKS))),
    "label studio.csv": lines(
        lambda name, found: f'1,"{json.dumps(boxes(found)).replace(chr(34), chr(34) * 2)}",{name}',
        "annotation_id,label,image",
    ),
    "via.json": dumped(VIA),
    "via project.json": dumped({"_via_settings": {}, "_via_img_metadata": VIA}),
    "cvat.xml": f"<annotations>{CVAT}</annotations>".encode(),
    "records.json": dumped(RECORDS),
    "records.jsonl": b"\n".join(map(dumped, RECORDS)),
    "labelme": one_each(".json", labelme),
    "voc": one_each(".xml", voc),
    "yolo": one_each(".txt", yolo),
    "arrays.npy": array(np.array({n: np.array(v, np.float32) for n, v in VECTORS.items()}, object)),
    "tensors.npy": array(np.array({n: torch.tensor(v) for n, v in VECTORS.items()}, object)),
    "rows.npy": array(np.array([VECTORS[name] for name in sorted(VECTORS)], np.uint8)),
}


def opened(photos, form, *, names=()):
    path = photos.parent / form
    content = FORMS[form]
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    listed = None
    if names:
        listed = photos.parent / "names.txt"
        listed.write_text("\ufeff" + "\n\n".join(names) + "\n")
    return Dataset(photos, labels=path, class_names=listed)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_labels(photos, form):
    needs_names = (".npy", "no heading.csv", "yolo", "numbers.txt", "in a cell.csv", "spaces.txt")
    data = opened(photos, form, names=NAMES if form.endswith(needs_names) else ())
    assert list(data.class_names) == NAMES
    assert {data.file_name(i): rows(data, [i])[0] for i in data.split("all")} == VECTORS


def test_a_line_for_each_image_and_class_adds_up(photos, caplog):
    caplog.set_level("INFO")
    labels = photos.parent / "t.csv"
    pairs = [(name, c) for name, found in TAGS.items() for c in [*found, *found]]
    labels.write_text("ImageID,LabelName\n" + "".join(f"{path},{c}\n" for path, c in pairs))
    data = Dataset(photos, labels=labels)
    expected = {name: vector for name, vector in VECTORS.items() if TAGS[name]}
    assert {data.file_name(i): rows(data, [i])[0] for i in data.split("all")} == expected
    assert "t.csv: a line for each class, 12 of 4 images" in caplog.text


def rows(data, ids):
    return data.image_labels(ids).tolist()


def test_columns_without_names_are_numbered(photos):
    assert opened(photos, "rows.npy").class_names == ("0", "1", "2")


def test_a_comma_in_quotes_is_none_between_columns(photos):
    (photos.parent / "t.csv").write_bytes(b'"top.bmp";"a, b;c"\n')
    assert Dataset(photos, labels=photos.parent / "t.csv").class_names == ("a, b", "c")


def test_an_unknown_heading_is_told(photos, caplog):
    caplog.set_level("INFO")
    labels = photos.parent / "t.csv"
    labels.write_bytes(b"Bild,Klassen\n" + table())
    assert list(Dataset(photos, labels=labels).class_names) == NAMES
    assert "line 1 is read as headings: Bild, Klassen" in caplog.text


def test_labels_of_missing_images_are_counted_or_refused(photos, caplog):
    labels = write_csv(photos.parent / "t.csv", TAGS | {"elsewhere/a.jpg": ["zebra"]})
    data = Dataset(photos, labels=labels)
    assert (len(data.split("all")), list(data.class_names)) == (5, NAMES)
    assert "1 of 6 images are missing, the first is 'elsewhere/a.jpg'" in caplog.text
    with pytest.raises(FileNotFoundError, match="1 of 6 images are missing"):
        Dataset(photos, labels=labels, strict_labels=True).split("all")


def test_numbers_of_classes_are_no_names_of_images(tmp_path):
    make_photos(tmp_path / "p", ["001.jpg", "002.jpg"])
    (tmp_path / "t.csv").write_text("path,class\na.jpg,1\nb.jpg,2\n")
    with pytest.raises(FileNotFoundError, match="2 of 2 images are missing"):
        Dataset(tmp_path / "p", labels=tmp_path / "t.csv").split("all")


def test_a_name_in_another_folder_is_no_second_label(photos, caplog):
    labels = write_csv(photos.parent / "t.csv", TAGS | {"elsewhere/top.bmp": ["car"]})
    assert rows(Dataset(photos, labels=labels), ["top"]) == [[0, 0, 0]]
    assert "1 of 6 images are missing, the first is 'elsewhere/top.bmp'" in caplog.text


def of_text(photos, lines, names):
    """Open photographs of which top, one and b are known by these names, with a table and names."""
    make_photos(photos, ["b.png"])
    (photos / "street/one.jpg").unlink()
    (photos.parent / "t.txt").write_text(lines)
    (photos.parent / "names.txt").write_text(names.replace(",", "\n"))
    listed = photos.parent / "names.txt" if names else None
    return Dataset(photos, labels=photos.parent / "t.txt", class_names=listed)


@pytest.mark.parametrize(
    ("lines", "names", "words"),
    [
        ("top,cat dog\none,cat", "", "line 1: 'cat dog' may be one class or 2; for 2, write cl"),
        ('top,"cat, dog"\nb,', "", "line 1: 'cat, dog' may be one class or 2"),
        (
            "top,traffic light\nb,",
            "traffic,light,traffic light",
            "'traffic light' may be one class",
        ),
        (
            "top,2;3",
            "a,b,c,d,e",
            "the numbers 2 to 3 for classes, and --class_names has 5; from 0 to 4",
        ),
        ("top,0;5", "a,b,c,d,e", "numbers 0 to 5 for classes, and --class_names has 5"),
        ("top 0 1\none 1 0", "a,b", "'0 1' may be two columns of 0 and 1, or the classes 0 and 1"),
        ("id,kind,site\ntop,car,x\nb,cow,y", "", "'kind', 'site' may each hold the classes"),
        ("id,label,confidence\ntop,car,1\nb,cow,0", "", "line 3: the column 'confidence' has"),
        ("id,label,votes\ntop,car,3\ntop,cow,0", "", "line 2: the column 'votes' has '3'"),
        ("id,label,label.1\ntop,car,\nb,cow,car", "", "'label', 'label.1' may each hold the"),
        ("top,0\nb,2", "0: car\n2: cow", "'0: car' and all others have numbers, which do not"),
        (
            "id,crack\ntop,1\nb,0",
            "",
            "line 2: the column 'crack' has 0 and 1: for one class 'crack'",
        ),
        ("top,car;cow\nb,car|cow", "", "line 2: 'car|cow' has '|', and other cells have ';'"),
        ("top.bmp;car\nfield/one.jpg,cow", "", "line 1: cells are not separated by commas"),
        ("id,label,present\ntop,car,1\ntop,cow,0", "", "line 3: the column 'present' has '0'"),
        ("id,label,width\ntop,car,6\nb,car,cow,6", "", "line 3: 4 cells, and 3 headings"),
        ("id,label,split\ntop,car,train\nb,cow,", "", "line 3: 'split' is '' for 'b'"),
        ("id,car,split\ntop,1,train\ntop,1,val", "", "line 3: 'split' is 'val' for 'top'"),
        ("id,car,cow,site\ntop,1,0,4\nb,0,1,2", "", "'car', 'cow' hold 0 and 1, 'site' do not"),
        ("id,car,cow\ntop,1,0\nb,-1,1", "", "its columns have -1 beside 0 and 1"),
        ("id,car,cow\ntop,1,0\nb,,1", "", "line 3: '' in place of 2 columns of 0"),
        (
            "3\ncar cow person\ntop -1 1 -1\nb -1 -1 1",
            "",
            "line 2: 3 columns of 0 and 1, and there is",
        ),
    ],
)
def test_what_has_two_readings_is_refused(photos, lines, names, words):
    with pytest.raises(ValueError, match=words):
        of_text(photos, lines, names).split("all")


@pytest.mark.parametrize(
    ("lines", "names", "classes"),
    [
        ("top,cat dog\none,cat", "cat,dog", ["cat", "dog"]),
        ("top,cat dog\none,cat", "cat,cat dog", ["cat dog"]),
        ("top,traffic light\nb,", "", ["traffic light"]),
        ("top,cat dog\none,cat\nb,dog", "", ["cat", "dog"]),
        ("top,1;5", "a,b,c,d,e", ["a", "e"]),
        ("top,0;4", "a,b,c,d,e", ["a", "e"]),
        ("name,kind,site\ntop,car,x", "car,cow", ["car"]),
        (",path,car,cow\n0,top,1,0\n1,b,0,1", "", ["car"]),
        ("filename,width,class\ntop.bmp,6,car\ntop.bmp,6,cow", "", ["car", "cow"]),
        ("id,car,cow\ntop,1,-1\nb,-1,1", "", ["car"]),
        ("id,fold,car,cow\ntop,4,1,0\nb,3,0,1", "car,cow", ["car"]),
        ("id,fold,car,cow\ntop,1,1,0\nb,0,0,1", "", ["car"]),
        ("path,class\ntop,car\ntop,cow\nb,", "", ["car", "cow"]),
        ("path,label,crowd\ntop,1,0\nb,0,1", "car,cow", ["cow"]),
    ],
)
def test_what_has_one_reading_is_read(photos, lines, names, classes):
    data = of_text(photos, lines, names)
    assert [data.class_names[c] for c in data.classes("top")] == classes


def test_a_number_of_the_line_is_no_name_of_an_image(tmp_path):
    make_photos(tmp_path / "p", ["0.jpg", "1.jpg"])
    (tmp_path / "t.csv").write_text("nr,image_id,class\n1,0,car\n0,1,cow\n")
    data = Dataset(tmp_path / "p", labels=tmp_path / "t.csv")
    assert rows(data, ["0", "1"]) == [[1, 0], [0, 1]]
    (tmp_path / "t.csv").write_text("nr,number,class\n1,0,car\n0,1,cow\n")
    with pytest.raises(ValueError, match="the columns 'nr', 'number' may each hold the images"):
        Dataset(tmp_path / "p", labels=tmp_path / "t.csv").split("all")


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ("fname,labels,is_valid\ntop,car,False\nstreet/one.jpg,cow,True\nb,cow,False", "val"),
        ("fname,cow,car,is_test\ntop,0,1,0\nstreet/one.jpg,1,0,1\nb,1,1,0", "test"),
        ("fname,labels,is_training_image\ntop,car,1\nstreet/one.jpg,cow,0\nb,cow,1", "test"),
    ],
)
def test_a_column_says_which_images_are_val_or_test(photos, table, part):
    make_photos(photos, ["b.png"])
    (photos.parent / "t.csv").write_text(table)
    data = Dataset(photos, labels=photos.parent / "t.csv")
    assert data.split(part) == ["street_one"]
    assert sorted(data.class_names) == ["car", "cow"]


def test_columns_beside_that_of_the_classes_are_told(photos, caplog):
    caplog.set_level("INFO")
    (photos.parent / "t.csv").write_text("path,label,site\ntop,car,north\n")
    assert Dataset(photos, labels=photos.parent / "t.csv").class_names == ("car",)
    assert "t.csv: the classes are in 'label', not in 'site'" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "names", "words"),
    [
        ("t.json", [{"a": "b.png", "b": "top.bmp", "label": "car"}], "", "may each hold"),
        ("t.json", {"top": [0, 1], "b": [1, 1]}, "car,cow", "may be columns of classes, or"),
        ("t.json", [{"path": "top.bmp", "tags": [{"tagName": "car"}]}], "car", "0: 'tags' is nei"),
        (
            "t.json",
            [
                {"path": "top.bmp", "tags": ["car"]},
                {"path": "b.png", "tags": [{"label": "car", "score": 0.1}]},
            ],
            "",
            "entry 1: 'tags' is neither a name of a class, nor a list of names, nor objects with",
        ),
        (
            "t.json",
            {"b": {"filename": "b.png", "regions": [{"region_attributes": {"kind": 1}}]}},
            "car,cow",
            "b.png: 'kind' is neither",
        ),
        ("l/top.json", json.loads(labelme("b.png", ["car"])), "", "is called as another image is"),
    ],
)
def test_what_may_be_of_another_image_or_class_is_refused(photos, name, content, names, words):
    of_text(photos, "", names)
    path = photos.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    listed = photos.parent / "names.txt" if names else None
    labels = path.parent if name.startswith("l/") else path
    with pytest.raises(ValueError, match=words):
        Dataset(photos, labels=labels, class_names=listed).split("all")


def test_an_id_in_an_entry_is_no_name_of_another_image(tmp_path):
    make_photos(tmp_path / "p", ["0.jpg", "1.jpg"])
    entries = [{"id": "1", "file_name": "0.jpg", "label": 0}, {"id": "0", "file_name": "1.jpg"}]
    (tmp_path / "t.json").write_text(json.dumps(entries))
    (tmp_path / "names.txt").write_text("car\ncow")
    data = Dataset(tmp_path / "p", labels=tmp_path / "t.json", class_names=tmp_path / "names.txt")
    assert rows(data, ["0", "1"]) == [[1, 0], [0, 0]]


def result(control, kind, *names):
    return {"from_name": control, "type": kind, "value": {kind: list(names)}}


def test_boxes_and_polygons_of_label_studio_count_whatever_they_are_called(photos):
    found = [result("poly", "polygonlabels", "cow"), result("label", "rectanglelabels", "car")]
    tasks = [{"id": 1, "data": {"image": "top.bmp"}, "annotations": [{"result": found}]}]
    (photos.parent / "t.json").write_text(json.dumps(tasks))
    data = Dataset(photos, labels=photos.parent / "t.json")
    assert [data.class_names[c] for c in data.classes("top")] == ["car", "cow"]
    tasks[0]["annotations"] = [{"result": [result("kinds", "taxonomy", ["animal", "cow"])]}]
    (photos.parent / "t.json").write_text(json.dumps(tasks))
    assert Dataset(photos, labels=photos.parent / "t.json").class_names == ("cow",)


def test_lines_of_dota_are_no_lines_of_yolo(photos):
    (photos.parent / "names.txt").write_text("car\ncow\nperson")
    (photos.parent / "l").mkdir()
    (photos.parent / "l/top.txt").write_text("2 5 13 5 13 17 4 17 car 0")
    data = Dataset(photos, labels=photos.parent / "l", class_names=photos.parent / "names.txt")
    with pytest.raises(ValueError, match="is no class number and box of YOLO"):
        data.split("all")


def test_two_files_count_their_classes_from_the_same_number(photos):
    (photos.parent / "names.txt").write_text("car\ncow\nperson")
    first, second = photos.parent / "train.txt", photos.parent / "val.txt"
    first.write_text("top.bmp 0 2\nstreet/one.jpg 1")
    second.write_text("street/two.png 1\nfield/one.jpg 2")
    options = {"labels": f"{first},{second}", "class_names": photos.parent / "names.txt"}
    assert Dataset(photos, **options).classes("street_two") == [1]
    second.write_text("street/two.png 1 3\nfield/one.jpg 2")
    with pytest.raises(
        ValueError, match=r"train.txt has the numbers 0 to 2, .*val.txt has .* 1 to 3"
    ):
        Dataset(photos, **options).split("all")


def test_a_list_of_labels_in_an_xml_is_named_where_a_class_is_not_in_it(photos):
    names = "<labels><label><name>car</name></label></labels>"
    image = '<image id="1" name="top.bmp"><tag label="truck"/></image>'
    (photos.parent / "t.xml").write_text(f"<annotations>{names}{image}</annotations>")
    with pytest.raises(
        ValueError, match=r"'truck' of 'top.bmp', accepted are the 1 of the list in"
    ):
        Dataset(photos, labels=photos.parent / "t.xml").split("all")


def test_columns_of_0_and_1_in_a_list_of_objects_are_those_of_a_table(photos):
    items = [{"path": name, **dict(zip(NAMES, v, strict=True))} for name, v in VECTORS.items()]
    (photos.parent / "t.json").write_text(json.dumps(items))
    data = Dataset(photos, labels=photos.parent / "t.json")
    assert {data.file_name(i): rows(data, [i])[0] for i in data.split("all")} == VECTORS


def test_paths_of_photographs_are_no_classes(photos):
    (photos.parent / "t.txt").write_text("top.bmp annot/t1.png\nstreet/one.jpg annot/t2.png")
    with pytest.raises(ValueError, match="would be a class, and is called as a photograph"):
        Dataset(photos, labels=photos.parent / "t.txt").split("all")


@pytest.mark.parametrize(
    "content",
    [
        "# label:color_rgb:parts:actions\nperson:1,2,3::\nbackground:0,0,0::\ncow:9,0,0:a,b:\n",
        "0 background\n1 person\n2 cow\n",
        "0: person\n1: cow\n",
    ],
)
def test_class_names_are_read_without_their_numbers_and_colours(photos, content):
    (photos.parent / "names.txt").write_text(content)
    labels = write_csv(photos.parent / "t.csv", {"top.bmp": ["cow"]})
    data = Dataset(photos, labels=labels, class_names=photos.parent / "names.txt")
    assert data.class_names == ("person", "cow")


def test_class_names_in_a_yaml_are_refused(photos):
    (photos.parent / "data.yaml").write_text("names: [car, cow]")
    with pytest.raises(ValueError, match=r"data.yaml: no text file"):
        Dataset(photos, class_names=photos.parent / "data.yaml").split("all")


def test_a_hash_in_every_name_makes_no_copies(tmp_path):
    make_photos(tmp_path / "p", [f"cat/IMG_2024-{n:04x}beef.jpg" for n in range(30)])
    data = Dataset(tmp_path / "p")
    assert (len(data.split("train")), len(data.split("val"))) == (27, 3)


def test_folders_of_images_and_masks_are_no_classes(tmp_path):
    make_photos(tmp_path / "p", ["images/1.jpg", "masks/1.jpg"])
    with pytest.raises(ValueError, match="images is none; pass --labels"):
        Dataset(tmp_path / "p").split("all")


def test_flags_of_labelme_are_classes_of_the_image(photos, caplog):
    one_each(".json", labelme)(photos.parent / "labelme")
    path = photos.parent / "labelme" / "top.json"
    path.write_text(
        json.dumps(
            json.loads(path.read_text()) | {"flags": {"cow": True, "blurry": True, "car": False}}
        )
    )
    data = Dataset(photos, labels=photos.parent / "labelme")
    assert [data.class_names[c] for c in data.classes("top")] == ["blurry", "cow"]
    assert "labelme's flags 'blurry', 'cow'; all are classes" in caplog.text
    (photos.parent / "names.txt").write_text("\n".join(NAMES))
    options = {"labels": photos.parent / "labelme", "class_names": photos.parent / "names.txt"}
    assert Dataset(photos, **options).classes("top") == [1]
    assert "'blurry', 'cow'; those that --class_names has are classes" in caplog.text
    (photos.parent / "labelme/top.txt").write_text("")
    with pytest.raises(ValueError, match=r"top.json and top.txt are files of several tools"):
        Dataset(photos, **options).split("all")


def test_the_script_of_the_page_reads_labels_in_names(tmp_path, monkeypatch, capsys):
    make_photos(tmp_path / "photos", ["7-[1 0 1].png", "8-[0, 1, 0].png"])
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs/YOUR_IMAGES.md").read_text()
    (script,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(script, {})
    (tmp_path / "tags.csv").write_text(capsys.readouterr().out)
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    data = Dataset("photos", labels="tags.csv", class_names="names.txt")
    assert {data.file_name(i): rows(data, [i])[0] for i in data.split("all")} == {
        "7-[1 0 1].png": [1, 0, 1],
        "8-[0, 1, 0].png": [0, 1, 0],
    }


def test_annotators_who_differ_are_told(photos, caplog):
    tasks = [task(1, "top.bmp", ["car"])]
    tasks[0]["annotations"] += task(1, "top.bmp", ["cow"])["annotations"]
    (photos.parent / "t.json").write_text(json.dumps(tasks))
    assert Dataset(photos, labels=photos.parent / "t.json").class_names == ("car", "cow")
    assert "annotators differ in 1 tasks" in caplog.text


@pytest.mark.parametrize(
    "form", ["yolo", "numbers.txt", "rows.npy", "arrays.npy", "columns below no heading.csv"]
)
def test_a_background_at_the_head_of_names_shifts_no_class(photos, form):
    """Numbers of classes count it, as it is in the list; columns may have one of it or not."""
    data, path = opened(photos, form, names=["background", *NAMES]), photos.parent / form
    if form in ("yolo", "numbers.txt"):
        files = path.rglob("*.txt") if form == "yolo" else [path]
        for file in files:
            file.write_text(re.sub(r"(?m)(^| )(?=\d( |$))(\d)", counted_up, file.read_text()))
    assert list(data.class_names) == NAMES
    assert {data.file_name(i): rows(data, [i])[0] for i in data.split("all")} == VECTORS


def counted_up(match):
    return f"{match[1]}{int(match[3]) + 1}"


def test_numbers_of_yolo_need_class_names(photos):
    one_each(".txt", yolo)(photos.parent / "yolo")
    with pytest.raises(ValueError, match=r"line 1: YOLO's class \d is a number from 0, and there"):
        Dataset(photos, labels=photos.parent / "yolo").split("all")


def test_sub_folders_are_classes(tmp_path):
    make_photos(tmp_path / "p", ["cat/1.jpg", "cat/deep/2.jpg", "dog/1.jpg", "loose.jpg"])
    data = Dataset(tmp_path / "p")
    assert data.class_names == ("cat", "dog")
    ids = ["cat_1", "cat_deep_2", "dog_1"]
    assert data.split("all") == ids
    assert rows(data, ids) == [[1, 0], [1, 0], [0, 1]]


@pytest.mark.parametrize("name", ["no_label", "Unlabelled"])
def test_a_folder_of_images_without_labels_has_two_readings(tmp_path, name):
    make_photos(tmp_path / "p", ["car/1.jpg", f"{name}/1.jpg"])
    with pytest.raises(ValueError, match=f"'{name}' may be images without any class, or images th"):
        Dataset(tmp_path / "p").split("all")
    (tmp_path / "names.txt").write_text("car")
    data = Dataset(tmp_path / "p", class_names=tmp_path / "names.txt")
    assert sorted(map(data.classes, data.split("all"))) == [[], [0]]


def test_a_class_file_orders_classes_and_may_name_more(photos):
    names = photos.parent / "names.txt"
    names.write_text("person\nzebra\ncow\ncar\n")
    data = Dataset(photos, labels=write_csv(photos.parent / "t.csv"), class_names=names)
    assert data.class_names == ("person", "zebra", "cow", "car")
    assert rows(data, ["street_two"]) == [[0, 0, 0, 1]]


def test_a_name_that_is_the_only_one_is_enough(tmp_path, caplog):
    caplog.set_level("INFO")
    make_photos(tmp_path / "p", ["a/x.jpg", "b/y.jpg", "b/z.jpg"])
    labels = write_csv(tmp_path / "t.csv", {"c/x.jpg": ["cup"], "b/y": ["cup"], "b_z": ["cup"]})
    assert Dataset(tmp_path / "p", labels=labels).split("all") == ["a_x", "b_y", "b_z"]
    assert "1 images are found by their names alone, for example c/x.jpg for a/x.jpg" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("t.csv", b"street/one.jpg,car,person", ValueError, "line 1: 'car,person' may be one"),
        ("t.csv", b"top.bmp,car\ntop,cow", ValueError, "line 2: 'top' is there already, .*line 1"),
        ("t.csv", b"one.jpg,car", ValueError, "'one.jpg' is the name of 2 images"),
        ("t.csv", b"a.jpg,car\nb,", FileNotFoundError, "2 of 2 images are missing.*'a.jpg'"),
        ("t.csv", b"Top.BMP,car", FileNotFoundError, "top.bmp is there, and its name differs"),
        ("t.csv", b"20240102-top.bmp,car", FileNotFoundError, "1 of 1 images are missing"),
        ("t.csv", b"id,a,b\ntop,1,0\ntwo,1", ValueError, "line 3: '' in place of 2 columns"),
        ("t.csv", b"top.bmp,1,b\none,1,0", ValueError, "line 1: 2 columns of 0 and 1, and there"),
        ("t.csv", b"path,a,a\none,1,0", ValueError, "line 1: the heading 'a' is there twice"),
        ("t.csv", b"path,a,b\none,1,2", ValueError, "t.csv: 'a', 'b' may each hold the classes"),
        ("t.csv", b"top,car\ntop,cow;car", ValueError, "line 2: 'top' is there already"),
        ("t.csv", b"\xff\xfe\x00", ValueError, "t.csv: not UTF-8 text"),
        ("t.json", b'{"top.bmp": ["car"', ValueError, "t.json: no JSON, or cut short"),
        (
            "t.json",
            json.dumps(COCO | {"annotations": [{"image_id": 1, "category_id": 3}]}).encode(),
            ValueError,
            "an annotation of image 1, which it does not list",
        ),
        ("t.json", b'{"annotations": []}', ValueError, "no list `images`; a COCO JSON has im"),
        ("t.json", json.dumps({**COCO, "annotations": None}).encode(), ValueError, "`annotations`"),
        (
            "t.json",
            json.dumps(COCO | {"annotations": [{"segments_info": []}]}).encode(),
            ValueError,
            "a panoptic COCO JSON",
        ),
        ("t.json", b'{"car": ["top.bmp", "one"]}', ValueError, "'car' names no image, and what it"),
        ("t.json", b'[{"id": 1, "class": "car"}]', ValueError, "no path of an image in {"),
        (
            "t.json",
            b'{"a": {"filename": "top.bmp", "regions": [null]}}',
            ValueError,
            "t.json: broken",
        ),
        (
            "t.xml",
            b"<annotations><track/></annotations>",
            ValueError,
            "export `CVAT for images`, not for video",
        ),
        ("t.xml", b"<annotations>", ValueError, "t.xml: no XML, or cut short"),
        ("t.npy", b"no array", ValueError, "t.npy: "),
        ("t.csv", None, FileNotFoundError, "t.csv: no such file; accepted is a table"),
    ],
)
def test_broken_labels_are_one_line(photos, name, content, error, words):
    path = photos.parent / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words) as raised:
        Dataset(photos, labels=path).split("all")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array({"top": [0, 2, 0]}, object), "'top' has other values than 0 and 1"),
        (np.array({"top": [0, 1]}, object), "it has 2 classes, --class_names 3"),
        (np.zeros((3, 3)), r"an array of the shape \(3, 3\), there are 5 images"),
        (np.array({"top": print}, object), "not admitted"),
    ],
)
def test_a_wrong_array_is_one_line(photos, value, words):
    np.save(photos.parent / "t.npy", value, allow_pickle=True)
    names = photos.parent / "names.txt"
    names.write_text("\n".join(NAMES))
    with pytest.raises(ValueError, match=words):
        Dataset(photos, labels=photos.parent / "t.npy", class_names=names).split("all")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"car\ncow", "line 1: unknown class 'person' of 'street/one.jpg'"),
        (b"car\ncow\npersons", "did you mean 'persons'"),
        (b"car\ncar", "'car' is in it twice"),
    ],
)
def test_wrong_class_names_are_one_line(photos, content, words):
    names = photos.parent / "names.txt"
    names.write_bytes(content)
    data = Dataset(photos, labels=write_csv(photos.parent / "t.csv"), class_names=names)
    with pytest.raises(ValueError, match=words):
        data.split("all")

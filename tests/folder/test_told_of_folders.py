"""What is understood of a folder of photographs is told before the first stage."""

import json
import shutil
import sys

import numpy as np
import pytest
from photo_tree import make_photos, told, write_csv, write_image, write_mask
from PIL import Image

from folder import Dataset
from misc.files import images

NINE = {f"{n}.png": ["cat"] if n % 2 else ["dog"] for n in range(1, 10)}


EVAL = ("--train_cam_pass", "True", "--make_cam_pass", "True", "--eval_cam_pass", "True")
LISTS = {"train_list": "all", "val_list": "all", "infer_list": "all", "chainer_eval_set": "all"}


def labelled(folder, tags):
    make_photos(folder / "photos", tags)
    return {"labels": write_csv(folder / "tags.csv", tags)}


def labelled_lines(folder, lines):
    rows = [line.split(",") for line in lines]
    make_photos(folder / "photos", [path for path, *_ in rows])
    (folder / "tags.csv").write_text("\n".join(lines))
    return {"labels": folder / "tags.csv"}


def test_classes_with_counts_and_images_without_any(tmp_path):
    data = labelled(tmp_path, {**NINE, "10.png": [], "11.png": ["cat", "dog"]})
    text = told(tmp_path, **data)
    assert "folder: 11 images, 2 classes: cat 6, dog 5; 1 images without any\n" in text
    assert "WARNING" not in text


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["cat#dog", "cat"], "'cat#dog': several classes in one name?"),
        (["0", "1"], "'0', '1': answers, no names of classes?"),
        (["True", "False"], "'False', 'True': answers, no names of classes?"),
        (["none", "cat"], "'none': taken for a class"),
        (["Cat", "cat"], "differ by upper and lower case alone: 'Cat' and 'cat'"),
    ],
)
def test_names_that_are_probably_no_class_are_warned_of(tmp_path, caplog, names, words):
    lines = [f'{n}.png,"{names[n % 2]}"' for n in range(8)]
    Dataset(tmp_path / "photos", **labelled_lines(tmp_path, lines)).split("all")
    (line,) = caplog.messages
    assert words in line


@pytest.mark.parametrize("name", ["traffic light", "frog_eye", "1"])
def test_common_names_are_not_warned_of(tmp_path, caplog, name):
    lines = [f'{n}.png,"{(name, "cat")[n % 2]}"' for n in range(8)]
    Dataset(tmp_path / "photos", **labelled_lines(tmp_path, lines)).split("all")
    assert not caplog.messages


def test_a_folder_of_what_shows_nothing_is_warned_of_and_class_names_leaves_it_out(tmp_path):
    paths = [f"{c}/{n}.png" for c in ("Negative", "Positive") for n in range(4)]
    make_photos(tmp_path / "photos", paths)
    assert "'Negative': taken for a class" in told(tmp_path)
    (tmp_path / "names.txt").write_text("Positive\n")
    text = told(tmp_path, class_names=tmp_path / "names.txt")
    assert "8 images, 1 classes: Positive 4; 4 images without any" in text
    assert "not in --class_names, and read as no class: Negative" in text


def test_a_class_in_every_image_and_one_in_val_alone_are_warned_of(tmp_path):
    data = labelled(tmp_path, {path: ["crack"] for path in NINE})
    assert "--train_list: every image shows crack;" in told(tmp_path, **data)
    for name, listed in (("train", range(1, 9)), ("val", [9])):
        (tmp_path / f"{name}.txt").write_text("".join(f"{n}.png\n" for n in listed))
    write_csv(tmp_path / "tags.csv", {**NINE, "2.png": [], "9.png": ["cow"]})
    lists = {f"{name}_list": tmp_path / f"{name}.txt" for name in ("train", "val")}
    text = told(tmp_path, **data, **lists)
    assert "--train_list: no image shows cow, but those of another list do" in text


def test_a_category_that_only_groups_others_is_no_class(tmp_path):
    make_photos(tmp_path / "photos", ["a.png", "b.png"])
    categories = [
        {"id": 0, "name": "flowers", "supercategory": "none"},
        {"id": 1, "name": "daisy", "supercategory": "flowers"},
        {"id": 2, "name": "tulip", "supercategory": "flowers"},
    ]
    coco(tmp_path / "a.json", categories, [(0, 1), (1, 2)])
    text = told(tmp_path, labels=tmp_path / "a.json")
    assert "2 images, 2 classes: daisy 1, tulip 1" in text
    assert "groups of categories, and no classes: flowers" in text


def coco(path, categories, pairs):
    images = [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate("ab")]
    annotations = [{"image_id": image, "category_id": category} for image, category in pairs]
    content = {"images": images, "categories": categories, "annotations": annotations}
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("other", ["1", "x"])
def test_ids_that_are_text_beside_numbers_are_read(tmp_path, other):
    make_photos(tmp_path / "photos", ["a.png", "b.png"])
    categories = [{"id": 0, "name": "car"}, {"id": other, "name": "person"}]
    coco(tmp_path / "a.json", categories, [("0", "0"), (1, other)])
    assert "2 images, 2 classes: car 1, person 1" in told(tmp_path, labels=tmp_path / "a.json")


def test_an_id_that_is_nothing_is_one_line(tmp_path, capsys):
    make_photos(tmp_path / "photos", ["a.png", "b.png"])
    coco(tmp_path / "a.json", [{"id": None, "name": "car"}], [(0, None)])
    told(tmp_path, labels=tmp_path / "a.json", status=2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the id None is neither a number nor text" in error


def test_a_first_row_that_names_an_image_is_no_heading(tmp_path):
    data = labelled_lines(tmp_path, ["image.png,dog", *(f"{n}.png,cat" for n in range(4))])
    (tmp_path / "tags.csv").write_text("image,dog\n" + "".join(f"{n},cat\n" for n in range(4)))
    assert "5 images, 2 classes: cat 4, dog 1" in told(tmp_path, **data)


def test_two_spellings_of_an_accented_name_are_one_class(tmp_path):
    tags = {f"{n}.png": [("caf\u00e9", "cafe\u0301")[n % 2]] for n in range(4)}
    text = told(tmp_path, **labelled(tmp_path, {**tags, "5.png": []}))
    assert "5 images, 1 classes: caf\u00e9 4; 1 images without any" in text


def test_lists_may_name_paths(tmp_path):
    tags = {f"day{n % 2}/{n}.png": [("cat", "dog")[n // 2 % 2]] for n in range(8)}
    data = labelled(tmp_path, tags)
    (tmp_path / "train.txt").write_text("\n".join(list(tags)[:6]))
    (tmp_path / "val.txt").write_text("day0_6\nday1\\7.png 0 1\n")
    text = told(tmp_path, **data, train_list=tmp_path / "train.txt", val_list=tmp_path / "val.txt")
    assert "8 images, 2 classes" in text


def test_images_that_cannot_be_read_are_left_out_of_a_training(tmp_path, capsys):
    data = labelled(tmp_path, NINE)
    whole = (tmp_path / "photos/1.png").read_bytes()
    (tmp_path / "photos/1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "photos/2.png").write_bytes(b"")
    (tmp_path / "photos/3.png").unlink()
    (tmp_path / "photos/3.png").symlink_to("3.png")
    text = told(tmp_path, **data, dry_run=False)
    assert "3 of 9 images cannot be read and are left out, the first: " in text
    assert "Errno" not in text
    assert text.index("6 images, 2 classes: cat 3, dog 3") < text.index("train_cam ...")
    told(tmp_path, **data, strict_images=True, status=2)
    assert "3 of 9 images cannot be read" in capsys.readouterr().err


def test_files_of_a_format_that_is_not_read_are_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    images._formats.cache_clear()
    data = labelled(tmp_path, NINE)
    (tmp_path / "photos/IMG_1.heic").write_bytes(b"no matter")
    (tmp_path / "photos/IMG_2.HEIC").write_bytes(b"no matter")
    text = told(tmp_path, **data)
    assert "2 files are no images (2 .heic; HEIC is read where pillow-heif is installed" in text
    write_csv(tmp_path / "tags.csv", {**NINE, "IMG_1.heic": ["cat"]})
    assert "'IMG_1.heic' " in (text := told(tmp_path, **data))
    assert "it is there, but Pillow here reads no .heic" in text


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    images._formats.cache_clear()
    heif.register_heif_opener()
    make_photos(tmp_path / "photos", ["cat/1.heic", "dog/2.jpg"])
    assert "2 images, 2 classes: cat 1, dog 1" in told(tmp_path)


def test_a_dry_run_shows_examples_sizes_formats_and_the_command(tmp_path):
    data = labelled(tmp_path, {"a.png": ["cat"], "deep/10.jpg": ["cat", "dog"], "deep/11.jpg": []})
    write_image(tmp_path / "photos/deep/11.jpg", size=(40, 60))
    text = told(tmp_path, "--dry_run", "True", "--train_cam_pass", **data, train_list="all")
    assert "folder: 2 .jpg, 1 .png; 32x24 to 60x40 pixels, median 32x24" in text
    shown = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| deep")]
    rows = [[cell.strip() for cell in line] for line in shown]
    assert ["deep/10.jpg", "deep_10", "32x24", "cat, dog", ""] in rows
    assert ["deep/11.jpg", "deep_11", "60x40", "none", ""] in rows
    (command,) = [line for line in text.splitlines() if "to run it: python run_sample.py" in line]
    assert "--dry_run" not in command
    assert "--train_cam_pass" in command
    assert f"--data_root {tmp_path}/photos" in command


def turned(path, size=(40, 60), orientation=6):
    """Write a photograph as a phone does: stored lying, seen upright, its upper half white."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[:, : size[1] // 2] = 255
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, exif=exif)


def upright_masks(folder, shape):
    for name in "ab":
        mask = np.zeros(shape, np.uint8)
        mask[:10] = 1
        write_mask(folder / f"semantic/{name}.png", mask)
    return {"masks": folder, **LISTS}


def test_a_mask_on_the_upright_photograph_fits_and_rotation_is_told(tmp_path):
    data = labelled(tmp_path, {"a.jpg": ["cat"], "b.jpg": ["cat"], "c.jpg": []})
    for name in "ab":
        turned(tmp_path / f"photos/{name}.jpg")
    masks = upright_masks(tmp_path / "masks", (60, 40))
    text = told(tmp_path, *EVAL, **data, **masks)
    assert "EXIF turns 2 of 3 images, as a; they are read so" in text
    assert "nothing is missing or broken" in text


def test_a_mask_on_the_stored_pixels_is_refused_by_the_name_of_exif(tmp_path):
    data = labelled(tmp_path, {"a.jpg": ["cat"], "b.jpg": ["cat"], "c.jpg": []})
    for name in "ab":
        turned(tmp_path / f"photos/{name}.jpg")
    masks = upright_masks(tmp_path / "masks", (40, 60))
    text = told(tmp_path, *EVAL, status=2, **data, **masks)
    assert "a.png: is (40, 60) pixels, its image is (60, 40); EXIF turns the image" in text


def masked(folder, shift=0):
    """Make photographs of cats (1), dogs (2) and cows (3), with masks."""
    names = ("cat", "dog", "cow")
    data = labelled(folder, {f"{n}.png": [names[n % 3]] for n in range(9)})
    for n in range(9):
        mask = np.zeros((24, 32), np.uint8)
        mask[:12] = n % 3 + 1 + shift
        write_mask(folder / f"masks/semantic/{n}.png", mask)
    (folder / "names.txt").write_text("cat\ndog\ncow\nhen\n")
    masks = {"masks": folder / "masks", "class_names": folder / "names.txt"}
    return data | masks | LISTS


def test_a_class_that_no_mask_shows_is_told_before_it_is_measured(tmp_path):
    """A tool that draws 0 and 255 makes every object the first class."""
    data = masked(tmp_path)
    for n in (1, 4, 7):
        shutil.copy(tmp_path / "masks/semantic/0.png", tmp_path / f"masks/semantic/{n}.png")
    words = "contradicts the image-level labels: of 9 masks looked at none shows dog, which 3 "
    assert words in told(tmp_path, *EVAL, **data)


def test_masks_that_count_from_another_class_are_told_before_they_are_measured(tmp_path):
    text = told(tmp_path, *EVAL, **masked(tmp_path, shift=1))
    assert (
        "ground truth contradicts the image-level labels, which fit where masks count one less; "
        "for example of 0: masks show dog, the label says cat"
    ) in text


def test_masks_that_were_resized_smoothly_are_told_before_they_are_measured(tmp_path):
    data = masked(tmp_path)
    for path in (tmp_path / "masks/semantic").iterdir():
        mask = Image.open(path).convert("L")
        mask.resize((8, 6)).resize(mask.size, Image.Resampling.BILINEAR).save(path)
    words = "contradicts the image-level labels; for example of 1: masks show cat, dog, the label"
    assert words in told(tmp_path, *EVAL, **data)


def test_the_background_at_the_head_of_class_names_is_no_class(tmp_path):
    data = masked(tmp_path)
    (tmp_path / "names.txt").write_text("_background_\ncat\ndog\ncow\n")
    text = told(tmp_path, *EVAL, **data)
    assert "'_background_' is no class and is left out; in masks it is 0, and 1 is 'cat'" in text
    assert "9 images, 3 classes" in text
    assert "contradicts" not in text

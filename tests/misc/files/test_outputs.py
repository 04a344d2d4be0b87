from misc.files.outputs import image_files, remove_outputs


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_an_image_has_a_file_of_each_name_that_has_its_id(tmp_path):
    files = ("{}.png", "palette/{}.png", "palette/legend.png", "masks/{}_*.png")
    expected = [tmp_path / "a.png", tmp_path / "palette/a.png"]
    assert image_files(tmp_path, files, "a") == expected


def test_outputs_of_some_images_are_removed_and_folders_that_are_then_empty(tmp_path):
    write(tmp_path, "deep/er/a.png", "deep/er/b.png")
    remove_outputs(tmp_path, ["deep/er/{}.png"], ["a"])
    assert [path.name for path in tmp_path.rglob("*.png")] == ["b.png"]
    remove_outputs(tmp_path, ["deep/er/{}.png"], ["b"])
    assert list(tmp_path.iterdir()) == []

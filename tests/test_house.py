"""The house: which folder may import which, and what stands in step/ and misc/."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from misc.settings.config import PRESETS
from misc.settings.version import PACKAGES
from step import STAGES

ROOT = Path(__file__).parent.parent
METHOD = {f"misc.{path.stem}" for path in (ROOT / "misc").glob("*.py")} - {"misc.__init__"}
DATASETS = [p.parent.name for p in ROOT.glob("*/__init__.py") if "from_config" in p.read_text()]
FILES = [
    path
    for folder in ("step", "misc", "net", *DATASETS)
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path):
    """Name the modules of this project that a file imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name for name in inside if is_module(name)} or {node.module}
    return {name for name in found if name.split(".")[0] in ("step", "misc", "net", *DATASETS)}


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


IMPORTS = {module_of(path): imported(path) for path in FILES}


def test_step_holds_the_stages_and_their_table_alone():
    files = {path.stem for path in (ROOT / "step").glob("*.py")}
    assert files == {stage.name for stage in STAGES} | {"__init__", "predict", "export"}


def test_an_installation_has_every_folder_of_the_program_and_no_other():
    """Records compare digests of these; a wheel of them was tried by hand."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders - {"benchmarks", "tests"} == set(PACKAGES)
    assert project["packages"]["find"]["include"] == [f"{name}*" for name in PACKAGES]


def test_no_stage_imports_a_stage():
    for module, names in IMPORTS.items():
        if module.startswith("step"):
            assert not [name for name in names if name.split(".")[0] == "step"], module


def test_misc_itself_holds_the_method_alone_which_imports_no_wing():
    assert len(METHOD) + 1 <= 18
    for module in METHOD:
        assert IMPORTS[module] <= METHOD, module


def test_no_module_imports_from_above_its_place_in_the_list():
    """The list is the tour's; the one place that opens data sets stands in misc.run, above them."""
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    house = re.search(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
    heads = [re.split(r"\s{2,}", line)[0] for line in house.splitlines() if line.strip()]
    levels = {
        place.rstrip("/").replace("/", "."): number
        for number, head in enumerate(heads)
        for place in head.split()
    }
    assert {"step", "net", "misc.view", "misc.run", "misc.files", *DATASETS} <= set(levels)

    def level(module):
        named = [levels[place] for place in levels if f"{module}.".startswith(f"{place}.")]
        return levels["misc.*.py"] if module in METHOD else named[0]

    above = [
        (module, name)
        for module, names in IMPORTS.items()
        for name in sorted(names - {"misc"})
        if module != "misc" and level(name) < level(module)
    ]
    assert above == []


@pytest.mark.parametrize("dataset", DATASETS)
def test_one_file_opens_the_data_set(dataset):
    outside = {
        module
        for module, names in IMPORTS.items()
        if module.split(".")[0] != dataset and any(n.split(".")[0] == dataset for n in names)
    }
    assert outside == {"misc.run.open_dataset"}


def test_no_other_code_names_a_data_set():
    """Settings and presets apart. (The name `folder` is a word of its own.)"""
    names = re.compile(rf"\b({'|'.join({*PRESETS, 'VOC2012'} - {'folder'})})(_|\b)")
    places = [ROOT / "run_sample.py", *(ROOT / "step").rglob("*.py"), *(ROOT / "net").rglob("*.py")]
    places += (ROOT / "misc").rglob("*.py")
    named = {path.relative_to(ROOT) for path in places if names.search(path.read_text())}
    allowed = {path for path in named if path.is_relative_to("misc/settings")}
    assert named - allowed == {Path("misc/run/open_dataset.py")}


def test_every_wing_says_in_one_sentence_what_it_is():
    for wing in (ROOT / "misc").iterdir():
        if wing.is_dir() and wing.name != "__pycache__":
            text = ast.get_docstring(ast.parse((wing / "__init__.py").read_text()))
            assert text.count("\n") == 0, wing
            assert text.endswith(".")


def test_no_two_files_of_tests_have_one_name():
    """Pytest imports them by their name alone."""
    names = [path.name for path in ROOT.glob("tests/**/test_*.py")]
    assert len(set(names)) == len(names)

"""Every setting of a run, declared once.

The command line, docs/FLAGS.md, the presets and the saved settings are made from `Config`, whose
parts stand beside it. Defaults are those of the `voc12` preset: the published settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from misc.settings.data_settings import DataSettings
from misc.settings.declare import declared_in, stage_pass
from misc.settings.method_settings import CamSettings, RelationSettings, SynthesisSettings
from misc.settings.network_settings import FileSettings, NetworkSettings
from misc.settings.run_settings import LookingSettings, PredictionSettings, RunSettings


# The fields of the last base come first, in --help as in docs/FLAGS.md.
@dataclass(frozen=True, kw_only=True)
class Config(
    PredictionSettings,
    LookingSettings,
    FileSettings,
    NetworkSettings,
    SynthesisSettings,
    RelationSettings,
    CamSettings,
    DataSettings,
    RunSettings,
):
    """The settings of a run; see each field's help."""

    train_cam_pass: bool | None = stage_pass(
        "train_cam",
        group="Stages: none given runs all; any True runs only those; only False all the others",
    )
    make_cam_pass: bool | None = stage_pass("make_cam")
    eval_cam_pass: bool | None = stage_pass("eval_cam")
    cam_to_ir_label_pass: bool | None = stage_pass("cam_to_ir_label")
    train_irn_pass: bool | None = stage_pass("train_irn")
    make_ins_seg_pass: bool | None = stage_pass("make_ins_seg_labels")
    eval_ins_seg_pass: bool | None = stage_pass("eval_ins_seg")
    make_sem_seg_pass: bool | None = stage_pass("make_sem_seg_labels")
    eval_sem_seg_pass: bool | None = stage_pass("eval_sem_seg")
    make_cocoann_pass: bool | None = stage_pass("make_cocoann")
    train_mask_rcnn_pass: bool | None = stage_pass("train_mask_rcnn")
    eval_mask_rcnn_pass: bool | None = stage_pass("eval_mask_rcnn")
    train_deeplab_pass: bool | None = stage_pass("train_deeplab")
    eval_deeplab_pass: bool | None = stage_pass("eval_deeplab")
    report_pass: bool | None = stage_pass("report")

    def asked(self, flag: str) -> bool:
        """Return whether a stage's flag, with the others, says that it runs."""
        passes = {name: value for name, value in vars(self).items() if name.endswith("_pass")}
        if True in passes.values():
            return passes[flag] is True
        return passes[flag] is not False

    def values(self) -> dict[str, Any]:
        """Return every setting by the name of its flag."""
        return {
            name: getattr(getattr(self, found.owner) if found.owner else self, found.member)
            for name, found in SETTINGS.items()
        }

    def with_values(self, values: Mapping[str, Any]) -> "Config":
        """Return the settings with other values of some flags."""
        changed: dict[str, Any] = {}
        for name, new in values.items():
            owner, member = SETTINGS[name].owner, SETTINGS[name].member
            if owner:
                changed[owner] = replace(changed.get(owner, getattr(self, owner)), **{member: new})
            else:
                changed[name] = new
        return replace(self, **changed)


SETTINGS = declared_in(Config)

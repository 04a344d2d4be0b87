"""Train DeepLab-v2 on semantic labels (METHOD section 9)."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from misc.files.dataset import Dataset
from misc.machine.device import Compute
from misc.metrics import confusion, mean_iou
from misc.settings.config import Config
from misc.train.inference import segment_images
from misc.train.samples import SegmentationSamples
from misc.train.supervision import supervision_from, validation_images
from misc.train.training import RATE_FACTORS, Schedule, claim_training, make_optimizer, train
from net.build import begin_network, check_networks
from net.deeplab import label_loss, labelled_pixels

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Train a network on infer_list's labels of each --supervision; write its weights."""
    val_ids = validation_images(config, dataset, stage="train_deeplab")
    for name in config.supervision:
        labels = supervision_from(config, dataset, name, "semantic")
        ids = labels.labelled(dataset.split(config.infer_list))
        training = claim_training(config, dataset, "deeplab", ids, labels)
        if training.is_finished:
            continue
        samples = SegmentationSamples(
            ids=ids,
            read_image=dataset.image,
            read_label=labels.semantic,
            crop_size=config.deeplab_crop_size,
            remedy="make it again with --make_sem_seg_pass True",
        )
        model = begin_network(config, "deeplab", len(dataset.class_names), training.compute)
        pretrained, new = model.trainable_parameters()
        rate, factor = config.deeplab_learning_rate, RATE_FACTORS[config.deeplab_optimizer]
        optimizer = make_optimizer(
            config.deeplab_optimizer,
            [{"params": pretrained, "lr": rate}, {"params": new, "lr": factor * rate}],
            momentum=config.deeplab_momentum,
            weight_decay=config.deeplab_weight_decay,
        )
        schedule = Schedule(
            batch_size=config.deeplab_batch_size,
            steps=config.deeplab_steps,
            warmup_steps=config.deeplab_warmup_steps,
        )
        validate = partial(validation_iou, dataset=dataset, ids=val_ids, compute=training.compute)
        train(
            training,
            model,
            optimizer,
            samples,
            segmentation_loss,
            schedule,
            counts=lambda batch: labelled_pixels(batch[1]),
            validate=validate if val_ids else None,
            every=config.deeplab_eval_steps,
        )
        training.save(model)


def segmentation_loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the cross entropy of a batch of `SegmentationSamples`."""
    images, label = batch
    return {"loss": label_loss(model(images), label)}


def validation_iou(
    model: nn.Module, dataset: Dataset, ids: Sequence[str], *, compute: Compute
) -> dict[str, float]:
    """Compute the mIoU of a network during training: one scale, no CRF, nothing written."""
    num_labels = len(dataset.class_names) + 1
    counts = segment_images(
        model,
        dataset,
        ids,
        scales=(1.0,),
        crf=None,
        use=partial(count_pixels, dataset, num_labels),
        compute=compute,
        description="validate",
    )
    return {"val_mIoU": float(mean_iou(np.sum(counts, axis=0)))}


def count_pixels(dataset: Dataset, num_labels: int, image_id: str, label: np.ndarray) -> np.ndarray:
    """Count an image's pixels by true and predicted label: the confusion, int64 (L, L)."""
    return confusion(label, dataset.semantic_label(image_id), num_labels)

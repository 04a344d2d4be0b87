"""The classes of Cityscapes: names, label ids and colours."""

import numpy as np

# The 19 classes that its benchmarks evaluate: label id, name, colour.
CLASSES: tuple[tuple[int, str, tuple[int, int, int]], ...] = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
EVALUATED_IDS = np.array([label_id for label_id, _, _ in CLASSES])
# Those of them whose objects are told apart.
INSTANCE_IDS = np.array([24, 25, 26, 27, 28, 31, 32, 33])
# Ids 0 to 33 exist; those that are not evaluated are void: caravans and trailers, too.
LARGEST_ID = 33
VOID_IDS = np.setdiff1d(np.arange(LARGEST_ID + 1), EVALUATED_IDS)
VOID_COLOUR = (224, 224, 192)

"""The categories of COCO: 80 of the ids 1 to 90, which become the classes 0 to 79."""

import numpy as np

UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
CATEGORY_IDS = np.setdiff1d(np.arange(1, 91), UNUSED)
# By category id the class id, -1 where there is none.
CLASS_OF = np.full(256, -1, np.int16)
CLASS_OF[CATEGORY_IDS] = np.arange(len(CATEGORY_IDS))

_NAMES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork,
knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake,
chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush
"""
CLASS_NAMES = tuple(" ".join(name.split()) for name in _NAMES.split(","))
# By category id; empty where COCO left the category out.
NAMES = dict(zip(CATEGORY_IDS.tolist(), CLASS_NAMES, strict=True)) | dict.fromkeys(UNUSED, "")

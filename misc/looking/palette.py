"""The palettes of label maps and objects."""

import numpy as np

# Okabe and Ito's colours, which are colour-blind safe.
OBJECT_COLOURS = np.array(
    [
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    dtype=np.uint8,
)


def voc_palette() -> np.ndarray:
    """Return PASCAL VOC's colour of each label.

    Bits 0, 3 and 6 of a label become the highest bits of its red, bits 1, 4 and 7 of its green
    and bits 2 and 5 of its blue, so that neighbouring labels look far apart.

    Returns:
        uint8 array (256, 3), RGB; label 0 is black, 255 is (224, 224, 192).
    """
    labels = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for channel in range(3):
        for place in range(3):
            bit = labels >> (3 * place + channel) & 1
            colours[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return colours


def object_palette() -> np.ndarray:
    """Return the colour of each object's number, uint8 (256, 3): 0 is black, then they repeat."""
    colours = OBJECT_COLOURS[(np.arange(256) - 1) % len(OBJECT_COLOURS)]
    colours[0] = 0
    return colours

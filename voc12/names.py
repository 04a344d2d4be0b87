"""The class names of PASCAL VOC."""

# The devkit's own order, alphabetical: the index is the class id.
_NAMES = """
aeroplane bicycle bird boat bottle bus car cat chair cow
diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor
"""
CLASS_NAMES: tuple[str, ...] = tuple(_NAMES.split())

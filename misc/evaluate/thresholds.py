"""Which thresholds suit a method's CAMs, from their curve on ground truth."""

from misc.run.log import logger


def suggested(best: float) -> dict[str, float]:
    """Return the flags that follow from the background score that suits CAMs best.

    Confident foreground is 0.15 above it, confident background 0.1 below, as the published settings
    are; between 0.01 and 0.99.
    """
    return {
        "cam_eval_thres": best,
        "conf_fg_thres": round(min(best + 0.15, 0.99), 2),
        "conf_bg_thres": round(max(best - 0.1, 0.01), 2),
    }


def suggest_thresholds(best: float) -> None:
    """Log the flags that follow from the best threshold on ground truth."""
    logger.info(
        "suggested: %s\n--conf_fg_thres may be 0.05 lower. The best threshold was chosen on ground "
        "truth: choose it on images that you do not report on, or say so. --sem_seg_bg_thres and "
        "--ins_seg_bg_thres do not follow from it: they cut the scores after the walk; --sweep "
        "measures labels over them",
        " ".join(f"--{name} {value:.2f}" for name, value in suggested(best).items()),
    )

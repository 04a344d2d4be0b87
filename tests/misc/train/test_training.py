import contextlib
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import default_collate

from misc.machine.device import Compute
from misc.train.training import Schedule, Training, make_optimizer, train


class Points:
    """A regression problem whose samples are jittered."""

    collate, normalized = staticmethod(default_collate), staticmethod(list)

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def sample(self, index, rng):
        x = np.float32(index / self.count + rng.normal(0, 0.1))
        return np.array([x, 1], np.float32), np.float32(2 * x)


def run(
    weights,
    *,
    epochs=3,
    seed=0,
    seconds=60,
    stop_after=None,
    count=10,
    factor=1.0,
    change=None,
    micro_batch=0,
    **options,
):
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    if change is not None:
        change(model)
    groups = [{"params": model.parameters(), "lr": 0.1}]
    optimizer = make_optimizer("sgd", groups, momentum=0.5, weight_decay=1e-4)
    steps = []

    def losses(model, batch):
        if len(steps) == stop_after:
            raise KeyboardInterrupt
        x, y = batch
        steps.append(x.clone())
        return {
            "fit": ((model(x)[:, 0] - y) ** 2).mean() * factor,
            "size": model.weight.abs().sum(),
        }

    compute = Compute(device=torch.device("cpu"), num_workers=0)
    options |= {"term_weights": {"size": 0.01}}
    train(
        Training(
            name="points",
            weights=weights,
            compute=compute,
            seed=seed,
            micro_batch=micro_batch,
            checkpoint_every=seconds,
        ),
        model,
        optimizer,
        Points(count),
        losses,
        Schedule(epochs=epochs, batch_size=4),
        **options,
    )
    return model, steps


def test_the_steps_are_those_of_whole_batches():
    assert Schedule(epochs=5, batch_size=16).total_steps(1464) == 455


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Schedule(epochs=1, batch_size=1), {0: 1, 4: 0.8**0.9}),  # falls with the power 0.9
        (Schedule(steps=20, batch_size=1, warmup_steps=2), {0: 0.5, 1: 0.95**0.9}),
        (Schedule(steps=20, batch_size=1, drops=(12, 16)), {11: 1, 12: 0.1, 15: 0.1, 16: 0.01}),
    ],
)
def test_the_rate_of_each_step(schedule, rates):
    found = {step: schedule.rate(step, 20) for step in rates}
    assert found == pytest.approx(rates)


def test_validation_comes_every_so_many_steps_and_at_the_end(tmp_path):
    seen = []

    def validate(model):
        seen.append(len(seen))
        return {"mean": 0.0}

    run(tmp_path / "state", epochs=3, validate=validate, every=4)
    assert len(seen) == 2  # after steps 4 and 6


@pytest.mark.parametrize("seconds", [0, 1e9])
def test_where_a_checkpoint_was_made_does_not_show_in_the_result(tmp_path, seconds):
    whole, _ = run(tmp_path / "whole", epochs=4)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", epochs=4, stop_after=5, seconds=seconds)
    resumed, steps = run(tmp_path / "stopped", epochs=4, seconds=seconds)
    assert len(steps) == (3 if seconds == 0 else 4)  # of 8: epochs end at 2, 4, 6 and 8
    assert torch.equal(whole.weight, resumed.weight)
    curves = [tmp_path / f"{name}.curve.jsonl" for name in ("whole", "stopped")]
    assert curves[0].read_bytes() == curves[1].read_bytes()


@pytest.mark.parametrize("micro_batch", [0, 2])  # with 2 it stops between the parts of a step
def test_random_numbers_of_a_network_go_on_where_they_were(tmp_path, micro_batch):
    def with_noise(model, noise):
        model.register_forward_pre_hook(
            lambda _, x: (noise.append(torch.rand(())) or x[0] + noise[-1],)
        )

    def noise_of(name, **options):
        noise = []
        change = partial(with_noise, noise=noise)
        with contextlib.suppress(KeyboardInterrupt):
            model, _ = run(tmp_path / name, change=change, micro_batch=micro_batch, **options)
            return noise, model.weight
        return noise, None

    whole, weight = noise_of("whole")
    first, _ = noise_of("stopped", stop_after=3, seconds=0)
    second, resumed = noise_of("stopped")
    assert len(first) == 3
    assert first[: len(whole) - len(second)] + second == whole
    assert torch.equal(weight, resumed)


def test_a_checkpoint_of_another_schedule_or_network_is_refused(tmp_path):
    run(tmp_path / "state")
    with pytest.raises(ValueError, match=r"made with .*epochs=3.* now it is .*epochs=4"):
        run(tmp_path / "state", epochs=4)
    state = (tmp_path / "state.checkpoint").read_bytes()
    (tmp_path / "broken.checkpoint").write_bytes(state[:1000])
    with pytest.raises(ValueError, match=r"broken\.checkpoint: not a readable weights file"):
        run(tmp_path / "broken")
    torch.save({"step": 1}, tmp_path / "other.checkpoint")
    with pytest.raises(ValueError, match=r"other\.checkpoint: not a checkpoint of this training"):
        run(tmp_path / "other")


def test_every_epoch_has_an_order_of_its_own_and_every_seed(tmp_path):
    _, steps = run(tmp_path / "a")
    _, others = run(tmp_path / "b", seed=1)
    assert not torch.equal(steps[0], steps[2])
    assert not torch.equal(steps[0], others[0])


def test_a_gradient_that_is_not_finite_stops_before_a_checkpoint_has_it(tmp_path):
    """Another rank's loss is seen by the first in the step's gradients alone."""

    def spoil(model):
        model.weight.register_hook(lambda gradient: gradient * float("nan"))

    with pytest.raises(ValueError, match="gradient of weight is not finite at step 1"):
        run(tmp_path / "state", change=spoil, seconds=0)
    assert not (tmp_path / "state.checkpoint").exists()


def test_want_of_memory_stops_with_the_step_and_what_to_do(tmp_path):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")

    with pytest.raises(OSError, match=r"^step 1: out of memory \(.* 2.00 GiB\); pass a small"):
        run(tmp_path / "state", change=lambda model: model.register_forward_pre_hook(fail))

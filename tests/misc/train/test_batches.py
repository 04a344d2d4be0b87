import os

from misc.train.batches import batch_keys, loader


class Parents:
    def __len__(self):
        return 2

    def sample(self, index, rng):
        return os.getppid()


def test_loader_processes_are_forked_from_this_one_whatever_the_default_is(forkserver):
    batches = loader(Parents(), batch_keys(2, 2, 0, range(1)), seed=0, num_workers=1, collate=list)
    assert list(batches) == [[os.getpid()] * 2]

import os

from misc.train.batches import load_batches


class Parents:
    collate = staticmethod(list)

    def __len__(self):
        return 2

    def sample(self, index, rng):
        return os.getppid()


def test_loader_processes_are_forked_from_this_one_whatever_the_default_is(forkserver):
    batches = load_batches(Parents(), 2, range(1), seed=0, num_workers=1)
    assert list(batches) == [[os.getpid()] * 2]

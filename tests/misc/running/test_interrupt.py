import os
import signal
import time

import pytest

from misc.running.interrupt import kept_interrupts


class Dropping:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


def lose_an_interrupt():
    Dropping()
    for _ in range(200):
        time.sleep(0.01)


def test_an_interrupt_that_falls_into_a_destructor_is_raised_again(capsys):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), kept_interrupts():
        lose_an_interrupt()
    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

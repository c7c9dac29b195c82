import os
import signal
import threading

import pytest

from music_interpret.interrupts import held_back


def test_ctrl_c_waits_for_the_block_to_look():
    before = signal.getsignal(signal.SIGINT)
    with held_back() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_second_press_acts_at_once():
    with pytest.raises(KeyboardInterrupt), held_back():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_outside_the_main_thread_nothing_is_held_back():
    seen = []

    def work():
        with held_back() as interrupted:
            seen.append(interrupted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]

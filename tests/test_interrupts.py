import os
import signal
import sys
import threading
from subprocess import PIPE

import pytest
from conftest import start

from music_interpret.interrupts import held_back, terminable


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


@pytest.fixture
def ignored():
    """SIGINT ignored, as in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def test_sigterm_acts_as_ctrl_c():
    before = signal.getsignal(signal.SIGTERM)
    with terminable() as terminated:
        with held_back() as interrupted:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupted()
        assert terminated()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_ctrl_c_is_not_taken_for_sigterm():
    with terminable() as terminated:
        with pytest.raises(KeyboardInterrupt):
            signal.default_int_handler(signal.SIGINT, None)
        assert not terminated()


def test_sigterm_acts_where_ctrl_c_is_ignored(ignored):
    with pytest.raises(KeyboardInterrupt), terminable():
        os.kill(os.getpid(), signal.SIGTERM)


def test_what_tests_start_can_be_interrupted(ignored):
    """Where the tests themselves cannot."""
    process = start([sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT))"], stdout=PIPE)
    assert b"default_int_handler" in process.communicate()[0]


def test_outside_the_main_thread_nothing_is_held_back():
    seen = []

    def work():
        with held_back() as interrupted, terminable() as terminated:
            seen.extend([interrupted(), terminated()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, False]

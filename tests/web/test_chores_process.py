"""The process of the chores: one at a time, started again when it dies, ever more patiently."""

from itertools import pairwise

import pytest

from app.web.chores_process import ChoresProcess


class Process:
    """Runs until it is told otherwise."""

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code


class Machine:
    """Its clock, and the processes started on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.started: list[tuple[float, Process]] = []
        self.fault: OSError | None = None
        self.chores = ChoresProcess(self._start, lambda: self.now)

    def _start(self) -> Process:
        if self.fault:
            raise self.fault
        self.started.append((self.now, Process()))
        return self.started[-1][1]

    def run(self, seconds: int, *, dying: bool = False) -> None:
        """Let time pass, with a look each second; `dying`: nothing lives longer than that."""
        for _ in range(seconds):
            if dying and self.started:
                self.started[-1][1].code = -9
            self.chores.look()
            self.now += 1


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_one_runs_and_no_second_is_started_beside_it(machine):
    """However often it is looked at."""
    machine.run(1000)
    assert [at for at, _ in machine.started] == [1000.0]


def test_one_that_died_is_started_again_soon(machine):
    """Whatever killed it: within seconds another one runs."""
    machine.run(100)
    machine.started[0][1].code = -9
    machine.run(10)
    assert len(machine.started) == 2
    assert machine.started[1][0] - 1100.0 <= 5


def test_one_that_dies_again_and_again_is_given_more_and_more_time(machine):
    """The pauses double up to five minutes: a fault that lasts does not use up the machine."""
    machine.run(3600, dying=True)
    pauses = [later - earlier for (earlier, _), (later, _) in pairwise(machine.started)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 5
    assert 300 <= pauses[-1] <= 305


def test_after_running_well_the_patience_begins_anew(machine):
    """Deaths of long ago don't make the next one wait."""
    machine.run(600, dying=True)
    machine.run(1200)
    machine.started[-1][1].code = -9
    before = machine.now
    machine.run(10)
    assert machine.started[-1][0] - before <= 5


def test_a_machine_that_can_start_nothing_is_asked_again(machine):
    """No memory for the moment: the server lives on, and later it works."""
    machine.fault = OSError("no memory")
    machine.run(30)
    assert machine.started == []
    machine.fault = None
    machine.run(60)
    assert len(machine.started) == 1

"""Which task starts when: on a clock that is only counted, and with real threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbdataops.build.schedule import SHARE, Schedule, Task, in_order, run_tasks, ways

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine that is busy with other things is no defect."""


@dataclass
class Simulated:
    """A run of tasks that take as long as they say, on a machine with so much memory."""

    tasks: list[Task]
    jobs: int
    memory: int | None = None
    started: list[str] = field(default_factory=list)
    start_s: dict[str, float] = field(default_factory=dict)
    end_s: dict[str, float] = field(default_factory=dict)
    running_at: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)

    def run(self) -> Simulated:
        schedule, now = Schedule(self.tasks, self.jobs), 0.0
        while True:
            while task := schedule.start(self.free(schedule.running)):
                self.started.append(task.id)
                self.start_s[task.id], self.end_s[task.id] = now, now + task.seconds
                self.running_at.append((now, tuple(schedule.running)))
            if not schedule.running:
                return self
            now = min(self.end_s[name] for name in schedule.running)
            for name in [n for n in schedule.running if self.end_s[n] == now]:
                schedule.end(name)

    def free(self, running: Mapping[str, Task]) -> int | None:
        return None if self.memory is None else self.memory - sum(t.peak_bytes for t in running.values())

    @property
    def whole_s(self) -> float:
        return max(self.end_s.values(), default=0.0)


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    count = draw(st.integers(1, 24))
    tasks = []
    for number in range(count):
        after = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        seconds, peak = draw(st.integers(0, 9)), draw(st.integers(0, 12))
        tasks.append(Task(f"t{number}", tuple(f"t{a}" for a in sorted(after)), float(seconds), peak))
    return draw(st.permutations(tasks))


machines = st.tuples(graphs(), st.integers(1, 5), st.one_of(st.none(), st.integers(0, 20)))


@patient
@given(machines)
def test_every_task_runs_once_and_after_all_that_it_waits_for(
    machine: tuple[list[Task], int, int | None],
) -> None:
    ran = Simulated(*machine).run()

    assert sorted(ran.started) == sorted(task.id for task in ran.tasks)
    for task in ran.tasks:
        assert all(ran.end_s[before] <= ran.start_s[task.id] for before in task.after)


@patient
@given(machines)
def test_never_more_than_jobs_at_once_and_never_more_than_memory_unless_alone(
    machine: tuple[list[Task], int, int | None],
) -> None:
    ran = Simulated(*machine).run()
    known = {task.id: task for task in ran.tasks}

    for _, together in ran.running_at:
        assert len(together) <= ran.jobs
        heavy = [known[name].peak_bytes for name in together if known[name].peak_bytes]
        assert ran.memory is None or len(together) == 1 or len(heavy) < 2 or sum(heavy) <= ran.memory


@patient
@given(machines)
def test_nobody_waits_for_more_than_four_starts_for_itself_and_each_that_was_ready_before(
    machine: tuple[list[Task], int, int | None],
) -> None:
    ran = Simulated(*machine).run()
    place = {name: number for number, name in enumerate(ran.started)}
    ready_s = {t.id: max((ran.end_s[b] for b in t.after), default=0.0) for t in ran.tasks}

    for task in ran.tasks:
        meanwhile = [
            s for s in ran.started if ran.start_s[s] >= ready_s[task.id] and place[s] < place[task.id]
        ]
        before = sum(ready_s[o.id] <= ready_s[task.id] for o in ran.tasks if o.id in meanwhile)
        assert len(meanwhile) <= SHARE * (before + 1)


@patient
@given(graphs(), st.integers(1, 5))
def test_no_core_is_idle_while_a_task_could_run(tasks: list[Task], jobs: int) -> None:
    ran = Simulated(tasks, jobs).run()

    # Graham's bound, which holds for whatever never idles
    longest = max(ways(tasks).values())
    assert ran.whole_s <= sum(t.seconds for t in tasks) / jobs + longest * (1 - 1 / jobs) + 1e-9


def test_the_longest_way_goes_first() -> None:
    short = [Task(f"short{n:02}", (), 1.0) for n in range(20)]
    chain = [Task(f"chain{n}", (f"chain{n - 1}",) if n else (), 4.0) for n in range(5)]

    ran = Simulated([*short, *chain], jobs=2).run()

    # Both cores are busy for the whole of the 20 + 20 seconds that there are, or nearly so.
    assert ran.whole_s <= 22.0
    assert ran.start_s["chain0"] == 0.0


def test_the_rest_gets_a_share_while_long_ways_keep_coming() -> None:
    patient_one = Task("patient", (), 1.0)
    chain = [Task(f"chain{n}", (f"chain{n - 1}",) if n else (), 5.0) for n in range(30)]

    ran = Simulated([patient_one, *chain], jobs=1).run()

    assert ran.started.index("patient") == SHARE - 1


def test_what_does_not_fit_lets_others_pass_but_not_for_ever() -> None:
    big = Task("big", (), 9.0, peak_bytes=10)
    small = [Task(f"small{n:02}", (), 2.0, peak_bytes=4) for n in range(30)]

    ran = Simulated([*small[:1], big, *small[1:]], jobs=3, memory=12).run()

    assert ran.started.index("big") <= 2 * SHARE
    assert ran.start_s["big"] >= 0


def test_what_would_never_fit_runs_alone() -> None:
    tasks = [Task("huge", (), 3.0, peak_bytes=100), Task("a", (), 1.0, 1), Task("b", (), 1.0, 1)]

    ran = Simulated(tasks, jobs=3, memory=10).run()

    beside = {name for at, together in ran.running_at if "huge" in together for name in together}
    assert beside == {"huge"}


def test_a_cycle_is_an_error() -> None:
    with pytest.raises(ValueError, match="cycle"):
        in_order([Task("a", ("b",)), Task("b", ("a",))])


# ---------------------------------------------------------------------- threads
def test_tasks_run_together_up_to_jobs() -> None:
    meet = threading.Barrier(3, timeout=60)

    run_tasks([Task(n) for n in "abcdef"], lambda name: meet.wait() and None, jobs=3, stop=threading.Event())

    assert meet.n_waiting == 0


def test_after_stop_nothing_starts_and_what_runs_ends() -> None:
    stop, ran = threading.Event(), []

    def execute(name: str) -> None:
        stop.set()
        ran.append(name)

    run_tasks([Task("a"), Task("b", ("a",)), Task("c")], execute, jobs=1, stop=stop)

    assert ran == ["a"]


def test_a_defect_in_a_task_is_raised_and_stops_everything() -> None:
    ran = []

    def execute(name: str) -> None:
        ran.append(name)
        raise RuntimeError(name)

    with pytest.raises(RuntimeError, match="a"):
        run_tasks([Task("a"), Task("b")], execute, jobs=1, stop=threading.Event())
    assert ran == ["a"]


def test_a_task_that_waits_for_memory_starts_when_there_is_some_and_is_told_of_once() -> None:
    tasks = [Task("first", (), 9.0, 5), Task("second", (), 1.0, 5)]
    asked, held, enough = [], [], threading.Event()

    def free(running: Mapping[str, Task]) -> int:
        asked.append(set(running))
        if len(asked) > 3:
            enough.set()
            return 5
        return 0

    def execute(name: str) -> None:
        if name == "first":
            assert enough.wait(60)

    run_tasks(
        tasks,
        execute,
        jobs=2,
        stop=threading.Event(),
        free_bytes=free,
        on_hold=lambda task: held.append(task.id),
    )

    assert held == ["second"]


def test_a_task_that_waits_for_memory_does_not_keep_a_cancelled_run_from_its_end() -> None:
    stop, ran = threading.Event(), []

    def execute(name: str) -> None:
        ran.append(name)
        assert stop.wait(60)

    run_tasks(
        [Task("first", (), 9.0, 5), Task("second", (), 1.0, 5)],
        execute,
        jobs=2,
        stop=stop,
        free_bytes=lambda running: 0,
        on_hold=lambda task: stop.set(),
    )

    assert ran == ["first"]


def test_no_more_threads_than_jobs_run_whatever_is_ready() -> None:
    lock, running, most = threading.Lock(), set(), [0]
    meet = threading.Barrier(3, timeout=60)

    def execute(name: str) -> None:
        with lock:
            running.add(name)
            most.append(len(running))
        meet.wait()
        with lock:
            running.remove(name)

    run_tasks([Task(str(n)) for n in range(12)], execute, jobs=3, stop=threading.Event())

    assert max(most) == 3

import io
import threading

import pytest

from escapedim.reporting.progress import Bar, LogLines, Progress, open_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def log(total=1000, done=0):
    stream, clock = io.StringIO(), Clock()
    return open_progress(total, done, "20 networks × 10 rounds", stream, False, clock), stream, clock


def test_a_log_gets_one_line_a_minute():
    progress, stream, clock = log()
    for second in range(181):
        clock.now = 1000 + second
        progress.update(second * 5)
    progress.close()
    assert stream.getvalue().splitlines() == [
        "20 networks × 10 rounds: 30 % (300 of 1,000 network steps), 2 min 20 s left",
        "20 networks × 10 rounds: 60 % (600 of 1,000 network steps), 1 min 20 s left",
        "20 networks × 10 rounds: 90 % (900 of 1,000 network steps), 20 s left",
    ]


def test_the_rate_of_a_continued_run_counts_only_what_was_done_since():
    progress, stream, clock = log(total=100_000, done=90_000)
    clock.now += 60
    progress.update(91_000)
    assert stream.getvalue().endswith("91 % (91,000 of 100,000 network steps), 9 min 00 s left\n")


def test_one_step_is_singular():
    progress, stream, clock = log(total=1)
    clock.now += 60
    progress.update(1)
    assert "100 % (1 of 1 network step)" in stream.getvalue()


def test_without_a_step_the_time_left_is_unknown():
    progress, stream, clock = log(done=10)
    clock.now += 60
    progress.update(10)
    assert stream.getvalue().endswith("1 % (10 of 1,000 network steps), time left unknown\n")


@pytest.mark.parametrize("total", [0, 1000])
def test_more_than_all_is_all_and_a_count_never_falls(total):
    progress, stream, clock = log(total=total)
    progress.update(5000)
    clock.now += 60
    progress.update(1)
    assert f"100 % ({total:,} of {total:,} network steps)" in stream.getvalue()


def test_a_log_is_silent_in_its_first_minute_but_for_what_is_said():
    progress, stream, clock = log()
    with progress:
        clock.now += 59
        progress.update(500)
        progress.say("round 3 is finished")
    assert stream.getvalue() == "round 3 is finished\n"


def test_a_terminal_gets_a_bar_with_label_total_and_rate():
    stream = Terminal()
    progress = open_progress(2000, 500, "20 networks × 10 rounds", stream, False)
    progress.update(1500)
    progress.say("round 3 is finished")
    progress.update(900)
    progress.update(9000)
    progress.close()
    progress.close()
    shown = stream.getvalue()
    assert "20 networks × 10 rounds:  25%" in shown
    assert "500/2.00k" in shown
    assert "steps/s" in shown
    assert "round 3 is finished\n" in shown
    assert not any(type(thread).__name__ == "TMonitor" for thread in threading.enumerate())


def test_quiet_shows_nothing():
    stream = Terminal()
    with open_progress(10, 0, "label", stream, True) as progress:
        progress.update(5)
        progress.say("text")
    assert stream.getvalue() == ""


def test_the_stream_decides():
    assert type(open_progress(1, 0, "", io.StringIO(), False)) is LogLines
    assert type(open_progress(1, 0, "", io.StringIO(), True)) is Progress
    with open_progress(1, 0, "", Terminal(), False) as progress:
        assert type(progress) is Bar

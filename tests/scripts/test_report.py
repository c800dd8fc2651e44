import pytest


@pytest.fixture(scope="module")
def report(script):
    return script("benchmarking.report")


@pytest.fixture(scope="module")
def spread(script):
    return script("benchmarking.timing").Spread.of


@pytest.fixture(scope="module")
def quotient(script):
    return script("benchmarking.timing").Ratio.of


@pytest.fixture
def prune(script, spread, quotient):
    def prune(seconds, plain_net_steps):
        module = script("benchmarking.prune_row")
        slow, fast = spread([5 * seconds, 6 * seconds]), spread([seconds, seconds])
        plain = [module.PlainTimes(threads, slow, slow) for threads in (1, 128)]
        ratio = quotient(slow, fast)
        command = "escapedim prune --rounds 10 --force --quiet"
        return module.PruneRow(command, 128, 205_000, plain_net_steps, fast, fast, 10_000.0, fast, plain, ratio, ratio)

    return prune


@pytest.fixture
def steps(script, spread, quotient):
    def steps(plain_ms):
        module = script("benchmarking.steps_row")
        plain, stack = spread([plain_ms, plain_ms, 3 * plain_ms]), spread([1.0, 2.0, 3.0])
        times = module.StackTimes(stack, quotient(plain, stack))
        return [module.StepsRow(members, 5, plain, times, times) for members in (1, 512)]

    return steps


@pytest.fixture
def small(script, spread, quotient):
    def small(us, jax=True, cores=128):
        module = script("benchmarking.small_row")

        def times(processes, fast, slow):
            programs = [module.JaxTimes(program, 0.5, slow) for program in ("vmap", "map")]
            row = module.JaxRow("0.10.2", programs, quotient(slow, fast)) if jax else None
            return module.SmallTimes(processes, fast, processes, slow, quotient(slow, fast), row)

        slow, fast = spread([5 * us, 6 * us]), spread([us, us])
        every = times(cores, spread([us / 2, us / 2]), slow) if cores > 1 else None
        return module.SmallRow("mlp 4-16-1 tanh", 512, 500, 15, 100, 1000, 1, times(1, fast, slow), every)

    return small


@pytest.fixture
def certify(script, spread):
    def certify(seconds, core=1):
        times = spread([seconds]), spread([seconds / 10])
        endings = {"global minimum": 0.75, "plateau saddle": 0.25}
        row = script("benchmarking.certify_row").CertifyRow
        return row("relu-teacher:k=10", "relu-student 10-10", 1000, 2_500_000, core, *times, endings, times[1])

    return certify


def lines(blocks):
    return [line for block in blocks for line in block.lines]


@pytest.mark.parametrize("scale", [0.01, 1, 1000])
def test_no_line_is_longer_than_80_columns(report, prune, steps, small, certify, scale):
    shown = lines(report.prune_blocks(prune(30 * scale, 5000), 200) + report.steps_blocks(steps(scale), 200))
    shown += lines(report.small_blocks(small(30 * scale), 200) + report.certify_blocks(certify(scale), 200))
    assert max(map(len, shown)) <= 80


def test_prune_row(report, prune):
    shown = [" ".join(line.split()) for line in lines(report.prune_blocks(prune(30.0, 5000)))]
    assert shown[0] == "escapedim prune --rounds 10 --force --quiet: 205,000 network steps"
    assert "escapedim, processes of one thread: 128 30.0 s 30.0..30.0" in shown
    assert "plain loop, torch threads: 1 165.0 s 150.0..180.0" in shown
    assert "ratio 5.50 × 5.00..6.00" in shown
    assert "timed over 5,000 network steps, of rounds 0 and 1, and scaled up by 41.0;" in " ".join(shown)


def test_nothing_is_said_to_be_scaled_where_all_was_run(report, prune):
    assert "scaled" not in " ".join(lines(report.prune_blocks(prune(30.0, 205_000))))


def test_steps_row(report, steps):
    shown = [line.split() for line in lines(report.steps_blocks(steps(4.0)))]
    cells = ["4.000", "2.000", "2.00", "×"], ["4.000..12.000", "1.000..3.000", "2.00..4.00"]
    for members in ("1", "512"):
        for order in ("shared", "own"):
            at = shown.index([members, order, *cells[0]])
            assert shown[at + 1] == cells[1]


def test_small_row(report, small):
    shown = [" ".join(line.split()) for line in lines(report.small_blocks(small(20.0)))]
    assert shown[0] == "512 networks mlp 4-16-1 tanh on 500 samples: gradient descent in float64"
    assert "microseconds per network step one core all 128 cores" in shown
    cells = [
        ("escapedim, stacks of 15 20.0 10.0", "20.0..20.0 10.0..10.0"),
        ("JAX, lax.map 110.0 110.0", "100.0..120.0 100.0..120.0"),
        ("plain loop / escapedim 5.50 × 11.00 ×", "5.00..6.00 10.00..12.00"),
        ("better one of JAX / escapedim 5.50 × 11.00 ×", "5.00..6.00 10.00..12.00"),
    ]
    for medians, ranges in cells:
        assert shown[shown.index(medians) + 1] == ranges
    assert "the faster of 1 and 128 torch threads, here 128;" in " ".join(shown)
    assert "JAX 0.10.2 compiled for 0.5 s and 0.5 s on one core." in shown


def test_small_row_says_that_one_core_is_all(report, small):
    shown = [" ".join(line.split()) for line in lines(report.small_blocks(small(20.0, cores=1)))]
    assert "escapedim, stacks of 15 20.0" in shown
    assert "Only one core is usable here, so that all cores were not measured apart." in " ".join(shown)
    assert "all 1 cores" not in " ".join(shown)


def test_small_row_without_jax_says_how_to_install_it(report, small):
    shown = " ".join(lines(report.small_blocks(small(20.0, jax=False))))
    assert "JAX is not installed, and was left out; pip install 'escapedim[bench]' brings it." in shown
    assert "lax.map" not in shown


def test_certify_row(report, certify):
    shown = [" ".join(line.split()) for line in lines(report.certify_blocks(certify(8.0)))]
    assert shown[0] == "1,000 members of relu-teacher:k=10, relu-student 10-10: 2,500,000 network steps"
    assert "descent with landing 8.000 s 8.000..8.000" in shown
    assert "certificates of the ended members 0.800 s 0.800..0.800" in shown
    assert "plateau saddle 25.0%" in shown
    assert "on no core in particular" in " ".join(lines(report.certify_blocks(certify(8.0, core=None))))

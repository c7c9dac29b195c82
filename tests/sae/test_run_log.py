import json
from contextlib import closing

from music_interpret.sae.run_log import RunLog


def steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_lines_hold_step_tokens_and_values(tmp_path):
    with closing(RunLog(tmp_path, 0, 64)) as log:
        log.write(10, {"loss/total": 0.5})
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 10, "tokens": 640, "loss/total": 0.5}


def test_reopened_at_a_step_it_drops_what_came_after_and_half_lines(tmp_path):
    with closing(RunLog(tmp_path, 0, 64)) as log:
        for step in (10, 20, 30):
            log.write(step, {})
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 40, "tok')
    with closing(RunLog(tmp_path, 20, 64)) as log:
        log.write(30, {})
    assert steps(path) == [10, 20, 30]


def test_nan_is_null(tmp_path):
    with closing(RunLog(tmp_path, 0, 64)) as log:
        log.write(10, {"quality/fvu": float("nan")})
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["quality/fvu"] is None

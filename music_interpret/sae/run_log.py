"""What a training run writes while it goes: `metrics.jsonl` and the same numbers for TensorBoard."""

import json
from pathlib import Path

from music_interpret import files


class RunLog:
    """Two logs of the same scalars. Opened at a step, it first drops what an interrupted run logged after that step."""

    def __init__(self, folder: Path, step: int, batch_size: int) -> None:
        """Args:
        folder: the run's folder.
        step: steps done so far.
        batch_size: tokens per step.
        """
        from torch.utils.tensorboard import SummaryWriter

        self.batch_size = batch_size
        path = folder / "metrics.jsonl"
        _keep_up_to(path, step)
        self.board = SummaryWriter(folder / "tensorboard", purge_step=step + 1)
        self.lines = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed in close()

    def write(self, step: int, values: dict[str, float]) -> None:
        """Log scalars under names like `loss/total` at a step."""
        for name, value in values.items():
            self.board.add_scalar(name, value, step)
        line = files.plain({"step": step, "tokens": step * self.batch_size} | values)
        self.lines.write(json.dumps(line, allow_nan=False) + "\n")
        self.lines.flush()

    def close(self) -> None:
        self.board.close()
        self.lines.close()


def _keep_up_to(path: Path, step: int) -> None:
    """Drop logged lines of later steps, and a half-written last line."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except json.JSONDecodeError:
            break
    files.write_text(path, "".join(f"{line}\n" for line in kept))

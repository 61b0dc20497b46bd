"""What a running process has used, from the kernel's own accounts."""

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ProcessUse:
    """CPU time and peak memory of a process by id, while it runs."""

    def __init__(self, pid: int) -> None:
        self._folder = Path("/proc") / str(pid)

    def is_running(self) -> bool:
        """Whether the process has not ended."""
        try:
            return (self._folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def cpu_seconds_of(self, prefix: str) -> float:
        """User and system time of the threads whose names begin so and that still live."""
        result = 0
        for task in (self._folder / "task").iterdir():
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            if name.startswith(prefix):
                fields = rest.split()
                result += int(fields[11]) + int(fields[12])
        return result / TICKS_PER_SECOND

    def peak_mb(self) -> float:
        """Largest resident size so far."""
        return self._status_mb("VmHWM")

    def memory_mb(self) -> float:
        """Resident size now."""
        return self._status_mb("VmRSS")

    def _status_mb(self, name: str) -> float:
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        return 0.0

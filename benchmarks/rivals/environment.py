"""The environment of the rivals that do not live with the benchmark: made once, then reused."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def interpreter(folder: Path) -> Path:
    """Return the Python of the environment, whether it exists or not."""
    return folder / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def build(folder: Path) -> None:
    """Make the environment; why a requirement did not install is kept beside it."""
    if not interpreter(folder).exists():
        venv.create(folder / "venv", with_pip=True, clear=True)
    lines = REQUIREMENTS.read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    reasons = {}
    for requirement in wanted:
        command = [str(interpreter(folder)), "-m", "pip", "install", "--quiet", requirement]
        done = subprocess.run(
            [*command, wanted[0]], capture_output=True, text=True, check=False, timeout=1800
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            reasons[requirement] = (errors or ["pip failed"])[0].strip()
    (folder / "failed.json").write_text(json.dumps(reasons, indent=1) + "\n")


def reason(folder: Path, told: str) -> str:
    """Return why a rival cannot be imported, the failure of its installation first."""
    if not interpreter(folder).exists():
        return "its environment was not built"
    path = folder / "failed.json"
    reasons = json.loads(path.read_text()) if path.exists() else {}
    # The module that is missing names the package: cmfrec, gensim, implicit, nimfa, surprise.
    for requirement, why in reasons.items():
        package = requirement.partition("==")[0].removeprefix("scikit-")
        if package in told:
            return f"{requirement} did not install: {why}"
    return told

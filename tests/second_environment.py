"""Runs the Consul adapter's tests with python-consul in the place of py-consul.

Both packages install the module ``consul``, so they never share an environment: this makes a second one,
``.venv-python-consul`` beside this project's own, and runs pytest there. Arguments go to pytest::

    python tests/second_environment.py -q
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv-python-consul"
PYTHON = HOME / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
PACKAGES = ["python-consul>=1.1,<2", "six>=1.16", "requests>=2.31"]
PACKAGES += ["hypothesis>=6.120", "pytest>=8.3,<10", "pytest-timeout>=2.3"]


def build() -> None:
    """The environment, made once; made again where it is half-made or was made for other packages."""
    ready = HOME / "ready"
    if ready.exists() and ready.read_text() == repr(PACKAGES):
        return
    venv.create(HOME, with_pip=True, clear=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", str(ROOT)], check=True)
    ready.write_text(repr(PACKAGES))


def main(arguments: list[str]) -> int:
    build()
    only = "from ecs_sync_adapters.consul_http import installed as i; assert i() == ('python-consul',), i()"
    subprocess.run([str(PYTHON), "-c", only], check=True)
    tests = [
        f"tests/adapters/test_consul{part}.py" for part in ("", "_options", "_writes", "_faults", "_secrets")
    ]
    run = [str(PYTHON), "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", *tests, *arguments]
    return subprocess.run(run, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

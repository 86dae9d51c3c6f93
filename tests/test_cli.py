"""The console command: sub-commands, help, exit statuses, and the two ways to start it."""

import subprocess
import sys

import pytest

import minception
from minception import cli


def test_no_command_shows_the_commands(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in cli.COMMANDS) and "--version" in out


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"minception {minception.__version__}\n"


OPTIONS = {
    "train": "--data-dir DIR",
    "evaluate": "--data-dir DIR",
    "predict": "--weights FILE",
    "summary": "--svg FILE",
    "profile": "--plot FILE",
}


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_help_of_each_command(capsys, name):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: minception {name}")
    assert f" {OPTIONS[name]} " in out
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize("arguments", [["trian"], ["train", "--epoch", "3"], ["train", "--epochs", "three"], ["--lr"]])
def test_words_that_are_not_understood(capsys, arguments):
    """Shortened options are refused: a later version may give them another meaning."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_ctrl_c_before_a_run_begins(monkeypatch, capsys):
    from minception.train import train_command

    def run(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command, "run", run)
    assert cli.main(["train"]) == 130
    assert capsys.readouterr().err == "minception train: stopped\n"


def python(*arguments, cwd):
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_as_a_module(tmp_path):
    """A whole small run of the real network, without a warning, a bar, or anything else unasked for."""
    options = "--data synthetic --limit-train 32 --limit-test 16 --batch-size 16 --epochs 1 --kernels reference"
    ended = python("-m", "minception.train", *options.split(), "--output", "run", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 2
    assert len(ended.stderr.splitlines()) == 2 and "\r" not in ended.stderr
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    wrong = python("-m", "minception.train", "--epochs", 0, cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("python -m minception.train: error: --epochs must be at least 1, got 0")


def test_help_is_quick(tmp_path):
    """Nothing slow is imported before there is something to compute or to draw."""
    code = (
        "import sys\n"
        "from minception import cli\n"
        "try: cli.main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "print('SLOW', sorted({'matplotlib', 'numba', 'torch', 'PIL', 'scipy'} & set(sys.modules)))\n"
    )
    ended = python("-c", code, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("SLOW []\n")


LATE = "matplotlib", "PIL", "tqdm", "numba", "http.client", "urllib.request", "multiprocessing"


@pytest.mark.parametrize("module", [cli.COMMANDS[name][0] for name in ("train", "evaluate", "predict")])
def test_what_takes_time_to_import_is_imported_when_it_is_needed(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded and not set(LATE) & set(loaded)

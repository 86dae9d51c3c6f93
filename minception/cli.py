"""The console command `minception`: one sub-command for each module in `COMMANDS`.

Such a module has `add_arguments(parser)` and `run(arguments) -> exit status`. Errors that are the user's to mend
are exceptions with a message; here they become one line on stderr and the exit status 1, or 2 for wrong options.
"""

import argparse
import importlib
import sys

COMMANDS = {
    "train": ("minception.train.train_command", "train a network"),
    "evaluate": ("minception.train.evaluate_command", "measure a trained network"),
    "predict": ("minception.predict.predict_command", "classify pictures"),
    "summary": ("minception.study.summary_command", "show a network's layers, cost and graph"),
    "profile": ("minception.study.profile_command", "show where the time of a training step goes"),
}


def main(argv=None):
    """Run `minception ARGV...` (default: the process's own arguments) and return its exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv and argv[0] in COMMANDS:
        return run_command(argv[0], argv[1:], f"minception {argv[0]}")
    parser = argparse.ArgumentParser(
        prog="minception",
        description="Train, measure, use and look into convolutional networks of the Inception family.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    for name, (_, help_text) in COMMANDS.items():
        commands.add_parser(name, help=help_text)
    arguments = parser.parse_args(argv)
    if arguments.version:
        from minception import __version__

        print(f"minception {__version__}")
    else:
        parser.print_help()
    return 0


def run_command(name, argv, program):
    """Run one sub-command, which calls itself `program` in messages; return its exit status."""
    from minception.checkpoint import CheckpointError
    from minception.train.config import ConfigError
    from minception.train.errors import RunError

    command = importlib.import_module(COMMANDS[name][0])
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    command.add_arguments(parser)
    arguments = parser.parse_args(argv)
    arguments.command = program
    try:
        return command.run(arguments)
    except ConfigError as error:
        print(f"{program}: error: {error}\nSee {program} --help.", file=sys.stderr)
        return 2
    except (RunError, CheckpointError) as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

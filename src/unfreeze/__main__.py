"""``python -m unfreeze`` is the command ``unfreeze``."""

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is imported, or while the interpreter ends, gives no traceback."""
    try:
        from unfreeze.cli.main import main as run_command

        run_command()
    except KeyboardInterrupt:
        print("unfreeze: stopped. Nothing was begun.", file=sys.stderr)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()

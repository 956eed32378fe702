"""``python -m unfreeze`` is the command ``unfreeze``."""

from unfreeze.cli.main import main

if __name__ == "__main__":
    main()

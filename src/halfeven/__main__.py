"""``python -m halfeven`` is the ``halfeven`` command."""

from halfeven.cli import main

if __name__ == "__main__":
    main()

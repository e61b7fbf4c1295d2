"""Where the command begins. The garbage collector rests until all is imported: it would find nothing."""

import gc

gc.disable()


def main() -> None:
    from planso_connector.cli import cli

    gc.enable()
    cli()


if __name__ == "__main__":
    main()

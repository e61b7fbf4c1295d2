"""Where the command begins. The garbage collector rests until all is imported: a sixth of the start otherwise."""

import gc

gc.disable()


def main() -> None:
    from planso_connector.cli import cli

    gc.enable()
    cli()


if __name__ == "__main__":
    main()

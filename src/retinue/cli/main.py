"""The table of commands. Each lives in a module named after it and is loaded only when it is called."""

import os
import sys

import cyclopts

import retinue

app = cyclopts.App(
    name="retinue",
    help="Accounts, credits, datasets, live predictions and durable jobs for a team's vision models.",
    version=retinue.__version__,
    version_flags=["--version"],
    result_action="return_value",
)
COMMANDS = {
    "up": "retinue.cli.up:up",
    "api": "retinue.cli.api:api",
    "worker": "retinue.cli.worker:worker",
    "migrate": "retinue.cli.migrate:migrate",
    "seed": "retinue.cli.seed:seed",
    "backup": "retinue.cli.backup:backup",
    "restore": "retinue.cli.backup:restore",
    "settings": "retinue.cli.settings:settings",
    "user": "retinue.cli.user:user",
    "credits": "retinue.cli.credits:app",
    "doctor": "retinue.cli.doctor:doctor",
    "model": "retinue.cli.model:app",
    "loadtest": "retinue.cli.loadtest:loadtest",
    "predict": "retinue.cli.predict:predict",
    "login": "retinue.cli.login:login",
    "logout": "retinue.cli.login:logout",
    "dataset": "retinue.cli.dataset:app",
    "job": "retinue.cli.job:app",
    "kit": "retinue.cli.kit:app",
}
for name, place in COMMANDS.items():
    app.command(place, name=name)
app.register_install_completion_command()


def main() -> None:
    """Exit codes: 0 done, 1 refused or failed with a sentence (also in part), 2 wrong usage, 3 a job was aborted,
    130 Ctrl-C."""
    try:
        sys.exit(app())
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith("retinue"):
            raise
        _say(f"This command needs {missing.name}. Run: pip install 'retinue[server]'")
        sys.exit(1)
    except BrokenPipeError:  # `retinue settings | head`: whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as failure:
        detail, title = getattr(failure, "detail", None), getattr(failure, "title", "")
        if detail is None:
            raise
        _say(detail if detail.rstrip(".") == title else f"{title}: {detail}")
        sys.exit(1)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()

"""Every speed question in turn, or those that are named; ends with 1 where one of them missed its floor."""

import subprocess
import sys

QUESTIONS = (
    "database",
    "library",
    "loading",
    "live",
    "growth",
    "datasets",
    "jobs",
    "job_memory",
    "scaling",
    "beside",
    "shadow",
)


def main() -> int:
    asked = sys.argv[1:] or list(QUESTIONS)
    missed = []
    for name in asked:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode:
            missed.append(name)
    if missed:
        print(f"A floor was missed in: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

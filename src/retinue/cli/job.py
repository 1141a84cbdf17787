"""`retinue job …`: a model over a dataset, on a server: ordered, watched, stopped, and its results fetched."""

from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from retinue.cli.progress import bytes_bar, job_bar
from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, say, show_json, show_line, show_table
from retinue.client import Job, Prediction
from retinue.client.jobs import Inference, ResultFormat, VideoResult
from retinue.client.sending import Now

app = cyclopts.App(name="job", help="Run a model over a dataset.", result_action="return_value")
Id = Annotated[str, Parameter(help="Id of the job.")]
INTERRUPTED = 130


@app.command
def run(
    dataset: Annotated[str, Parameter(help="Name of the dataset.")],
    /,
    *,
    model: Annotated[str | None, Parameter(help="Unset: the server's default model.")] = None,
    version: str | None = None,
    confidence: Annotated[float | None, Parameter(help="Floor for every class.")] = None,
    top_k: Annotated[int | None, Parameter(help="How many classes a classifier answers with.")] = None,
    group: Annotated[str | None, Parameter(help="Only this group of the dataset.")] = None,
    priority: Annotated[int | None, Parameter(help="−10 to 10 among your own jobs.")] = None,
    dry_run: Annotated[bool, Parameter(negative=(), help="Say the price and the time, start nothing.")] = False,
    detach: Annotated[bool, Parameter(negative=(), help="Do not wait; print the job's id.")] = False,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Start a job and watch it. Exit code 1 when it failed, also in part; 3 when it was aborted.

    The price is held first; the end charges what was done. Ctrl-C leaves the job running.

    For example:

    ```console
    $ retinue job run kit-7 --model toolbox --dry-run
    $ retinue job run kit-7 --model toolbox
    $ retinue job results $(retinue job run kit-7 --detach) --out kit-7.zip
    ```
    """
    parameters: Any = {"confidence": confidence, "top_k": top_k}
    asked: Any = {
        "model": model,
        "version": version,
        "parameters": {name: told for name, told in parameters.items() if told is not None} or None,
        "filter": None if group is None else {"group": group},
    }
    with at.client() as client:
        if dry_run:
            quote = client.jobs.price(dataset, **asked)
            time = "" if quote.expected_seconds is None else f", about {quote.expected_seconds:.0f} s"
            told = f"{quote.items} items, {quote.price:.2f} credits{time}"
            show_json(quote.model_dump(mode="json")) if as_json else print(told)
            return 0
        job = client.jobs.start(dataset, priority=priority, **asked)
        assert job.told is not None
        say(f"Job {job.id}: {job.told.items} items, {job.told.held:.2f} credits held")
        if detach:
            show_json(job.told.model_dump(mode="json")) if as_json else print(job.id)
            return 0
        return _watch(job, as_json=as_json)


@app.command(name="list")
def list_jobs(*, as_json: Json = False, at: At = NOWHERE) -> int:
    """Yours, the newest first."""
    with at.client() as client:
        found = [*client.jobs.list()]
    if as_json:
        show_json([one.model_dump(mode="json") for one in found])
        return 0
    columns = ("Job", "Status", "Dataset", "Model", "Done", "Failed", "Of", "Cost")
    rows = [
        (one.inference_id, one.status, one.dataset, one.model, one.done, one.failed, one.items, f"{one.cost:.2f}")
        for one in found
    ]
    show_table(columns, rows)
    return 0


@app.command
def watch(job_id: Id, /, *, as_json: Json = False, at: At = NOWHERE) -> int:
    """Watch a job until it has ended; Ctrl-C leaves it running. Exit codes as of `run`."""
    with at.client() as client:
        return _watch(client.jobs.at(job_id), as_json=as_json)


@app.command
def retry(
    job_id: Id,
    /,
    *,
    detach: Annotated[bool, Parameter(negative=(), help="Do not wait; print the new job's id.")] = False,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Try again what failed, as a new job with the same model and parameters. Exit codes as of `run`."""
    with at.client() as client:
        job = client.jobs.at(job_id).retry()
        if detach:
            print(job.id)
            return 0
        return _watch(job, as_json=as_json)


@app.command
def abort(job_id: Id, /, *, as_json: Json = False, at: At = NOWHERE) -> int:
    """Stop a job; what is finished stays, and stays charged."""
    with at.client() as client:
        told = client.jobs.at(job_id).abort()
    if as_json:
        show_json(told.model_dump(mode="json"))
    else:
        say(f"{told.done} of {told.items} are done; it stops at the next picture")
    return 0


@app.command
def results(
    job_id: Id,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Into this file, instead of lines here.")] = None,
    format: Annotated[ResultFormat, Parameter(help="Of the file.")] = "zip",  # noqa: A002 the parameter's name in the API
    annotated: Annotated[bool, Parameter(negative=(), help="In a ZIP also the answers, drawn.")] = False,
    follow: Annotated[bool, Parameter(negative=(), help="To the end of the job, not only what there is.")] = False,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """What a job found, one line a picture as it came in, or all of it as a file.

    For example:

    ```console
    $ retinue job results 01a1f90c-e592-71ec-ad72-e4459f64d90b --follow --json
    $ retinue job results 01a1f90c-e592-71ec-ad72-e4459f64d90b --out found.json --format coco
    ```
    """
    with at.client() as client:
        job = client.jobs.at(job_id)
        if out is not None:
            with bytes_bar(str(out)) as told:
                print(job.download(out, format=format, annotated=annotated, on_progress=told))
            return 0
        return _print_results(job, follow=follow, as_json=as_json)


def _print_results(job: Job[Now], *, follow: bool, as_json: bool) -> int:
    for one in job.results(follow=follow):
        if as_json:
            show_line(one.model_dump(mode="json", exclude_unset=True))
        else:
            print(f"{one.original_path}{_answer(one.prediction, one.output_path)}")
    for film in job.videos(follow=follow):
        if as_json:
            show_line(film.model_dump(mode="json", exclude_unset=True))
        else:
            _print_video(film)
    failed = 0
    for lost in job.failures(follow=follow):
        failed += 1
        if as_json:
            show_line(lost.model_dump(mode="json"))
        else:
            say(f"{lost.original_path}: {lost.reason}")
    return 1 if failed else 0


def _print_video(film: VideoResult) -> None:
    for one in film.frames:
        print(f"{film.original_path}  {one.time_s:.1f} s{_answer(one.prediction, one.output_path)}")
    if film.output_path:
        print(f"{film.original_path}  {film.output_path}")


def _answer(seen: Prediction | None, output_path: str | None) -> str:
    if seen is None:
        return "  deleted since"
    sure = "" if seen.confidence_score is None else f"  {seen.confidence_score:.2f}"
    return f"{sure}  {seen.predicted_class or output_path or 'nothing found'}"


def _watch(job: Job[Now], *, as_json: bool) -> int:
    try:
        with job_bar(job.id) as tell:
            ended = job.wait(on_status=tell)
    except KeyboardInterrupt:
        say(f"The job goes on. Come back with: retinue job watch {job.id}")
        return INTERRUPTED
    if as_json:
        show_json(ended.model_dump(mode="json"))
    else:
        failed = f", {ended.failed} failed" if ended.failed else ""
        say(f"{ended.status}: {ended.done} of {ended.items} done{failed}, {ended.cost:.2f} credits")
        if ended.error:
            say(ended.error)
        print(job.id)
    return _code(ended)


def _code(ended: Inference) -> int:
    if ended.status == "ABORTED":
        return 3
    return 1 if ended.status == "FAILED" or ended.failed else 0

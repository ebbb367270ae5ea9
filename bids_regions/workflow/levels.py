"""A whole run: plan, do the levels asked for, and say how it ended.

A *level* is participant or group; a *plan* what there is to do at them, an *exit code* how it ended, as a number.
What becomes of one map or one set is not known here, nor what the run says of itself (`about`).
"""

from pathlib import Path

from bids_regions.dataset import check_output, describe_output
from bids_regions.errors import BadMap, Fault, printable, tell_os_error
from bids_regions.executors import Workers, check_workers, fit_workers
from bids_regions.files import remove_file, sweep_temporaries
from bids_regions.logbook import Logbook
from bids_regions.pages.methods import write_citation
from bids_regions.planning import Plan, check_plan, list_plan, make_plan
from bids_regions.report import model
from bids_regions.results.failures import find_failures, write_failure
from bids_regions.settings import Settings, WorkerSettings
from bids_regions.stopping import STOPPED, Stopped, terminable
from bids_regions.version import __version__
from bids_regions.workflow.about import log_facts, page_context, run_methods
from bids_regions.workflow.participants import StopEarlyError, run_participants
from bids_regions.workflow.temporary import temporary_folder

__all__ = ["run_levels"]

BROKEN_HINT = "Restore the file, or take it out of the dataset"


def run_levels(settings: Settings) -> int:
    """Do what was asked; the exit code.

    Raises
    ------
    Fault
        Nothing could be begun: missing input, contradictions, an output folder that is refused.
    """
    logbook = Logbook(settings.output_dir, log_facts(settings), verbose=settings.verbose, quiet=settings.quiet)
    with terminable():
        try:
            with temporary_folder(settings.workers.work_dir, settings.output_dir / "logs"):
                return _run(settings, logbook)
        except Stopped:
            logbook.close(STOPPED, "stopped by SIGTERM; run again to complete the rest")
            return STOPPED
        except KeyboardInterrupt:
            logbook.close(130, "stopped from the keyboard; run again to complete the rest")
            return 130


def _run(settings: Settings, logbook: Logbook) -> int:
    """Plan, tell what a user should know of it, then list, explain or do it."""
    check_output(settings.output_dir)
    plan = make_plan(settings)
    for text in plan.notices:
        logbook.notice(text)
    for text in (*check_plan(plan, settings), *plan.asides):  # what is refused needs no advice
        logbook.notice(text)
    if settings.dry_run:
        logbook.show("".join(f"{line}\n" for line in list_plan(plan)))
        logbook.show("dry run: nothing was written (exit code 0)\n")
        return 0
    if settings.explain and not (settings.reports_only or settings.force):
        from bids_regions.workflow.explaining import explain_plan  # noqa: PLC0415 # a run pays for what it does

        return explain_plan(plan, _make_workers(settings.workers, plan, logbook), logbook)
    return _work(settings, plan, logbook)


def _work(settings: Settings, plan: Plan, logbook: Logbook) -> int:
    """Write the methods text, do the levels, and say how it ended."""
    methods = run_methods(settings.entries, plan)
    write_citation(settings.output_dir, methods)
    if settings.boilerplate_only:
        logbook.close(0, "the methods text is in logs/CITATION.md")
        return 0
    _sweep(settings)
    describe_output(settings.output_dir, plan.dataset, __version__)
    try:
        _do_levels(settings, plan, methods, logbook)
    except StopEarlyError:
        return logbook.conclude("stopped at the first failure, as asked")
    except (Fault, OSError) as error:
        fault = error if isinstance(error, Fault) else tell_os_error(error)
        logbook.close(fault.exit_code, str(fault))
        return fault.exit_code
    return logbook.conclude()


def _sweep(settings: Settings) -> None:
    """Clear what killed runs left beside shared files; a participant's folders are cleared with its maps."""
    shared = [settings.output_dir, settings.output_dir / "logs", settings.output_dir / "figures"]
    if "group" in settings.levels:
        shared += settings.output_dir.glob("tpl-*/**/")
    for folder in shared:
        sweep_temporaries(folder)


def _do_levels(settings: Settings, plan: Plan, methods: model.Methods, logbook: Logbook) -> None:
    """The maps and pages of participants, then the group."""
    _forget_failures(plan, settings.output_dir)
    _tell_left_out(plan, logbook)
    if plan.broken and settings.stop_on_first_crash:
        raise StopEarlyError
    workers = _make_workers(settings.workers, plan, logbook)
    context = page_context(settings, plan, methods)
    if "participant" in settings.levels:
        run_participants(plan.participants, context, workers, logbook, stop_early=settings.stop_on_first_crash)
    if "group" in settings.levels:
        from bids_regions.workflow.group_level import GroupInput, run_group  # noqa: PLC0415 # as above

        given = GroupInput(
            dataset=plan.dataset,
            discovery=plan.discovery,
            selection=plan.selection,
            entries=settings.entries,
            jobs=plan.group,
            stop_early=settings.stop_on_first_crash,
        )
        run_group(settings.group, given, context, workers, logbook)


def _make_workers(asked: WorkerSettings, plan: Plan, logbook: Logbook) -> Workers:
    maps = plan.discovery.maps  # no process is started that would have none of them
    workers = Workers(
        n=fit_workers(min(asked.nprocs, max(1, len(maps))), asked.mem, (one.path for one in maps)),
        executor=asked.executor,
        scheduler_address=asked.scheduler_address,
    )
    able, note = check_workers(workers)
    if note:
        logbook.notice(note)
    return able


def _forget_failures(plan: Plan, output_dir: Path) -> None:
    """Drop what earlier runs noted of files that were taken out since, and of folders that can be read again."""
    broken = {printable(one.relpath) for _, one in plan.broken}
    owners = {*plan.participants, *(paths.owner for job in plan.group for paths in job.outputs)}
    for owner in sorted(owners):
        for note, failure in find_failures(output_dir, owner):
            path = plan.dataset.root / failure.source
            if failure.source not in broken and not (path.is_file() or path.is_symlink()):
                remove_file(note)


def _tell_left_out(plan: Plan, logbook: Logbook) -> None:
    for one in plan.skipped:
        logbook.skip(one.relpath, one.reason)
    for job, one in plan.broken:
        fault = BadMap(one.reason, hint=BROKEN_HINT)
        logbook.count_failed(one.relpath)
        logbook.fail(one.relpath, fault)
        for paths in job.outputs:
            write_failure(job.mapfile, paths, fault)

"""`nbdataops kernel`: the kernelspec `nbdataops` and the fork servers behind it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from nbdataops.cli import options
from nbdataops.errors import ExitCode, UsageError


@click.command("kernel")
@click.argument("action", type=click.Choice(["install", "status", "stop", "doctor"]))
@click.option("--user", is_flag=True, help="install: for this user, whatever environment Jupyter runs in.")
@click.option("--prefix", type=click.Path(path_type=Path), default=None, help="install: below this prefix.")
@click.option(
    "--product",
    "-P",
    "root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=None,
    help="install: also preload what the notebooks of this folder import.",
)
@click.option("--now", is_flag=True, help="stop: end kernels in use and running commands, too.")
@options.as_json
def command(action: str, user: bool, prefix: Path | None, root: Path | None, now: bool, as_json: bool) -> int:
    """Warm kernels for papermill, nbclient, nbconvert and JupyterLab, and the warm runner of commands.

    install writes the kernelspec where Jupyter finds it. status shows the fork servers, and why kernels and commands
    started cold. stop ends the servers, those with something in use when the last of it ends: all that this user has,
    whatever environment or product they serve. doctor looks whether this machine can have warm kernels, and starts
    one; exit code 5 when not.
    """
    _check(action, user=user, prefix=prefix, product=root, now=now)
    match action:
        case "install":
            return _install(user, prefix, root, as_json)
        case "status":
            return _status(as_json)
        case "stop":
            return _stop(now, as_json)
    return _doctor(as_json)


def _check(action: str, **given: Any) -> None:
    belongs = {"user": "install", "prefix": "install", "product": "install", "now": "stop"}
    for name, value in given.items():
        if value and belongs[name] != action:
            raise UsageError(
                f"--{name} is for `kernel {belongs[name]}`", todo=f"nbdataops kernel {action} --help"
            )
    if given["user"] and given["prefix"]:
        raise UsageError("--user and --prefix are two places", todo="give one of them, or none")


def _install(user: bool, prefix: Path | None, root: Path | None, as_json: bool) -> int:
    from nbdataops.kernel.kernelspec import install, place

    target = place(user, prefix)
    spec = install(target, root)
    preload = spec["metadata"]["kernel_provisioner"]["config"]["preload"]
    if as_json:
        options.print_json({"kernelspec": str(target), "python": spec["argv"][0], "preload": preload})
    else:
        click.echo(f"kernelspec nbdataops: {target}")
        click.echo(f"preloads {', '.join(preload)}")
        click.echo("papermill -k nbdataops in.ipynb out.ipynb")
    return int(ExitCode.OK)


def _status(as_json: bool) -> int:
    from nbdataops.kernel.cold import recorded
    from nbdataops.kernel.runtime_folder import place
    from nbdataops.kernel.status import statuses

    servers, cold = statuses(place()), recorded(place())
    if as_json:
        starts = [{"at": c.at, "reason": c.reason, "cwd": c.cwd, "client": c.client} for c in cold]
        options.print_json({"folder": str(place()), "servers": servers, "cold_starts": starts})
        return int(ExitCode.OK)
    click.echo(f"{len(servers)} fork servers in {place()}")
    for server in servers:
        _show(server)
    if cold:
        click.echo("last cold starts:")
        for start in cold[-5:]:
            click.echo(f"  {time.strftime('%F %T', time.localtime(start.at))}  {start.reason}  ({start.cwd})")
    return int(ExitCode.OK)


def _show(server: dict[str, Any]) -> None:
    if "problem" in server:
        click.echo(f"  {server['socket']}: {server['problem']}")
        return
    kernels, commands = server["kernels"], server["commands"]
    if server["serves"] == "commands":
        state = f"for commands: {len(commands)} running"
    else:
        state = f"for kernels: {len(kernels)} in use, {len(server['standbys'])} ready"
    ending = ", ends with the last of them" if server["retired"] else ""
    click.echo(f"  pid {server['pid']} {state}{ending}")
    click.echo(
        f"    {server['python']}, loaded in {server['loaded_in_s']:.1f} s: {', '.join(server['modules'])}"
    )
    for module, why in server["excluded"].items():
        click.echo(f"    not preloaded: {module}: {why}")
    for forked in (*kernels, *commands):
        minutes = (time.time() - forked["since"]) / 60
        what = " ".join(["command", *forked["words"][1:3]]) if "words" in forked else "kernel"
        click.echo(f"    {what}, pid {forked['pid']}, for {minutes:.0f} min in {forked['cwd']}")


def _stop(now: bool, as_json: bool) -> int:
    from nbdataops.kernel.runtime_folder import place
    from nbdataops.kernel.status import stop

    said = stop(place(), kernels=now)
    kernels, commands = (sum(len(s.get(what, ())) for s in said) for what in ("kernels", "commands"))
    if as_json:
        counts = {"servers": len(said), "kernels": kernels, "commands": commands}
        options.print_json(counts | {"kernels_ended": now, "commands_ended": now})
    else:
        click.echo(f"{len(said)} fork servers told to end")
        for number, what in ((kernels, "kernels in use"), (commands, "running commands")):
            if number:
                click.echo(f"{number} {what} {'were ended' if now else 'go on (--now ends them)'}")
    return int(ExitCode.OK)


def _doctor(as_json: bool) -> int:
    from nbdataops.kernel.examination import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            mark = click.style("ok  ", fg="green") if finding.ok else click.style("FAIL", fg="red", bold=True)
            click.echo(f"{mark} {finding.name}: {finding.what}")
            if not finding.ok and finding.todo:
                click.echo(f"     {finding.todo}")
    ok = all(finding.ok for finding in findings)
    if as_json:
        options.print_json({"ok": ok, "checks": [finding.to_dict() for finding in findings]})
    return int(ExitCode.OK if ok else ExitCode.INFRASTRUCTURE)

